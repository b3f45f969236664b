"""A file compressed by xz or lzma, read forwards, with a bound on the memory that its header asks for."""

from __future__ import annotations

import io
import lzma
from typing import IO

MEMORY = 256 * 2**20  # of one reader: 'xz -9' takes 65 MiB
CHUNK = 1 << 16


class Unxz(io.RawIOBase):
    """The bytes inside. Raises lzma.LZMAError for damaged files and greedy ones, EOFError for cut ones."""

    def __init__(self, file: IO[bytes]):
        self._file, self._at, self._given = file, 0, b""
        self._decompressor = lzma.LZMADecompressor(memlimit=MEMORY)

    def read(self, size: int = -1) -> bytes:
        """The next bytes, as many as asked for unless the file ends; `size` must not be negative."""
        found = bytearray()
        while len(found) < size:
            if self._decompressor.eof and not self._next_stream():
                break
            if self._decompressor.needs_input and not self._given:
                self._given = self._file.read(CHUNK)
                if not self._given:
                    raise EOFError("ends before its end was reached")
            found += self._decompressor.decompress(self._given, size - len(found))
            self._given = b""
        self._at += len(found)
        return bytes(found)

    def _next_stream(self) -> bool:
        """Several streams may follow each other, with zeros between."""
        rest = self._decompressor.unused_data.lstrip(b"\0")
        while not rest and (rest := self._file.read(CHUNK)):
            rest = rest.lstrip(b"\0")
        if rest:
            self._decompressor, self._given = lzma.LZMADecompressor(memlimit=MEMORY), rest
        return bool(rest)

    def seek(self, offset: int, whence: int = 0) -> int:
        """Forwards only, by reading."""
        if whence or offset < self._at:
            raise ValueError("is read forwards only")
        while self._at < offset and self.read(min(CHUNK, offset - self._at)):
            pass
        return self._at

    def tell(self) -> int:
        """How many bytes were read."""
        return self._at

    def close(self) -> None:
        """Close the file below, too."""
        self._file.close()
        super().close()
