"""An edition: what one year's assignment asks, as data that a teacher can edit (TOML)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from in4310.errors import InputError
from in4310.places import DATA_VARIABLE, checks_folder, data_root
from in4310.shown import shown

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    """Base of the edition's tables: an unknown field is an error, so that a typo cannot switch a check off."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataPart(Part):
    """The data set that the edition was written for."""

    classes: list[str] = Field(min_length=2, description="in index order: column j of the scores is class j")
    images: int = Field(
        gt=0, description="images in the full data set; sizes scale with what is really there"
    )
    embedded: bool = Field(False, description="judge on the embedded data unless --data is given")


class SplitPart(Part):
    """Requirement 1a."""

    test: int = Field(gt=0)
    val: int = Field(gt=0)
    size_tolerance: Share = Field(description="share by which a set's size may miss, 'about 3000'")
    class_tolerance: Count = Field(description="images by which a class may miss its proportional quota")


class NetworkPart(Part):
    """Requirement 1d."""

    depths: list[int] = Field(min_length=1, description="ResNet depths allowed")
    start: Literal["imagenet", "scratch", "any"] = Field(description="what training must start from")


class AccuracyPart(Part):
    """The teacher's threshold; the stock editions only warn far below what is usual."""

    expected: Share = Field(description="test accuracy looked for")
    verdict: Literal["warn", "fail"] = "warn"


class TrainingPart(Part):
    """Requirements 1f, 1g and 1j."""

    settings: int = Field(gt=0, description="hyperparameter settings to try, at least")
    memory_gib: float = Field(gt=0, description="peak memory allowed, GiB")
    batch_size: int = Field(64, gt=0, description="images in a batch that the limit is for")
    memory_of: Literal["gpu", "process"] = Field(
        "process", description="what the limit is for; a CPU run's resident set says nothing of GPU memory"
    )
    test_curve: bool = Field(False, description="loss curves must show the test set too")


class AuditPart(Part):
    """How much of a score matrix is computed again (DESIGN, Cost)."""

    rows: Count = Field(
        128, description="random rows computed again; 0: all. 128 right ones: below 2.3 % wrong"
    )


class RehearsalPart(Part):
    """The programs handed in, run in a miniature."""

    seconds: float = Field(60.0, ge=5, le=3600, description="time for all programs of a hand-in together")


class RankingPart(Part):
    """Requirement 1i."""

    classes: int = Field(gt=0, description="classes to rank, at least")
    k: int = Field(gt=0, description="images at the top, and at the bottom, of each class")


class StatisticsPart(Part):
    """Tasks 2 and 3."""

    modules: int = Field(gt=0, description="modules of the network to look into, at least")
    images: int = Field(gt=1, description="images to average over")
    pictures: Count = Field(0, description="images whose feature maps are handed in as one PNG each")
    comparison: list[str] = Field(
        [], description="data sets whose spectra are compared with the course's own"
    )


class Tolerances(Part):
    """How far a figure handed in may lie from the recomputed one. Derivations stand in the edition files."""

    score: float = Field(gt=0, description="largest difference of a softmax score, absolute")
    row_sum: float = Field(gt=0, description="how far a row of scores may miss the sum 1")
    metric: float = Field(gt=0, description="accuracy, AP, mAP; absolute")
    history: float = Field(
        gt=0, description="validation metric of the kept epoch against the weights'; absolute"
    )
    percent: float = Field(gt=0, description="non-positive values, percentage points")
    eigenvalue: float = Field(gt=0, description="relative to the largest eigenvalue of the module")


class RequirementPart(Part):
    """One requirement and the checks that decide it; its points are the sum of theirs."""

    id: str = Field(pattern=r"^[0-9a-z.]{1,8}$")
    title: str = Field(min_length=3)
    text: str = Field(min_length=3)
    points: float = Field(ge=0)
    checks: dict[str, Annotated[float, Field(ge=0)]] = Field(min_length=1, description="check -> points")

    @model_validator(mode="after")
    def _points_add_up(self) -> RequirementPart:
        total = sum(self.checks.values())
        if abs(total - self.points) > 1e-9:
            raise ValueError(f"points = {self.points:g}, but its checks add up to {total:g}")
        return self


