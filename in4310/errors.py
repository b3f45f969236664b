"""The one error that a user is meant to see: a single line, no traceback."""

from __future__ import annotations

import errno


class InputError(Exception):
    """Bad input: the message names the file, what was expected, what was found, and the way out.

    The command line prints the message as one line and exits with status 2; nothing is half written.
    """


class NotJudged(InputError):
    """Judging did not come about for a reason outside the submission: a full disk, a judge that failed.

    It says nothing of the submission, so no verdict follows from it; once the reason is gone it can be tried again.
    """


_LACKING = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EIO}


def of_the_machine(error: BaseException) -> bool:
    """Whether an error is the machine's: it lacks space, memory or open files, and nothing is said of what was read."""
    return isinstance(error, MemoryError | NotJudged) or (
        isinstance(error, OSError) and error.errno in _LACKING
    )
