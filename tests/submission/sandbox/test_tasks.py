"""What is found and run of a submission: modules, helpers, notebooks, weights of odd kinds."""

import json
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from in4310.submission.folder import Submission
from in4310.submission.intake import take_in
from in4310.submission.pieces import Hints, Unreadable
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import WorkerFailed


def notebook(*cells):
    return json.dumps({"cells": [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]})


@pytest.fixture
def ask(sandbox, submission):
    def call(task, **arguments):
        with sandbox.worker(submission("")) as worker:
            return worker.call(task, arguments)

    return call


def test_a_module_finds_its_own_helpers(ask, submission):
    folder = submission(
        "from lib.helper import VALUE\nimport profile\ndef f():\n    return VALUE + profile.VALUE", "main.py"
    )
    submission("VALUE = 4", "profile.py")  # the standard library has one of this name too
    (folder / "lib").mkdir(mode=0o755)
    (folder / "lib" / "helper.py").write_text("VALUE = 3")
    assert ask("call", target="main:f").result == 7
    (folder / "lib" / "deep.py").write_text("from .helper import VALUE\ndef f(): return VALUE")
    assert ask("call", target="lib.deep:f").result == 3


def test_a_module_named_like_a_loaded_library(ask, submission):
    submission("def f():\n    import numpy\n    return [numpy.arange(3), 'mine']", "random.py")
    assert ask("call", target="random:f").result == [{"array": "array0"}, "mine"]


def test_assignments_of_a_notebook_start_no_training(ask, submission):
    submission(
        notebook(
            "import torch, math\nfrom pathlib import Path",
            "def train():\n    raise SystemExit('trained')",
            "model = train()\nbest = [train() for _ in range(3)]",
            "N = len([1, 2]) + int(math.sqrt(16))\ndevice = torch.device('cpu')\nROOT = Path('data')",
            "def f():\n    return [N, str(device), str(ROOT), 'model' in globals(), 'best' in globals()]",
        ),
        "a.ipynb",
    )
    assert ask("call", target="a.ipynb:f").result == [6, "cpu", "data", False, False]


def test_a_whole_notebook(ask, submission):
    submission(
        notebook("%time\nx = 3\nprint('one')", "x * 2", "raise ValueError('no')", "print('never')"), "a.ipynb"
    )
    result = ask("run_notebook", path="a.ipynb").result
    assert [cell["text"] for cell in result["cells"]] == ["one\n", "6\n", ""]
    assert result["cells"][2]["error"].startswith("ValueError: no")
    assert result["complete"] is False
    submission(notebook("print('x' * 100_000)", "import sys\nsys.exit(0)"), "b.ipynb")
    result = ask("run_notebook", path="b.ipynb").result
    assert len(result["cells"][0]["text"]) == 20_000
    assert result["cells"][1]["error"].startswith("SystemExit")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"cells": 3}', '{"cells": [3]}', "[" * 10_000, "\x00"])
def test_what_is_no_notebook(ask, submission, content):
    submission(content, "a.ipynb")
    with pytest.raises(WorkerFailed, match="not a notebook") as failure:
        ask("call", target="a.ipynb:f")
    assert failure.value.kind == "refused"


def test_weights_are_listed_as_they_were(ask, submission):
    folder = submission("")
    state = {
        "a": torch.ones(2, 3).bfloat16(),
        "b": torch.ones(2).to(torch.float8_e4m3fn),
        "c": torch.tensor([True]),
    }
    torch.save({"state_dict": state}, folder / "model.pth")
    answer = ask("read", what="weights", file="model.pth", without={})
    assert answer.result["read"] == [
        ["state_dict.a", "bfloat16"],
        ["state_dict.b", "float8_e4m3fn"],
        ["state_dict.c", "bool"],
    ]
    assert answer.arrays["state_dict.a"].shape == (2, 3)
    assert answer.arrays["state_dict.b"].dtype == np.float32
    assert answer.arrays["state_dict.c"].tolist() == [True]


def test_complex_weights_are_refused(ask, submission):
    torch.save({"a": torch.ones(2, dtype=torch.complex64)}, submission("") / "model.pth")
    with pytest.raises(WorkerFailed, match="complex"):
        ask("read", what="weights", file="model.pth", without={})


def test_weights_outside_the_folder(ask, tmp_path, submission):
    torch.save({"a": torch.ones(2)}, tmp_path / "other.pth")
    for path in ("../other.pth", str(tmp_path / "other.pth")):
        with pytest.raises(WorkerFailed) as failure:
            ask("read", what="weights", file=path, without={})
        assert failure.value.kind == "refused"


def test_names_that_are_not_unicode_come_back_escaped(ask, submission):
    submission("def f():\n    return {'\\udce6.jpg': ['\\ud800']}", "mycode.py")
    assert ask("call", target="mycode:f").result == {"\\udce6.jpg": ["\\ud800"]}


def test_a_hand_in_is_read_in_each_tier(either, submission):
    folder = submission("import torch\ntorch.manual_seed(7)\n", "train.py")
    (folder / "metrics.json").write_text('{"test": {"accuracy": 0.5}}')
    (folder / "submission.toml").write_text("[split]\nseed = 7\n")
    torch.save({"a": torch.ones(2, 3)}, folder / "model.pth")
    Image.linear_gradient("L").save(folder / "loss.png")
    with Readers(either, folder) as readers:
        found = Submission(folder, Hints(("sea", "street")), readers)
        assert readers.confined
        assert found.metrics == {"test": {"accuracy": 0.5}}
        assert found.table("split") == {"seed": 7}
        assert found.source[0].name == "torch.manual_seed"
        assert found.look(folder / "loss.png").pixels.shape == (256, 256, 3)
        with pytest.raises(Unreadable, match=r"model.pth holds no ResNet .*: 1 tensors"):
            found.network("model", "model.pth")


def test_an_archive_is_read_in_each_tier(either, tmp_path):
    with zipfile.ZipFile(tmp_path / "oblig.zip", "w") as archive:
        archive.writestr("a/b.txt", "b")
    with take_in(tmp_path / "oblig.zip", either) as taken:
        assert (taken.folder / "b.txt").read_text() == "b"
