"""What a user reads when a run cannot be used. Imports nothing, so that the command line can."""


class RunError(Exception):
    """A run cannot be used as it was asked for; the message is one line for the user."""
