"""Hand-ins that are alike are found with their evidence; what honest work has in common makes no pair."""

import html
import shutil
import zipfile

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.cli import cli
from in4310.grading.likeness import Pair, Print, alike, common_to_all, groups_of, print_of
from in4310.grading.likeness_page import likeness_page

pytest.importorskip("copydetect", reason="needs copydetect: pip install 'in4310[likeness]'")

OWN = """
def load(path, size):
    images = []
    for name in sorted(os.listdir(path)):
        picture = Image.open(os.path.join(path, name)).convert("RGB")
        if min(picture.size) < size:
            raise ValueError("too small: " + name)
        images.append(np.asarray(picture.resize((size, size))) / 255.0)
    return np.stack(images)


def train(model, loader, epochs, rate):
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9)
    best, kept = -1.0, None
    for epoch in range(epochs):
        model.train()
        for x, y in loader["train"]:
            optimiser.zero_grad()
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimiser.step()
        score = validate(model, loader["val"])
        if score > best:
            best, kept = score, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model, best
"""
OTHER = """
class Pictures(torch.utils.data.Dataset):
    def __init__(self, frame, transform=None):
        self.frame, self.transform = frame.reset_index(), transform

    def __len__(self):
        return len(self.frame)

    def __getitem__(self, i):
        row = self.frame.iloc[i]
        x = torchvision.io.read_image(row["file"])
        return (self.transform(x) if self.transform else x), CLASSES.index(row["label"])


def evaluate(net, data):
    net.eval()
    outputs, truths = [], []
    with torch.no_grad():
        for x, y in data:
            outputs += net(x.to(DEVICE)).softmax(1).cpu().tolist()
            truths += y.tolist()
    hits = [int(np.argmax(o) == t) for o, t in zip(outputs, truths)]
    return sum(hits) / len(hits), average_precision_score(np.eye(6)[truths], outputs)
"""
RENAMED = (
    OWN.replace("images", "bilder")
    .replace("picture", "bilde")
    .replace("best", "top")
    .replace("model", "nett")
)
RENAMED = "# my own work\n" + RENAMED.replace("):\n", "):  # a remark\n")


def state(seed, like=None):
    torch.manual_seed(seed)
    made = {f"layer{i}.weight": torch.randn(8, 8) for i in range(10)} | {"fc.weight": torch.randn(6, 8), "bn.num_batches_tracked": torch.tensor(7)}  # fmt: skip
    return made | ({k: v.clone() for k, v in like.items() if k.startswith("layer")} if like else {})


def scores(seed):
    return np.random.default_rng(seed).dirichlet(np.ones(6), 211).astype(np.float32)


SPLIT = {"test": [f"sea/{i}.jpg" for i in range(9)], "val": ["sea/10.jpg"]}


def test_the_same_weights_under_other_names_and_a_changed_head():
    weights = state(1)
    prints = [
        print_of("ada", weights, None, None, None, ""),
        print_of("bo", {k: v.clone() for k, v in weights.items()}, None, None, None, ""),
        print_of("eva", state(2, like=weights), None, None, None, ""),
        print_of("kim", state(3), None, None, None, ""),
    ]
    found = {(p.one, p.other): p for p in alike(prints)}
    assert set(found) == {("ada", "bo"), ("ada", "eva"), ("bo", "eva")}
    assert found["ada", "bo"].tensors == 1.0
    assert found["ada", "eva"].tensors == pytest.approx(10 / 11)
    assert "equal to the last bit" in found["ada", "bo"].words[0]


def test_a_common_start_is_no_likeness():
    start = state(1)
    prints = [print_of(who, state(n, like=start), start, None, None, "") for n, who in enumerate("abc", 2)]
    assert alike(prints) == []


def test_equal_scores_and_the_split_beside_them():
    prints = [
        print_of("ada", None, None, scores(1), SPLIT, ""),
        print_of("bo", None, None, scores(1)[::-1], {k: [f"C:\\data\\{p}" for p in v] for k, v in SPLIT.items()}, ""),
        print_of("eva", None, None, scores(2), SPLIT, ""),
    ]  # fmt: skip
    (pair,) = alike(prints)
    assert (pair.one, pair.other, pair.rows, pair.same_split) == ("ada", "bo", 1.0, True)


def test_the_same_split_alone_is_no_pair():
    assert alike([print_of(w, None, None, scores(n), SPLIT, "") for n, w in enumerate("abc")]) == []


def test_sure_scores_say_nothing():
    sure = np.eye(6, dtype=np.float32)[np.arange(211) % 6]
    assert alike([print_of(w, None, None, sure, None, "") for w in ("a", "b")]) == []


def test_renamed_and_commented_code_is_found_and_other_code_is_not():
    (pair,) = alike([Print("ada", code=OWN), Print("bo", code=RENAMED), Print("eva", code=OTHER)])
    assert (pair.one, pair.other) == ("ada", "bo")
    assert pair.code > 0.9
    assert "optimiser" in pair.excerpts[0]
    assert "optimiser" in pair.excerpts[1]


def test_code_that_was_handed_out_does_not_count():
    prints = [Print("ada", code=OWN + OTHER), Print("bo", code=OWN)]
    assert len(alike(prints)) == 1
    assert alike(prints, handed_out=OWN) == []


def test_what_the_whole_class_has_does_not_count():
    assert alike([Print(f"s{i}", code=OWN, rows=frozenset(map(str, range(30)))) for i in range(5)]) == []


def ring(n, shared, others=12):
    """`n` hand-ins with the same trained network and scores beside others with their own."""
    one = [print_of(f"ring{i}", shared, None, scores(1), None, "") for i in range(n)]
    return one + [print_of(f"own{i}", state(50 + i), None, scores(50 + i), None, "") for i in range(others)]


