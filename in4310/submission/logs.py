"""Epochs in the text that a training loop prints: a log file, or the saved outputs of a notebook."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from in4310.submission.claims import measure, set_of, words
from in4310.submission.histories import history_of_records
from in4310.submission.run_headings import heading_of, stated, told_apart
from in4310.submission.tables import WRAPPED, number

LINES = 200_000
ABOVE = 40  # lines above the epochs of a run, in which its heading stands
# Possessive (`*+`): what they have taken they do not give back, so that no line takes more than linear time.
EPOCH = re.compile(
    r"\b(?:epochs?|epoke|ep|e)\b\s*+[:=#]?\s*+[\[(]?\s*+(\d{1,5})\b|\bepoch(\d{1,5})\b"
    r"|^\s*+(?:[\[(]\s*+|e(?=\d))(\d{1,5})\s*+/\s*+\d{1,5}\b",
    re.I,
)
# A name of letters, then ':' or '=', then a number; 'Train Loss: 0.93, Val Acc = 81,5 %'.
_FIGURE = re.compile(
    r"([A-Za-zæøåÆØÅ][\w .()/@-]{0,40}+)\s*+[:=]\s*+([+-]?\d{1,12}(?:[.,]\d{1,18})?(?:e[+-]?\d{1,3})?|nan)(?![\w.])",
    re.I,
)
# Within an epoch: a batch, or a bar, '50%|#####     | 26/53' or Keras' ' 7/14 [===>..]', and no '81.5% | val loss'.
BATCH = re.compile(
    r"\b(?:batch(?:es)?|iter(?:ation)?|step)\b\s*+[:=#\[]?\s*+\d|\d%\|[^|]{0,99}\|\s*+\d{1,9}/|it/s\]"
    r"|\|\s{0,3}\d{1,3}(?:\.\d{1,6})?\s?%\s{0,3}\|"
    r"|^\s*+(\d{1,9})/(?!\1\b)\d{1,9}\s\[?[=>.━╸]{3,99}",
    re.I,
)
_BAR = re.compile(r"\d%\|[^|]{0,99}\|\s*+\d{1,9}/|it/s")
_HOW_MANY = re.compile(r"\bepochs\s*+[:=]\s*+\d{1,5}\b(?!\s*+/)", re.I)  # a setting
_COLOUR = re.compile(r"\x1b\[[\d;]{0,20}[A-Za-z]")
_SPACE = re.compile(r"(?<!\\)\\[,;: !]|~")
_MARKUP = re.compile(
    r"\\(?:texttt|textbf|textit|emph|verb|mathrm|mathbf)\b|\\\\|"
    r"\\(?:hline|midrule|toprule|bottomrule|cline|cmidrule|addlinespace)\b(?:\([lr]{1,2}\))?(?:\{[\d-]{1,9}\})?"
)
_FULL_BAR = re.compile(r"\b100\s*+%\s*+\|")
_OF_THE_BEST = {"best", "highest", "max", "early"}


def as_history(text: str, name: str) -> dict[str, dict[str, Any]] | None:
    """run -> {'settings', 'epochs'} from printed epochs, as `histories.as_history`; None where no losses are printed.

    A run ends where the epochs start anew. Lines about batches and the best value so far are left aside; an epoch that
    gives the same figure twice is none that we understand, and neither is its log.
    """
    # A bar that is full tells an epoch as it ends, and is drawn again and again. Rows of columns stand below a heading
    # that begins with the epoch; of any other line the figures are those beside their names.
    runs: list[_Run] = []
    above: deque[str] = deque(maxlen=ABOVE)  # lines since the last epoch
    last: int | None = None
    columns: list[str] = []
    for line in text.splitlines()[:LINES]:
        line = plain_line(line[:2000])
        bar = bool(_FULL_BAR.search(line)) and bool(EPOCH.match(line.lstrip()))
        if (BATCH.search(line) and not bar) or (_HOW_MANY.search(line) and not measure(line)):
            if stated(line) and not _BAR.search(line):
                above.append(line)
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
        measured = any(measure(title) for title, _ in figures)
        if runs and epoch and last and epoch < last and not measured and _of_the_best(line):
            runs[-1].over, epoch = True, None
        if epoch is not None:
            # Back at its first epoch it is another run, in the middle one that was resumed: there the last counts.
            if last is None or not runs or (epoch < last and epoch <= int(runs[-1].records[0]["epoch"])):
                runs.append(_Run(*heading_of(above)))
            if epoch != last or not runs[-1].records:
                runs[-1].records.append({"epoch": str(epoch)})
                runs[-1].over = False
            last = epoch
            above.clear()
        elif not measured:
            above.append(line)
        if (
            runs
            and measured
            and not (runs[-1].over and epoch is None)
            and not runs[-1].take(figures, bar, epoch)
        ):
            return None
    whole: dict[str, dict[str, Any]] = {}
    said: dict[str, tuple[str, dict[str, str]]] = {}
    for which, run in enumerate(runs, 1):
        label = run.heading or (f"{name}-{which}" if len(runs) > 1 else name)
        kept = run.epochs()
        titles = dict.fromkeys(t for r in kept for t in r)
        history = history_of_records([{t: r.get(t) for t in titles} for r in kept], label) if kept else None
        for own, found in (history or {}).items():  # several where a figure of each epoch is called its run
            title = own if history and len(history) > 1 else label
            title = title if title not in whole else f"{title} ({which})"
            whole[title] = found
            if set(found["settings"]) == {"run"}:
                said[title] = run.heading, run.settings
    for title, settings in told_apart(said).items():
        whole[title]["settings"] = settings
    return whole or None


@dataclass
class _Run:
    """Epochs as they are printed, below a heading; `over`: the line was about what comes after the last of them."""

    heading: str
    settings: dict[str, str]
    records: list[dict[str, str]] = field(default_factory=list)
    over: bool = False

    def take(self, figures: Iterable[tuple[str, str]], bar: bool, epoch: int | None) -> bool:
        """Figures of the latest epoch; False where one is given twice, which is no log of epochs that we understand."""
        record = self.records[-1]
        for title, value in figures:
            if record.get(title, value) != value and not bar:
                # All that an epoch has was there already: an evaluation after the training, say.
                self.over = (
                    epoch is None and len(self.records) > 1 and self.records[-2].keys() <= record.keys()
                )
                return self.over
            record[title] = value
        return True

    def epochs(self) -> list[dict[str, str]]:
        """Records with figures, without those of the last that no other has: they were printed below the epochs."""
        # Epochs without a figure are headings alone, and the last may have been cut off.
        kept = [record for record in self.records if len(record) > 1]
        if len(kept) > 1:
            usual = {title for record in kept[:-1] for title in record}
            kept[-1] = {title: value for title, value in kept[-1].items() if title in usual}
        return kept


def plain_line(line: str) -> str:
    """A line without colours, and of np.float64(0.93) and tensor(0.93, device='cuda:0') the number alone."""
    return WRAPPED.sub(r"\1", _COLOUR.sub("", line))


def unset_line(line: str) -> str:
    """As `plain_line`, and of a report's source: signs for what LaTeX escapes, plain bars for drawn ones."""
    line = line.replace("\u2502", "|").replace("\u2503", "|")
    if "\\" in line:
        line = _SPACE.sub(" ", line.replace("\\%", "%").replace("\\_", "_").replace("\\pm", "±"))
        line = _MARKUP.sub(" ", line)
    return plain_line(line)


