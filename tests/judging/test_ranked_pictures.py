"""Copies of photographs in folders that say class, side and place are the ranking, however they lie and are encoded."""

import json
import shutil

import pytest
from PIL import Image

from in4310.judging.evidence import Evidence
from in4310.judging.ranked_pictures import handed_in
from in4310.submission.folder import Submission
from in4310.submission.pieces import Missing

LAYOUTS = {
    "side, class, number": "{side}10/{name}/{place}.jpg",
    "class, side and number": "ranked images/{name}/{side}_{place:02}.jpg",
    "all in the name": "plots/{side}-{name}-{place}.jpg",
    "Norwegian": "bilder/{norsk}/{name}/nr{place}.jpg",
    "best and worst": "{name}/{best}/img{place}.jpg",
}
WORDS = {"top": ("topp", "best"), "bottom": ("bunn", "worst")}


@pytest.fixture
def copied(folder, edition, data):
    """The reference with copies of the images that it ranks in place of its record: evidence, and the ranking."""

    def made(layout, save=None):
        ranking = {c: {s: [p for p, _ in side] for s, side in sides.items()}
                   for c, sides in json.loads((folder / "ranking.json").read_text()).items()}  # fmt: skip
        (folder / "ranking.json").unlink()
        (folder / "submission.toml").unlink()
        for name, sides in ranking.items():
            for side, place, path in [
                (s, i, p) for s, paths in sides.items() for i, p in enumerate(paths, 1)
            ]:
                norsk, best = WORDS[side]
                said = {"name": name, "side": side, "place": place, "norsk": norsk, "best": best}
                target = folder / LAYOUTS[layout].format(**said)
                target.parent.mkdir(parents=True, exist_ok=True)
                save(data.root / path, target) if save else shutil.copy(data.root / path, target)
        return Evidence(Submission(folder), data, edition), ranking

    return made


def twice_as_large(source, target):
    with Image.open(source) as picture:
        picture.resize((2 * picture.width, 2 * picture.height)).save(target, quality=80)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_copies_are_the_ranking(copied, layout):
    evidence, ranking = copied(layout)
    assert handed_in(evidence) == ranking


def test_copies_that_were_encoded_again_are_the_ranking(copied):
    evidence, ranking = copied("side, class, number", twice_as_large)
    assert handed_in(evidence) == ranking


@pytest.mark.parametrize("check", ["ranking_complete", "ranking_from_test_set", "ranking_order"])
def test_they_are_judged_as_one(copied, run_check, check):
    evidence, _ = copied("side, class, number")
    assert run_check(check, evidence).outcome.value in ("passed", "warned")


def test_a_record_comes_first_and_other_pictures_are_none(folder, edition, data):
    stated = json.loads((folder / "ranking.json").read_text())
    (folder / "top10" / "sea").mkdir(parents=True)
    Image.new("RGB", (64, 64), (9, 90, 200)).save(folder / "top10" / "sea" / "1.jpg")
    evidence = Evidence(Submission(folder), data, edition)
    assert handed_in(evidence) == evidence.submission.ranking
    assert handed_in(evidence).keys() == stated.keys()
    (folder / "ranking.json").unlink()
    with pytest.raises(Missing):
        handed_in(Evidence(Submission(folder), data, edition))
