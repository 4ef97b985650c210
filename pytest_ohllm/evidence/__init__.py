"""What a run leaves behind: the run folder, the capsule of a failure, and the redaction of both."""
