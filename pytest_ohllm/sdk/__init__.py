"""The only room that imports ``openhands``: a connection and a scenario in, a Transcript out."""
