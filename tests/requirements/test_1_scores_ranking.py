"""Requirement 1i: the ranked images."""

from contextlib import suppress
from itertools import product

import numpy as np
import pytest

from in4310.judging import basis, digits, exhibits, mistakes, ranked_pictures
from in4310.judging.asked import check_rank
from in4310.judging.mistakes.budget import Budget
from in4310.judging.mistakes.search import seen
from in4310.submission.formats import finite, last_two_parts
from in4310.submission.pieces import Missing, Unreadable


def _entries(evidence, c, side):
    """Paths of one side of a class's ranking, also where they are rows of the test set, none where it is not there."""
    table = ranked_pictures.handed_in(evidence).get(c)
    entries = table.get(side, []) if isinstance(table, dict) else None
    if not isinstance(entries, list):
        raise Unreadable("ranking", f"ranking of {c!r} has no list {side!r}")
    found = []
    for entry in entries:
        path = entry[0] if isinstance(entry, list) and entry else entry
        if type(path) is int and 0 <= path < len(evidence.split["test"]):
            path = evidence.split["test"][path]
        if not isinstance(path, str):
            raise Unreadable(
                "ranking", f"ranking of {c!r}: an entry of {side!r} is neither a path nor [path, score]"
            )
        found.append(last_two_parts(path))
    return found


@pytest.mark.in4310_requirement("1i")
def test_ranking_complete(evidence, edition, judge):
    """Number of classes and images ranked"""
    ranking = ranked_pictures.handed_in(evidence)
    ranked = [c for c in evidence.classes if c in ranking]
    judge.expect(
        len(ranked) >= edition.ranking.classes,
        "classes ranked",
        f"{len(ranked)} ({', '.join(ranked)})",
        f"at least {edition.ranking.classes}",
    )
    for c in ranked:
        for side in ("top", "bottom"):
            count, asked = len(set(_entries(evidence, c, side))), edition.ranking.k
            judge.expect(count >= asked, f"different images at the {side} of {c}", count, f"at least {asked}")
    basis.rests(evidence, judge)
    if live := evidence.runs("rank"):
        check_rank(live, judge)


@pytest.mark.in4310_requirement("1i")
def test_ranking_from_test_set(evidence, judge):
    """Which set the ranked images are from"""
    test = {*evidence.split["test"], *evidence.listed["test"]}
    ranked = [(c, p) for c in evidence.classes if c in ranked_pictures.handed_in(evidence)
              for side in ("top", "bottom") for p in _entries(evidence, c, side)]  # fmt: skip
    if not ranked:
        raise Missing("ranking", "the ranking holds none of the classes")
    unused = set(evidence.data.labels).difference(*evidence.listed.values())
    untold = sorted({p for _, p in ranked if p in unused})
    if 0 < len(untold) <= evidence.unknown("test"):  # perhaps those that the split has under names of its own
        judge.leave("ranked images that the split does not have", len(untold), 0, details=untold)
        test.update(untold)
    foreign = [p for _, p in ranked if p not in test]
    elsewhere = {n for n in ("train", "val") for _, p in ranked if p in set(evidence.split[n])}
    basis.rests(evidence, judge)
    judge.expect(
        not foreign,
        "ranked images that are not in the test set",
        f"{len(foreign)} of {len(ranked)}",
        0,
        details=foreign,
        mistake=seen("form: ranked images", elsewhere),
    )


IN_ORDER = "in order"
BACKWARDS = "the right images, in the opposite order"
WITHIN = "the order holds among the images of this class only"


def _ranked(scores, top):
    return np.sort(scores)[::-1] if top else np.sort(scores)


def _order(values, own, inside, top, whole, same):
    """How the images of a side are ordered, '' for a wrong way; `whole`: all that are listed are of the test set.

    values: their scores; own: the class's scores of all images; inside: of the images of the class.
    """

    def are(order):
        return 0 < len(values) <= len(order) and np.allclose(values, order[: len(values)], rtol=0, atol=same)

    right = _ranked(own, top)
    if whole and are(right):
        return IN_ORDER
    if whole and are(right[: len(values)][::-1]):
        return BACKWARDS
    return WITHIN if are(_ranked(inside, top)) else ""


def _compare_beside(evidence, edition, judge, c, side, scores):
    """Scores written beside the images of a side, where there are any, against ours and against those handed in."""
    ranking, row_of = (
        ranked_pictures.handed_in(evidence),
        {p: i for i, p in enumerate(evidence.known("test"))},
    )
    beside = {}
    for path, entry in zip(_entries(evidence, c, side), ranking[c].get(side, []), strict=True):
        row = row_of.get(evidence.meant.get(path, path))
        value = finite(entry[1]) if isinstance(entry, list) and len(entry) > 1 else None
        if row is not None and value is not None:
            beside[row] = value
    column, claimed = evidence.classes.index(c), np.array(list(beside.values()))
    if not len(claimed):
        return
    sources = [scores]
    with suppress(Missing):
        sources.append(evidence.handed_in("test"))
    right = [source[list(beside), column] for source in sources]
    tolerance = max(edition.tolerances.score, digits.room(claimed))
    off = min(np.abs(np.where(claimed > 1 + tolerance, claimed / 100, claimed) - r).max() for r in right)
    if not off <= tolerance:
        judge.expect(
            False,
            f"scores beside the {side} of {c}",
            f"{claimed[0]:.4g} and {len(claimed) - 1} more, off by up to {off:.4f}",
            f"{right[0][0]:.4f}, the softmax scores of the class",
            tolerance=f"{tolerance:g}",
            mend="write the score that the image was chosen by",
        )


