"""Programs that mean harm to their judge: each costs itself, and what is said of it is bounded."""

import pytest

from in4310.rehearsal.story import story, summary

LOADER = """
import os, sys, time
from torch.utils.data import DataLoader
from torchvision import datasets, transforms
data = datasets.ImageFolder("data", transforms.ToTensor())
test_loader = DataLoader(data, batch_size=8, shuffle=True)
"""


def told(seen):
    return [*story(seen), *summary(seen)]


def test_it_ends_without_a_word(written):
    seen = written(LOADER + "os._exit(3)\n")
    assert told(seen)[-1] == ("main.py", "ended without a word: ended, status 3")
    assert seen.failure == ""


def test_events_are_data(written):
    """It finds the pipe and writes what it likes; what is no event is dropped, what is one is staged and harmless."""
    seen = written(
        LOADER
        + """
import json
for fd in range(3, 64):
    for text in ("nonsense", "{}", '{"kind": "rows", "loader": 0, "rows": [-1, 1e999, 99999999, "x"]}', '{"kind": "loader"}',
                 '{"kind": "start", "program": "x"}', '{"kind": "seed", "at": "a" , "seed": NaN}', "[" * 2000, '{"kind": "metric", "at": "b", "true": []}',
                 '{"kind": "\\\\u202e\\\\u001b[31mred", "at": "x"}', '{"kind": "forward", "loader": 0, "shape": {"a": 1}, "network": [1]}'):
        try:
            os.write(fd, text.encode() + b"\\n")
        except OSError:
            pass
"""
    )
    assert seen.failure == ""
    assert all("\x1b" not in at + sentence for at, sentence in told(seen))
    assert seen.as_document()["programs"]


def test_it_changes_only_its_own_copy(written, tmp_path):
    source = (
        "import os\nopen(__file__, 'w').write('gone')\nopen('new.txt', 'w').write('x')\nos.remove(__file__)\n"
    )
    seen = written(source)
    assert [p.status for p in seen.programs] == [0]
    assert {p.name: p.read_text() for p in (tmp_path / "hand-in").iterdir()} == {"main.py": source}


def test_it_cannot_change_the_data_set(written):
    seen = written(
        "import os\nfor n in os.listdir('data'):\n    open(os.path.join('data', n, 'mine.txt'), 'w')\n"
    )
    (stopped,) = [e for e in seen.events if e["kind"] == "stopped"]
    assert stopped["at"] == "main.py:3"
    assert "Read-only" in stopped["text"]
    assert "write beside the program" in told(seen)[-1][1]


@pytest.mark.slow
def test_it_never_ends(written):
    seen = written(
        LOADER + "while True:\n    try:\n        time.sleep(1)\n    except BaseException:\n        pass\n",
        seconds=6,
    )
    assert told(seen)[-1] == ("main.py", "had not ended when its time was over; what came before is told")
    assert seen.facts.loaders[0].rows == 1200


@pytest.mark.slow
def test_it_forks(written):
    seen = written(
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass\n", seconds=6
    )
    assert told(seen)[-1] == ("main.py", "had not ended when its time was over; what came before is told")


@pytest.mark.slow
def test_it_fills_its_world(written):
    seen = written("f = open('big', 'wb')\nwhile True:\n    f.write(b'x' * 2**24)\n")
    assert [e["error"] for e in seen.events if e["kind"] == "stopped"] == ["OSError"]


@pytest.mark.slow
def test_it_takes_all_memory(written):
    seen = written("a = []\nwhile True:\n    a.append(bytearray(b'x') * 2**26)\n")
    # The kernel ends the program alone, or all that is in its group.
    (program,) = seen.programs
    assert ("MiB" in seen.failure and program.end == "the process ended") or program.status == -9


@pytest.mark.slow
def test_it_floods(written):
    """Events without end are cut, and so is what it prints."""
    flood = "import sys\nfor n in range(20000):\n    sys.stdout.write('x' * 100)\n"
    flood += "import torch\nfor n in range(20000):\n    exec('\\n' * (n % 500) + 'torch.manual_seed(1)')\n"
    seen = written(flood)
    assert len(seen.events) < 9000
    assert [p.status for p in seen.programs] == [0]


def test_taking_the_observers_away_only_hides(written):
    source = (
        LOADER
        + "import importlib, torch.utils.data.dataloader as d\nimportlib.reload(d)\nprint(len(list(d.DataLoader(data, 8))))\n"
    )
    seen = written(source)
    assert seen.facts.split == {}
    assert [p.status for p in seen.programs] == [0]


@pytest.mark.slow
def test_training_without_end_is_ended_politely(written):
    """What comes after it is reached, and runs on what there is."""
    train = """
import matplotlib.pyplot as plt
from torch import nn, optim
net = nn.Sequential(nn.Conv2d(3, 2, 9, 9), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 6))
opt = optim.SGD(net.parameters(), lr=0.1)
losses = []
for epoch in range(10**9):
    for x, y in test_loader:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    losses.append(loss.item())
plt.plot(range(10**9), losses)
plt.savefig("loss.png")
"""
    seen = written(LOADER + train, seconds=10)
    assert [(p.end, p.status) for p in seen.programs] == [("ended", 0)]
    assert [e["file"] for e in seen.events if e["kind"] == "written"] == ["loss.png"]