class Edition(Part):
    """A whole edition. `load_edition` reads one."""

    name: str
    title: str
    language: str = Field(
        "en",
        pattern=r"^[a-z]{2,3}$",
        description="of its titles and texts; they are shown as they are written",
    )
    data: DataPart
    split: SplitPart
    network: NetworkPart
    accuracy: AccuracyPart
    training: TrainingPart
    ranking: RankingPart
    statistics: StatisticsPart
    tolerances: Tolerances
    audit: AuditPart = AuditPart(rows=128)
    rehearsal: RehearsalPart = RehearsalPart(seconds=60.0)
    trust: dict[str, Share] = Field(
        {},
        description="check -> share of what nobody saw that is paid on trust; else it is the teacher's to give",
    )
    requirements: list[RequirementPart] = Field(min_length=1, alias="requirement")

    @model_validator(mode="after")
    def _nothing_twice(self) -> Edition:
        seen: set[str] = set()
        for requirement in self.requirements:
            for key in (requirement.id, *requirement.checks):
                if key in seen:
                    raise ValueError(f"{key!r} stands twice among the requirements and their checks")
                seen.add(key)
        if unknown := [name for name in self.trust if name not in self.points_of]:
            raise ValueError(f"trust: {unknown[0]!r} is none of its checks")
        if self.split.test + self.split.val >= self.data.images:
            raise ValueError(
                f"split: {self.split.test} test and {self.split.val} validation images leave none of "
                f"{self.data.images} for training"
            )
        return self

    @property
    def points_of(self) -> dict[str, float]:
        """Points of every check."""
        return {check: points for r in self.requirements for check, points in r.checks.items()}

    def sizes(self, images: int) -> dict[str, int]:
        """Set sizes asked of a data set of that many images, in proportion to the edition's own."""
        scale = images / self.data.images
        return {"val": round(self.split.val * scale), "test": round(self.split.test * scale)}

    def data_folder(self, data: str | Path | None = None) -> Path | None:
        """The data's root: of --data, else of IN4310_DATA; None where the embedded data is taken.

        Raises InputError where it is not there, holds no class folder, or must be given and is not.
        """
        given = given_data(self, data)
        if given:
            return data_root(given, self.data.classes)
        if self.data.embedded:
            return None
        raise InputError(
            f"edition {self.name} needs the course's photographs: give --data PATH or set {DATA_VARIABLE} "
            "(a folder of class folders)"
        )


def given_data(edition: Edition, data: str | Path | None) -> str:
    """The path that was asked for: --data, else IN4310_DATA; empty where the edition's embedded data is taken."""
    return str(data or "") or ("" if edition.data.embedded else os.environ.get(DATA_VARIABLE, ""))


def stock_editions() -> list[str]:
    """Names of the editions that come with the package."""
    folder = resources.files("in4310.judging") / "editions"
    return sorted(Path(f.name).stem for f in folder.iterdir() if f.name.endswith(".toml"))


def load_edition(name: str) -> Edition:
    """Load a stock edition by name, or a teacher's own by the path of its TOML file.

    An edition that `extends` another, a stock one or a file beside it, says what differs: fields of tables, fields of
    requirements by their id, new requirements, and the ids of those that it does `without`.
    Raises InputError (one line) for an unknown name, broken TOML, a wrong or unknown field, editions in a circle.
    """
    return _load(name, ())[0]


def edition_files(name: str) -> list[Path]:
    """The files of a teacher's own edition, its own first, then those that it extends; [] for a stock edition."""
    return _load(name, ())[2]


def _load(name: str, above: tuple[str, ...]) -> tuple[Edition, dict[str, Any], list[Path]]:
    """An edition, its tables with those of the one that it extends, its files. `above`: editions that extend it."""
    where, file = _place(name)
    if where in above:
        raise InputError(f"{where} comes round in a circle; one of these editions must stand alone")
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{where}: not valid TOML: {error}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise InputError(
            f"{where}: edition file cannot be read ({reason}); give an existing TOML file"
        ) from None
    files = [file] if isinstance(file, Path) and name.endswith(".toml") else []
    try:
        if (base := tables.pop("extends", None)) is not None:
            under, more = _base(base, name, (*above, where))
            tables, files = _extended(under, tables), files + more
        edition = Edition.model_validate(tables)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None
    except ValidationError as error:
        others = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise InputError(f"{where}: {_first_mistake(error, tables)}{others}") from None
    known = known_checks()
    if unknown := sorted(set(edition.points_of) - known):
        raise InputError(f"{where}: check {unknown[0]!r} does not exist; {_nearest(unknown[0], known)}")
    return edition, tables, files


def _place(name: str) -> tuple[str, Traversable]:
    """Where an edition stands: in words, and the file."""
    if name.endswith(".toml"):
        return shown(name, 200), Path(name)
    if name not in (known := stock_editions()):
        raise InputError(
            f"edition {shown(name)!r} is unknown; expected one of {', '.join(known)}, or the path of a .toml file"
        )
    return f"editions/{name}.toml", resources.files("in4310.judging") / "editions" / f"{name}.toml"


