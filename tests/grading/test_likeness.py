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
from in4310.grading.likeness import Print, alike, print_of
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
    pairs = alike([Print(f"ada {EVIL}", code=code), Print("bo", code=RENAMED)])
    page = likeness_page(pairs, 2, [f"per: {EVIL}"])
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
    assert "1 pair among 3 hand-ins; 1 could not be read" in told.output
    page = (out / "likeness.html").read_text()
    assert "ada and bo" in page
    assert "100% of the trained weights" in page
    assert "eva" not in page
    assert (out / "exports" / "gradebook.json").read_bytes() == marks
    for file in [*(out / "students").rglob("*.html"), *(out / "students").rglob("*.json")]:
        assert "likeness" not in file.read_text()
    with zipfile.ZipFile(out / "feedback" / "ada.zip") as bundle:
        assert not [n for n in bundle.namelist() if "likeness" in n]
