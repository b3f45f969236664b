"""The audit sample: which rows of a score matrix are computed again, and what that says of the others (DESIGN, Cost).

Drawn with HMAC-SHA256(teacher's secret, digest of the submission): the teacher can draw it again, and nobody without
the secret can predict it or grind for it. Without a secret it is drawn from the system's own randomness.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Audit:
    """How many rows to compute again of each set, and the seed of their draw; rows = 0: all."""

    rows: int
    seed: bytes = b""
    replayable: bool = False

    def sample(self, name: str, count: int) -> np.ndarray:
        """Rows of the set `name` with `count` rows to compute again, ascending int64; all where few are left out."""
        if not self.rows or count <= 2 * self.rows:
            return np.arange(count, dtype=np.int64)
        words = hmac.new(self.seed, name.encode(), hashlib.sha256).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(words, "big")))
        return np.sort(generator.choice(count, self.rows, replace=False)).astype(np.int64)


FULL = Audit(0)


def draw(rows: int, secret: bytes | None, submission_digest: str) -> Audit:
    """The audit of one submission. `secret`: the teacher's, or None for a draw that cannot be repeated."""
    if not rows:
        return FULL
    if secret:
        seed = hmac.new(_stretched(secret), submission_digest.encode(), hashlib.sha256).digest()
        return Audit(rows, seed, replayable=True)
    return Audit(rows, secrets.token_bytes(32))


def is_random(secret: bytes) -> bool:
    """Whether a secret looks like 128 random bits in hexadecimal, as ours are; a word is found among a few guesses.

    What counts up, or repeats a few bytes, has few different steps from byte to byte; of random ones nearly all differ.
    """
    if re.fullmatch(rb"(?:[0-9a-fA-F]{2}){16,}", secret) is None:
        return False
    steps = {(b - a) % 256 for a, b in pairwise(bytes.fromhex(secret.decode()))}
    return len(steps) >= 8


@cache
def _stretched(secret: bytes) -> bytes:
    """A teacher's own words, made as dear to guess as scrypt can: 50 ms and 16 MiB a guess (RFC 7914)."""
    if is_random(secret):
        return secret
    return hashlib.scrypt(secret, salt=b"in4310 audit sample", n=2**14, r=8, p=1)


def bound(checked: int, total: int) -> float:
    """Upper bound at 95 % on the share of wrong rows when `checked` random rows of `total` were all right.

    1 - 0.05^(1/m) for m rows drawn; drawing without replacement from a finite set only makes it smaller.
    """
    if checked >= total:
        return 0.0
    return float(1 - (1 - CONFIDENCE) ** (1 / checked)) if checked else 1.0
