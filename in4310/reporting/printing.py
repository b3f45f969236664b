"""A page as a PDF: by WeasyPrint where it is installed, else by a Chromium or Chrome that is there."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from in4310.reporting.write import put
from in4310.temporary import ours

BROWSERS = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
SECONDS = 120  # a report of ten pages takes two; a browser that hangs must not hold a run
WAY_OUT = "open it in a browser and print it into a PDF, or: pip install 'in4310[pdf]'"


def print_pdf(page: Path) -> tuple[Path | None, str]:
    """Print a page of ours into a PDF beside it, whole or not at all: (its path, what printed it).

    Where nothing can print it: (None, why, and the way out). Raises InputError when the file cannot be written.
    """
    content, how = _by_weasyprint(page)
    if not content:
        content, how = _by_browser(page)
    if not content:
        return None, f"{page}: no PDF was made ({how}); {WAY_OUT}"
    return put(page.with_suffix(".pdf"), content), how


def _by_weasyprint(page: Path) -> tuple[bytes, str]:
    try:
        import weasyprint
    except (ImportError, OSError) as error:  # OSError: Pango, a library of the system, is not there
        return b"", f"WeasyPrint: {_line(error)}"
    # It names each property that only browsers know.
    logging.getLogger("weasyprint").setLevel(logging.ERROR)
    return bytes(weasyprint.HTML(filename=str(page)).write_pdf()), f"WeasyPrint {weasyprint.__version__}"


def _by_browser(page: Path) -> tuple[bytes, str]:
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return b"", "neither WeasyPrint nor Chromium or Chrome is there"
    with tempfile.TemporaryDirectory(prefix=ours("print"), ignore_cleanup_errors=True) as folder:
        printed = Path(folder) / "report.pdf"
        words = [browser, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]
        # Chromium's own walls need an ordinary user; the page is ours, and its policy forbids all but its own parts.
        words += ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
        words += [f"--user-data-dir={folder}/profile", f"--print-to-pdf={printed}", page.absolute().as_uri()]
        name = Path(browser).name
        try:
            done = subprocess.run(words, timeout=SECONDS, check=False, capture_output=True)
        except subprocess.TimeoutExpired:
            return b"", f"{name} did not finish within {SECONDS} seconds"
        except OSError as error:
            return b"", f"{name}: {_line(error)}"
        if not printed.is_file():
            return b"", f"{name} ended with status {done.returncode} and printed nothing"
        return printed.read_bytes(), name


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
