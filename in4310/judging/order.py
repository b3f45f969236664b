"""What a judge is asked for: one order, from the door that takes it to the record that keeps it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from in4310.errors import InputError
from in4310.places import placeless
from in4310.shown import shown


@dataclass(frozen=True)
class Order:
    """Judge this, by that. In plain values that travel to any process; '' where nothing was said.

    submission: the path as it was given; edition: a stock one's name, or the path of a TOML file; report: the folder
    that it is written into; data: the folder of class folders; full: recompute all scores; trusted: call the
    submission's functions also where nothing can be confined; rehearsal: run its programs, too;
    language: of the report; handed_out: the report is for others, and says no path of this machine;
    whose: whom it is of, in place of the name that the submission gives itself.
    """

    submission: str
    edition: str = ""
    report: str = ""
    data: str = ""
    full: bool = False
    trusted: bool = False
    rehearsal: bool = True
    language: str = ""
    handed_out: bool = False
    whose: str = ""

    def __post_init__(self) -> None:
        for name in ("submission", "edition", "report", "data", "language"):  # doors give a Path, or None
            object.__setattr__(self, name, str(getattr(self, name) or ""))

    def absolute(self) -> Self:
        """The same, in paths that hold in any process."""
        names = ["submission", "report", "data", *(["edition"] if self.edition.endswith(".toml") else [])]
        far: dict[str, Any] = {
            name: str(Path(path).resolve()) for name in names if (path := getattr(self, name))
        }
        return replace(self, **far)

    def placeless(self, text: str) -> str:
        """A text of the report without paths of this machine; who judges their own work sees those that they gave."""
        given = (self.submission, self.report, self.data, self.edition) if self.handed_out else ()
        return placeless(text, *given)


def by_edition(order: Order, stated: str) -> tuple[Order, str]:
    """The order with the edition asked for, else `stated` in submission.toml, else demo; and what to say of it.

    Raises InputError for a stated one that is not ours: a submission does not bring the rules that it is judged by.
    """
    from in4310.judging.edition import stock_editions

    if order.edition:
        differs = stated and Path(stated).stem != Path(order.edition).stem
        said = f"submission.toml states the edition {shown(stated, 80)}; it was judged by {order.edition} (--edition)"
        return order, said if differs else ""
    if not stated:
        return replace(order, edition="demo"), ""
    if stated not in stock_editions():
        known = ", ".join(stock_editions())
        raise InputError(
            f"submission.toml: edition {shown(stated, 80)!r} is none of {known}; --edition counts more"
        )
    said = f"judged by the edition {stated}, which submission.toml states; --edition takes another"
    return replace(order, edition=stated), said
