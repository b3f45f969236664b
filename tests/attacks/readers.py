"""What the readers under attack are told and allowed, and what an error of theirs must be."""

from in4310.submission.pieces import Hints
from in4310.submission.sandbox.walls import Limits

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
HINTS = Hints(CLASSES)
SMALL = Limits(memory_bytes=2**29, processes=24, output_bytes=2**18)


def one_line(error):
    assert "\n" not in str(error)