def _is_heading(cells: list[str]) -> bool:
    """Whether cells name columns of figures, and hold none."""
    return any(map(measure, cells)) and not any(re.search(r"\d|[:=]", cell) for cell in cells)


def _cells(line: str) -> list[str]:
    """The cells of a row that is set out in columns, by lines or by spaces."""
    for mark in "│┃":
        line = line.replace(mark, "|")
    return [cell.strip() for cell in line.strip().strip("|").split("|")] if "|" in line else line.split()


def _of_the_best(line: str) -> bool:
    """Whether a line tells which epoch was the best, 'Testing the best model (epoch 20)', and begins none."""
    return bool(_OF_THE_BEST & set(words(line))) and not EPOCH.match(line.lstrip())


def _named(line: str, bar: bool) -> tuple[int | None, list[tuple[str, str]]]:
    """The epoch that a line names, and its figures by their names."""
    line = line.replace("'", "").replace('"', "")
    found = EPOCH.search(line)
    if found is None:
        return None, list(_figures(line))
    rest = line[found.end() :]
    if bar:
        rest = re.split(r"it/s|s/it", rest)[-1]
    elif "{" in line[: found.start()]:  # a dict, which may have its epoch last
        rest = f"{line[: found.start()].rpartition('{')[2]}, {rest}"
    return int(found[1] or found[2] or found[3]), list(_figures(re.sub(r"^\s*/\s*\d+\]?", "", rest)))


def _behind_names(line: str) -> Iterator[tuple[str, str]]:
    """'train loss 0.93 acc 81.2% | val loss 1.1': words, and the figure behind them."""
    name: list[str] = []
    for part in re.sub(r"[|;(){}]|,(?!\d)", " | ", line).split():
        if part == "|":
            name = []
        elif name and number(part) is not None:
            yield " ".join(name), part
            name = []
        else:
            name.append(part)


def _figures(line: str) -> Iterator[tuple[str, str]]:
    """Named figures of a line; a name without a set that comes again belongs to the set named before it."""
    found = [(m[1].strip(" .-"), m[2]) for m in _FIGURE.finditer(line)]
    if not any(measure(title) for title, _ in found):
        found = list(_behind_names(line))
    found = [(title, value) for title, value in found if not _OF_THE_BEST & set(words(title))]
    names = [title for title, _ in found]
    spoken = ""
    alone = len(names) > 1 and set_of(names[0]) and not any(set_of(n) for n in names[1:])
    for title, value in found:
        spoken = set_of(title) or spoken
        # 'train Loss: 0.4 Acc: 0.8' is all of train; 'Train Loss: 0.4 Acc: 0.8 | Val Loss: 0.5 Acc: 0.7' says which.
        carried = spoken and not set_of(title) and (alone or names.count(title) > 1)
        yield (f"{spoken} {title}" if carried else title), value
