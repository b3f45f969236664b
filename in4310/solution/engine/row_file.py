"""Rows of features on disk, where they are more than memory should hold."""

from __future__ import annotations

import shutil
import tempfile

import numpy as np
import torch
from torch import Tensor

from in4310.errors import InputError

SPARE = 2**30
"""Bytes of the disk that stay free: others need it, too."""


class RowFile:
    """Rows (N, D) appended to a nameless file in the temporary folder; the system removes it with the process."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self.rows = 0
        self._dtype: torch.dtype | None = None
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115, closed with the object

    def append(self, rows: Tensor) -> None:
        """Write rows (n, D), float, in the dtype of the first. Raises InputError where the disk lacks room."""
        if self._dtype is None:  # numpy has no bfloat16
            self._dtype = torch.float32 if rows.dtype == torch.bfloat16 else rows.dtype
        values = rows.to("cpu", self._dtype).contiguous().numpy()
        folder = tempfile.gettempdir()
        try:
            if shutil.disk_usage(folder).free < values.nbytes + SPARE:
                raise OSError("less than 1 GiB would stay free")
            values.tofile(self._file)
        except OSError as error:
            raise InputError(
                f"{folder}: expected room for {self.rows + len(rows)} or more rows of {self.dimensions} features, "
                f"found none ({error.strerror or error}); free some space, set TMPDIR to a folder with more, "
                "give fewer images, or take channel means instead of whole maps"
            ) from error
        self.rows += len(rows)

    def array(self) -> np.ndarray:
        """All rows (N, D) as a memory map; what is written to it stays in memory."""
        dtype = torch.empty(0, dtype=self._dtype).numpy().dtype
        return np.memmap(self._file, dtype, mode="c", shape=(self.rows, self.dimensions))
