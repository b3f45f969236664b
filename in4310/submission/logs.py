"""Epochs in the text that a training loop prints: a log file, or the saved outputs of a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from in4310.submission.claims import measure, set_of, words
from in4310.submission.histories import history_of_records

LINES = 200_000
# Possessive (`*+`): what they have taken they do not give back, so that no line takes more than linear time.
_EPOCH = re.compile(
    r"\b(?:epochs?|epoke|ep)\b\s*+[:=#]?\s*+\[?\s*+(\d{1,5})\b|^\s*+\[\s*+(\d{1,5})\s*+/\s*+\d{1,5}\s*+\]",
    re.I,
)
# A name of letters, then ':' or '=', then a number; 'Train Loss: 0.93, Val Acc = 81,5 %'.
_FIGURE = re.compile(
    r"([A-Za-zæøåÆØÅ][\w .()/@-]{0,40}+)\s*+[:=]\s*+([+-]?\d{1,12}(?:[.,]\d{1,18})?(?:e[+-]?\d{1,3})?|nan)(?![\w.])",
    re.I,
)
# Within an epoch: a batch, or a progress bar.
_BATCH = re.compile(r"\b(?:batch(?:es)?|iter(?:ation)?|step)\b\s*+[:=#\[]?\s*+\d|\d\s*+%\s*+\||it/s\]", re.I)
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}[A-Za-z]")
_WRAPPED = re.compile(r"\b(?:np\.|numpy\.|torch\.)?(?:float\d\d|tensor|array)\(([^(),]{1,40})[^()]{0,100}\)")
_FULL_BAR = re.compile(r"\b100\s*+%\s*+\|")
_OF_THE_BEST = {"best", "highest", "max", "early"}


def as_history(text: str, name: str) -> dict[str, dict[str, Any]] | None:
    """run -> {'settings', 'epochs'} from printed epochs, as `histories.as_history`; None where no losses are printed.

    A run ends where the epochs start anew. Lines about batches and the best value so far are left aside; an epoch that
    gives the same figure twice is none that we understand, and neither is its log.
    """
    # A bar that is full tells an epoch as it ends, and is drawn again and again. Rows of columns stand below a heading
    # that begins with the epoch; of any other line the figures are those beside their names.
    runs: list[tuple[str, list[dict[str, str]]]] = []
    heading, last = "", None
    columns: list[str] = []
    for line in text.splitlines()[:LINES]:
        line = _plain(line.rpartition("\r")[2][:2000])
        bar = bool(_FULL_BAR.search(line)) and bool(_EPOCH.match(line.lstrip()))
        if _BATCH.search(line) and not bar:
            continue
        cells = _cells(line)
        if len(cells) > 1 and cells[0].lower() in ("epoch", "epoke") and _is_heading(cells):
            columns = cells
            continue
        if columns and len(cells) == len(columns) and cells[0].isdecimal():
            epoch: int | None = int(cells[0][:5])
            figures = [(t, v) for t, v in zip(columns, cells, strict=True) if measure(t)]
        else:
            epoch, figures = _named(line, bar)
        if epoch is not None:
            # Back at its first epoch it is another run, in the middle one that was resumed: there the last counts.
            if last is None or not runs or (epoch < last and epoch <= int(runs[-1][1][0]["epoch"])):
                runs.append((heading or f"{name}-{len(runs) + 1}", []))
            if epoch != last or not runs[-1][1]:
                runs[-1][1].append({"epoch": str(epoch)})
            last = epoch
        elif not figures:
            heading = line.strip()[:60] if re.search(r"[A-Za-z]", line) else heading
            continue
        if not runs or not figures or not any(measure(title) for title, _ in figures):
            continue
        record = runs[-1][1][-1]
        for title, value in figures:
            if record.get(title, value) != value and not bar:
                return None
            record[title] = value
    whole: dict[str, dict[str, Any]] = {}
    for number, (label, records) in enumerate(runs, 1):
        # Epochs without a figure are headings alone, and the last may have been cut off.
        kept = [r for r in records if len(r) > 1]
        titles = dict.fromkeys(t for r in kept for t in r)
        history = history_of_records([{t: r.get(t) for t in titles} for r in kept], label) if kept else None
        for own, run in (history or {}).items():  # several where a figure of each epoch is called its run
            title = own if history and len(history) > 1 else label
            whole[title if title not in whole else f"{title} ({number})"] = run
    return whole or None


def _plain(line: str) -> str:
    """A line without colours, and of np.float64(0.93) and tensor(0.93, device='cuda:0') the number alone."""
    return _WRAPPED.sub(r"\1", _COLOUR.sub("", line))


def _is_heading(cells: list[str]) -> bool:
    """Whether cells name columns of figures, and hold none."""
    return any(map(measure, cells)) and not any(re.search(r"\d|[:=]", cell) for cell in cells)


def _cells(line: str) -> list[str]:
    """The cells of a row that is set out in columns, by lines or by spaces."""
    for mark in "│┃":
        line = line.replace(mark, "|")
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else line.split()


def _named(line: str, bar: bool) -> tuple[int | None, list[tuple[str, str]]]:
    """The epoch that a line names, and its figures by their names."""
    line = line.replace("'", "").replace('"', "")
    found = _EPOCH.search(line)
    if found is None:
        return None, list(_figures(line))
    rest = line[found.end() :]
    if bar:
        rest = re.split(r"it/s|s/it", rest)[-1]
    elif "{" in line[: found.start()]:  # a dict, which may have its epoch last
        rest = f"{line[: found.start()].rpartition('{')[2]}, {rest}"
    return int(found[1] or found[2]), list(_figures(re.sub(r"^\s*/\s*\d+\]?", "", rest)))


def _figures(line: str) -> Iterator[tuple[str, str]]:
    """Named figures of a line; a name without a set that comes again belongs to the set named before it."""
    found = [(m[1].strip(" .-"), m[2]) for m in _FIGURE.finditer(line) if not _OF_THE_BEST & set(words(m[1]))]
    names = [title for title, _ in found]
    spoken = ""
    alone = len(names) > 1 and set_of(names[0]) and not any(set_of(n) for n in names[1:])
    for title, value in found:
        spoken = set_of(title) or spoken
        # 'train Loss: 0.4 Acc: 0.8' is all of train; 'Train Loss: 0.4 Acc: 0.8 | Val Loss: 0.5 Acc: 0.7' says which.
        carried = spoken and not set_of(title) and (alone or names.count(title) > 1)
        yield (f"{spoken} {title}" if carried else title), value
