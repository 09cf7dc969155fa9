"""The errors that a person can mend. Each message is one line: where (table, topic, partition, offset or key), what was
expected and what to do.

Where it stops: printing the line, and the exit code, is the command line's. An error that is none of these is a fault
of the project and keeps its stack trace.
"""


class Mendable(Exception):
    """What was asked for could not be done. Nothing is half-written."""


class BadInput(Mendable):
    """What was asked for is not there, or makes no sense."""