def _cover_ranking(edition, judge, handed):
    """Record how much of the ranking asked for is there; how many of a side is for another check: half show its order."""
    asked = 2 * edition.ranking.classes
    shares = [
        min(1.0, 2 * len(set(paths)) / edition.ranking.k)
        for table in handed.values()
        for paths in table.values()
    ]
    judge.cover(
        sum(sorted(shares, reverse=True)[:asked]) / asked,
        "rankings that show an order",
        f"{sum(share == 1 for share in shares)}, of at least {edition.ranking.k / 2:g} images",
        f"{asked}: top and bottom of {edition.ranking.classes} classes",
    )


@pytest.mark.in4310_requirement("1i", partial=True, follows="scores_reproduce")
def test_ranking_order(evidence, edition, judge):
    """Choice and order of the top and bottom images"""
    handed = {
        c: {
            side: [evidence.meant.get(p, p) for p in _entries(evidence, c, side)]
            for side in ("top", "bottom")
        }
        for c in evidence.classes
        if c in ranked_pictures.handed_in(evidence)
    }
    try:
        scores = evidence.judged_by("test")
    except Missing:
        exhibits.rankings(judge, evidence, handed, None, {}, edition.ranking.k)
        raise
    paths, proved = list(evidence.known("test")), evidence.proved("test")
    if not proved:
        judge.rest("stated only")
    row_of = {p: i for i, p in enumerate(paths)}
    # Two scores nearer than a float32 sum of six rounds to are the same; their order is free.
    same = 1e-6 if not proved or evidence.reproduces("test") else edition.tolerances.score
    if not any(side for table in handed.values() for side in table.values()):
        raise Missing("ranking", "the ranking holds none of the classes")
    _cover_ranking(edition, judge, handed)

    def told(of, c, side, same=same):
        """How a side is ordered by scores, and by how much it is off."""
        own, entries = of[:, evidence.classes.index(c)], handed[c][side]
        listed = [own[row_of[p]] for p in entries if p in row_of]
        values, whole = np.array(listed), len(listed) == len(entries)
        inside = own[[evidence.data.labels.get(p) == c for p in paths]]
        right = _ranked(own, side == "top")[: len(values)]
        off = (
            np.abs(values[: len(right)] - right).max() if listed else 1.0
        )  # more may be listed than there are
        return _order(values, own, inside, side == "top", whole, same), off

    sides = list(product(handed, ("top", "bottom")))
    tolerance, why = f"{same:g} between neighbours", ""
    if any(not told(scores, *side)[0] for side in sides) and basis.refuted(evidence, "test"):
        theirs = evidence.handed_in("test")
        if all(told(theirs, *side, same=1e-6)[0] for side in sides):
            if basis.explained(evidence, "test"):
                scores, same, why = theirs, 1e-6, f"; it {basis.FOLLOWS}"
                judge.rest("proved by another piece")
            else:
                why = f"; it {basis.REFUTED}"
    wrong = {}
    for c, side in product(handed, ("top", "bottom")):
        entries, (order, off) = handed[c][side], told(scores, c, side, same)
        wanted = f"the {edition.ranking.k} {'highest' if side == 'top' else 'lowest'} scores of {c}"
        if order == WITHIN:  # a common reading of what is asked for
            judge.leave(f"{side} of {c}", order, f"{wanted} over the whole test set")
            continue
        if order and not proved:
            judge.leave(f"{side} of {c}", order, wanted, tolerance=f"{tolerance}; it {basis.STATED}")
            continue
        good = judge.expect(
            order in (IN_ORDER, BACKWARDS),
            f"{side} of {c}",
            order or f"scores differ from the right ones by up to {off:.4f}",
            wanted,
            tolerance=tolerance + why,
            mend=f"sort the column of {c} over the whole test set",
        )
        if good and order == BACKWARDS and side == "top":  # a bottom is read from either end
            judge.expect(
                False,
                f"order of the top of {c}",
                "upwards: the highest score stands last",
                "the highest score first",
                mend="turn the list round: argsort sorts upwards, [::-1] puts the highest score first",
            )
        if not good:
            wrong.setdefault(c, {})[side] = entries
        else:
            _compare_beside(evidence, edition, judge, c, side, scores)
    boards = mistakes.rankings.boards(evidence, scores, wrong)
    judge.blame(mistakes.rankings.diagnose(boards, wrong, same, Budget.of(evidence)))
    exhibits.rankings(judge, evidence, handed, scores, wrong, edition.ranking.k, same)
