"""The one error that a user is meant to see: a single line, no traceback."""

from __future__ import annotations


class InputError(Exception):
    """Bad input: the message names the file, what was expected, what was found, and the way out.

    The command line prints the message as one line and exits with status 2; nothing is half written.
    """