@pytest.mark.parametrize("n", [2, 3, 4, 9, 30])
def test_a_ring_of_any_size_is_one_group(n):
    (group,) = groups_of(alike(ring(n, state(1))))
    assert group.who == tuple(sorted(f"ring{i}" for i in range(n)))
    assert {(p.tensors, p.rows) for p in group.pairs} == {(1.0, 1.0)}
    assert len(group.pairs) == n * (n - 1) // 2
    page = likeness_page([group], n + 12, [])
    assert all(who in page for who in group.who)
    if n > 2:
        said = f"{n} of {n} have trained weights in common, to the last bit: 100% of the tensors"
        assert said in group.words
        assert said in page


def test_a_network_that_was_handed_out_makes_nobody_alike_nor_do_its_scores():
    weights = state(1)
    assert len(groups_of(alike(ring(9, weights)))) == 1
    assert alike(ring(9, weights), print_of("", weights, None, None, None, "")) == []


def test_a_backbone_that_many_began_from_makes_nobody_alike():
    frozen = [print_of(f"s{i}", state(i + 2, like=state(1)), None, None, None, "") for i in range(12)]
    assert alike([*frozen, print_of("own", state(99), None, None, None, "")]) == []


def test_what_the_whole_class_has_is_told_apart():
    whole = ring(9, state(1), others=0)
    assert alike(whole) == []
    assert len(common_to_all(whole)) == 2
    assert "the same trained weights" in likeness_page([], 9, [], common=common_to_all(whole))
    assert common_to_all(ring(9, state(1))) == []
    assert len(alike(ring(3, state(1), others=0))) == 3, "so few are no class"


@settings(max_examples=20, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 9), st.integers(0, 9)).filter(lambda p: p[0] < p[1]), max_size=12))
def test_groups_are_what_pairs_join_each_pair_in_one(edges):
    pairs = [Pair(f"s{a}", f"s{b}", 1.0, None, None, False) for a, b in sorted(edges)]
    groups = groups_of(pairs)
    assert sorted((p.one, p.other) for g in groups for p in g.pairs) == [(p.one, p.other) for p in pairs]
    names = [who for g in groups for who in g.who]
    assert len(set(names)) == len(names)
    for g in groups:
        reached = {g.who[0]}
        for _ in g.who:
            reached |= {w for p in g.pairs if {p.one, p.other} & reached for w in (p.one, p.other)}
        assert reached == set(g.who)


@pytest.mark.parametrize(
    "code", ["", "\0" * 5000, "(" * 5000, "'''" * 999, "\ud800" * 400, "def f(:\n" * 500, "é" * 4000]
)
def test_any_text_is_code_that_can_be_compared(code):
    for pair in alike([Print("a", code=code), Print("b", code=OWN)]):
        assert pair.code is not None


@settings(max_examples=30, deadline=None)
@given(st.permutations(range(5)))
def test_order_changes_nothing(order):
    prints = [Print("a", code=OWN), Print("b", code=RENAMED), Print("c", rows=frozenset(map(str, range(40)))),
              Print("d", rows=frozenset(map(str, range(30)))), Print("e", code=OTHER)]  # fmt: skip
    assert alike([prints[i] for i in order]) == alike(prints)
    assert {(p.one, p.other) for p in alike(prints)} == {("a", "b"), ("c", "d")}


EVIL = "<img src=x onerror=alert(1)>\u202e"


def test_the_page_shows_names_and_code_as_text():
    code = f'evil = "{EVIL}</pre><script>alert(2)</script>"\n' + OWN
    groups = groups_of(alike([Print(f"ada {EVIL}", code=code), Print("bo", code=RENAMED)]))
    page = likeness_page(groups, 2, [f"per: {EVIL}"])
    assert "<img" not in page
    assert "<script" not in page
    assert "\u202e" not in page
    assert "script-src 'none'" in html.unescape(page)
    assert "For the teacher only" in page
    assert "optimiser" in page


@pytest.mark.slow
def test_a_class_is_compared_and_no_student_learns_of_it(reference, tmp_path):
    place, out = tmp_path / "class", tmp_path / "out"
    for who, code in (("ada", OWN), ("bo", RENAMED), ("eva", OTHER)):
        shutil.copytree(reference, place / who)
        (place / who / "oblig1.py").write_text(code)
        (place / who / "run.py").unlink()
    (place / "eva" / "model.pth").unlink()
    np.save(place / "eva" / "scores_test.npy", scores(9))
    (place / "per.zip").write_bytes(b"PK\x03\x04 broken")
    run = CliRunner().invoke(cli, ["grade", str(place), "--out", str(out), "--quiet", "--jobs", "2"])
    assert run.exit_code == 1, run.output
    marks = (out / "exports" / "gradebook.json").read_bytes()
    told = CliRunner().invoke(cli, ["likeness", "--out", str(out), "--quiet"])
    assert told.exit_code == 0, told.output
    assert "1 group among 3 hand-ins; 1 could not be read" in told.output
    page = (out / "likeness.html").read_text()
    assert "ada and bo" in page
    assert "100% of the trained weights" in page
    assert "eva" not in page
    assert (out / "exports" / "gradebook.json").read_bytes() == marks
    for file in [*(out / "students").rglob("*.html"), *(out / "students").rglob("*.json")]:
        assert "likeness" not in file.read_text()
    with zipfile.ZipFile(out / "feedback" / "ada.zip") as bundle:
        assert not [n for n in bundle.namelist() if "likeness" in n]
