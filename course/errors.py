"""Errors that end a command with one sentence instead of a traceback."""


class CourseError(Exception):
    """What the person at the keyboard can mend, in one sentence."""

    exit_code = 1


class Refused(CourseError):
    """What was given makes no sense; nothing was done."""

    exit_code = 2
