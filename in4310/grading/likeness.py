"""Hand-ins of a class that are alike, in groups: the same weights, scores or code, with the evidence. Never a verdict.

Rules, so that what is expected of honest work makes nobody alike:
- What many share (more than three students and a tenth of the class) was handed out, or follows from the assignment,
  as the parts of a network that was begun from. A *whole* trained network, or all uncertain rows of a file of scores,
  follow from no assignment: they count however many have them, but for what the whole class has, which is told apart.
- What was handed out counts nowhere; nor do scores of a network that was.
- The same split follows from the same seed and recipe: it is told beside other evidence, and alone makes no pair.
- Tensors that equal the student's own untuned network's, counters, and scores above 0.999 say nothing.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np

from in4310.errors import InputError

MANY, MANY_SHARE = 3, 0.1  # students, and share of the class: what more have is no rare thing
LEAST_SHARE = 0.5  # of tensors or rows: less may follow from a common start, or from chance
CODE_SHARE = 0.6
CODE_TOKENS = 150  # 25-grams of normalised code: fewer are an import block
LEAST = {"tensors": 4, "rows": 20}  # fewer are no network, and no scores of a set
GRAM, WINDOW = 25, 1  # of winnowing; copydetect's own defaults
EXCERPT = 1200  # characters of code shown for a pair
Set = frozenset[Any]  # of hashes


@dataclass(frozen=True)
class Print:
    """What of a hand-in is compared. Hashes only, but for the code.

    tensors: hashes of the trained network's weights; rows: hashes of uncertain rows of scores; split: a hash of the
    test and validation sets, '' where there is none.
    """

    who: str
    tensors: frozenset[str] = frozenset()
    rows: frozenset[str] = frozenset()
    split: str = ""
    code: str = ""


@dataclass(frozen=True)
class Pair:
    """Two hand-ins that are alike. Shares of 1; None where that was not found alike."""

    one: str
    other: str
    tensors: float | None
    rows: float | None
    code: float | None
    same_split: bool
    excerpts: tuple[str, str] = ("", "")

    @property
    def strength(self) -> float:
        """The strongest share; orders pairs."""
        return max(self.tensors or 0.0, self.rows or 0.0, self.code or 0.0)

    @property
    def words(self) -> list[str]:
        """The evidence, a sentence each."""
        found = []
        if self.tensors is not None:
            found.append(f"{self.tensors:.0%} of the trained weights' tensors are equal to the last bit")
        if self.rows is not None:
            found.append(f"{self.rows:.0%} of the uncertain rows of scores are equal to six digits")
        if self.code is not None:
            found.append(f"{self.code:.0%} of the code is the same, names and comments aside")
        if self.same_split:
            found.append("the test and validation sets are the same, which the same seed and recipe give")
        return found


@dataclass(frozen=True)
class Group:
    """Hand-ins that pairs join, directly or through others; two or more."""

    who: tuple[str, ...]
    pairs: tuple[Pair, ...]  # the strongest first

    @property
    def words(self) -> list[str]:
        """The evidence, a sentence each: of a pair its own, of more how many of them it joins."""
        if len(self.pairs) == 1:
            return self.pairs[0].words
        kinds = {
            "tensors": "{} of {} have trained weights in common, to the last bit: {} of the tensors",
            "rows": "{} of {} have uncertain rows of scores in common, to six digits: {} of the rows",
            "code": "{} of {} have code in common, names and comments aside: {} of it",
        }
        found = []
        for kind, sentence in kinds.items():
            pairs = [p for p in self.pairs if getattr(p, kind) is not None]
            if pairs:
                shares = sorted({f"{getattr(p, kind):.0%}" for p in pairs}, key=lambda s: int(s[:-1]))
                joined = {who for p in pairs for who in (p.one, p.other)}
                share = shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}"
                found.append(sentence.format(len(joined), len(self.who), share))
        return found


NOTHING = Print("")


def groups_of(pairs: Sequence[Pair]) -> list[Group]:
    """The pairs by whom they join, the strongest group first, of those alike the largest."""
    leader: dict[str, str] = {}

    def lead(who: str) -> str:
        while leader.setdefault(who, who) != who:
            who = leader[who]
        return who

    for pair in pairs:
        one, other = sorted((lead(pair.one), lead(pair.other)))
        leader[other] = one
    joined: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        joined[lead(pair.one)].append(pair)
    found = [
        Group(tuple(sorted({w for p in own for w in (p.one, p.other)})), tuple(own))
        for own in joined.values()
    ]
    return sorted(found, key=lambda g: (-g.pairs[0].strength, -len(g.who), g.who))


def print_of(
    who: str,
    state: Mapping[str, Any] | None,
    untuned: Mapping[str, Any] | None,
    scores: np.ndarray | None,
    split: Mapping[str, Sequence[str]] | None,
    code: str,
) -> Print:
    """The print of a hand-in from its pieces; None for a piece that it lacks.

    state, untuned: tensors by torchvision's names, float32; scores: N x classes; split: set -> paths.
    """
    before = _tensor_hashes(untuned or {})
    tensors = _tensor_hashes(state or {}) - before
    return Print(who, frozenset(tensors), _row_hashes(scores), _split_hash(split), code)


def _tensor_hashes(state: Mapping[str, Any]) -> set[str]:
    return {
        hashlib.sha256(name.encode() + np.ascontiguousarray(tensor.numpy()).tobytes()).hexdigest()
        for name, tensor in state.items()
        if name.endswith("weight") and tensor.numel() > 1
    }


def _row_hashes(scores: np.ndarray | None) -> frozenset[str]:
    if scores is None or scores.ndim != 2 or not np.issubdtype(scores.dtype, np.number):
        return frozenset()
    rows = np.asarray(scores, dtype=np.float64)
    rows = rows[np.isfinite(rows).all(axis=1)]
    uncertain = rows[np.abs(rows).max(axis=1, initial=0) < 0.999].round(6) + 0.0  # -0 is 0
    return frozenset(hashlib.sha256(row.tobytes()).hexdigest() for row in uncertain)


def _split_hash(split: Mapping[str, Sequence[str]] | None) -> str:
    if not split or not any(split.get(name) for name in ("val", "test")):
        return ""
    text = "\n\n".join(
        "\n".join(sorted("/".join(p.replace("\\", "/").split("/")[-2:]) for p in split.get(name, ())))
        for name in ("val", "test")
    )
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def alike(prints: Sequence[Print], handed_out: Print | str = "", threshold: float = CODE_SHARE) -> list[Pair]:
    """Pairs that are alike, the strongest first; in no way dependent on the order of `prints`.

    handed_out: what the teacher gave, or its code alone: it does not count. Raises InputError where copydetect is not
    installed.
    """
    given = Print("", code=handed_out) if isinstance(handed_out, str) else handed_out
    prints = sorted((_own(p, given) for p in prints), key=lambda p: p.who)
    shares = {
        kind: _shares([getattr(p, kind) for p in prints], LEAST[kind], _of_all(prints, kind))
        for kind in LEAST
    }
    codes = _code_pairs([p.code for p in prints], given.code, threshold)
    found = []
    for i, j in combinations(range(len(prints)), 2):
        same, equal = shares["tensors"](i, j), shares["rows"](i, j)
        code, excerpts = codes.get((i, j), (None, ("", "")))
        if same is None and equal is None and code is None:
            continue
        split = bool(prints[i].split) and prints[i].split == prints[j].split
        found.append(Pair(prints[i].who, prints[j].who, same, equal, code, split, excerpts))
    return sorted(found, key=lambda p: (-p.strength, p.one, p.other))


def common_to_all(prints: Sequence[Print], given: Print = NOTHING) -> list[str]:
    """What a class of more than MANY has in common, all of it, a sentence each: most likely it was handed out."""
    said = {
        "tensors": "all hand-ins have the same trained weights: they make nobody alike, as if handed out",
        "rows": "all hand-ins have the same scores: they make nobody alike, as if handed out",
    }
    own = [_own(p, given) for p in prints]
    return [sentence for kind, sentence in said.items() if _of_all(own, kind)]


def _of_all(prints: Sequence[Print], kind: str) -> bool:
    """Whether more than MANY hand-ins have all tensors, or rows, in common."""
    sets = {getattr(p, kind) for p in prints}
    return len(prints) > MANY and len(sets) == 1 and len(sets.pop()) >= LEAST[kind]


def _own(one: Print, given: Print) -> Print:
    """A print without what was handed out; of a network that was, the scores follow from it."""
    tensors = one.tensors - given.tensors
    follows = len(one.tensors) >= LEAST["tensors"] and not tensors
    return replace(one, tensors=tensors, rows=frozenset() if follows else one.rows - given.rows)


def _shares(sets: Sequence[Set], least: int, of_all: bool) -> Callable[[int, int], float | None]:
    """What two of them share, by index: all, however many others have it, or much of what is rare."""
    rare = _without_common(sets)

    def share(i: int, j: int) -> float | None:
        if sets[i] == sets[j] and len(sets[i]) >= least and not of_all:
            return 1.0
        return _share(rare[i], rare[j], least)

    return share


def _without_common(sets: Sequence[Set]) -> list[Set]:
    """The sets without what more than three and a tenth of the class have."""
    counts = Counter(value for one in sets for value in one)
    many = max(MANY, len(sets) * MANY_SHARE)
    return [frozenset(v for v in one if counts[v] <= many) for one in sets]


def _share(one: Set, other: Set, least: int, least_share: float = LEAST_SHARE) -> float | None:
    """Share of the smaller set that both have; None for small sets, and for a share that says nothing."""
    smaller = min(len(one), len(other))
    share = len(one & other) / smaller if smaller >= least else 0.0
    return share if share >= least_share else None


def _code_pairs(
    codes: Sequence[str], handed_out: str, threshold: float
) -> dict[tuple[int, int], tuple[float, tuple[str, str]]]:
    """Of each pair of indices that is alike: the share of code, and the longest passage as each wrote it."""
    try:
        from copydetect import CodeFingerprint, compare_files
    except ImportError:
        raise InputError("likeness needs copydetect: python -m pip install 'in4310[likeness]'") from None

    def prints(texts: Iterable[str], boilerplate: Any) -> list[Any]:
        return [
            CodeFingerprint("hand-in.py", GRAM, WINDOW, boilerplate, fp=io.StringIO(text)) for text in texts
        ]

    given = prints([handed_out], None)[0].hashes if handed_out else set()
    made = prints(codes, None)
    own = _without_common([frozenset(one.hashes - given) for one in made])
    for one, kept in zip(made, own, strict=True):
        one.hashes = kept
        one.hash_idx = {h: at for h, at in one.hash_idx.items() if h in kept}
    found = {}
    for i, j in combinations(range(len(made)), 2):
        if share := _share(own[i], own[j], CODE_TOKENS, threshold):
            _, _, slices = compare_files(made[i], made[j])
            found[i, j] = (share, (_longest(codes[i], slices[0]), _longest(codes[j], slices[1])))
    return found


def _longest(code: str, slices: np.ndarray) -> str:
    """The longest passage of the code that is alike, cut to what a page can show."""
    if slices.size == 0:
        return ""
    start, end = max(zip(*slices, strict=True), key=lambda ends: ends[1] - ends[0])
    return code[int(start) : int(end)][:EXCERPT]