def _base(base: object, name: str, above: tuple[str, ...]) -> tuple[dict[str, Any], list[Path]]:
    """Tables and files of the edition that edition `name` extends."""
    if not isinstance(base, str) or base != Path(base).name:
        raise InputError(f"extends: expected a stock edition or a .toml file beside this one, found {base!r}")
    try:
        return _load(str(Path(name).with_name(base)) if base.endswith(".toml") else base, above)[1:]
    except InputError as error:
        raise InputError(f"extends: {error}") from None


def _extended(under: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """`own` over the valid edition `under`. Name and title are each edition's own; lists and checks are given whole.

    A new requirement stands before the first one with a greater id (1b < 1d < 2a < 10a).
    """
    without, changes = own.pop("without", []), own.pop("requirement", [])
    tables = {key: value for key, value in under.items() if key not in ("name", "title")}
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(tables.get(key), dict)
        tables[key] = {**tables[key], **value} if both else value
    ids = [r["id"] for r in under["requirement"]]
    if not isinstance(without, list) or any(id not in ids for id in without):
        raise InputError(f"without: expected a list of ids among {', '.join(ids)}; found {without!r}")
    kept = [r for r in under["requirement"] if r["id"] not in without]
    asked = _changed(kept, changes)
    if "trust" in under:  # of checks that are not asked for here there is nothing to trust
        named = {name for r in asked if isinstance(r.get("checks"), dict) for name in r["checks"]}
        kept_trust = {name: share for name, share in under["trust"].items() if name in named}
        stated = own.get("trust", {})  # a wrong one is left for the model to refuse
        tables["trust"] = {**kept_trust, **stated} if isinstance(stated, dict) else stated
    return {**tables, "requirement": asked}


def _changed(requirements: list[dict[str, Any]], changes: object) -> list[dict[str, Any]]:
    """Requirements with what an edition changes of them by their id; a new one stands before the first greater id."""
    merged = list(requirements)
    if not isinstance(changes, list) or not all(
        isinstance(r, dict) and isinstance(r.get("id"), str) for r in changes
    ):
        raise InputError("requirement: each needs an id, that of a requirement to change or a new one")
    for n, change in enumerate(changes):
        id = change["id"]
        if any(id == other["id"] for other in changes[:n]):
            raise InputError(f"requirement: {id!r} stands twice")
        ids = [r["id"] for r in merged]
        if id in ids:
            merged[ids.index(id)] = {**merged[ids.index(id)], **change}
        else:
            after = (i for i, other in enumerate(ids) if _order(other) > _order(id))
            merged.insert(next(after, len(ids)), change)
    return merged


def _order(id: object) -> str:
    """By which ids are sorted: numbers in them by their value."""
    return re.sub(r"\d+", lambda number: number[0].zfill(8), str(id))


def _first_mistake(error: ValidationError, tables: dict[str, Any]) -> str:
    """The place and what is wrong there; an unknown field first, for a missing one is often that one, misspelt."""
    first = min(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
    loc = list(first["loc"])
    if len(loc) > 2 and loc[0] == "requirement":  # by its id: its number in a merged list tells nobody
        loc[1] = tables["requirement"][loc[1]].get("id", loc[1])
    place = ".".join(map(str, loc))
    said = shown(place, 80) + ": " if place else ""
    if first["type"] == "extra_forbidden":
        return f"{said}unknown field; {_nearest(str(first['loc'][-1]), _fields(first['loc'][:-1]))}"
    if first["type"] == "missing":
        return f"{said}is missing; the stock editions have it"
    if first["type"] == "value_error":
        return said + first["msg"].removeprefix("Value error, ")
    return f"{said}{first['msg'].replace('Input should', 'should')}, found {shown(repr(first['input']), 60)}"


def _fields(place: Iterable[int | str]) -> list[str]:
    """Names of the fields of the table at a place of the file: ('requirement', 0) is the first requirement."""
    table: Any = Edition
    for part in place:
        if isinstance(part, str):
            table = next(f.annotation for n, f in table.model_fields.items() if part in (n, f.alias))
        else:
            (table,) = get_args(table)
    names = [field.alias or name for name, field in table.model_fields.items()]
    return [*names, "extends", "without"] if table is Edition else names


def _nearest(name: str, known: Iterable[str]) -> str:
    """What was meant, most likely; where nothing is like it, all that there is."""
    as_written = {one.lower(): one for one in known}
    for near in get_close_matches(name.lower(), as_written, n=1):
        return f"did you mean {as_written[near]!r}?"
    return f"expected one of {', '.join(sorted(as_written))}"


@cache
def known_checks() -> frozenset[str]:
    """Names of all executable checks, found by reading (not importing) their files."""
    import ast

    files = [ast.parse(file.read_text(encoding="utf-8")) for file in checks_folder().glob("test_*.py")]
    names = {node.name for file in files for node in file.body if isinstance(node, ast.FunctionDef)}
    return frozenset(name.removeprefix("test_") for name in names if name.startswith("test_"))
