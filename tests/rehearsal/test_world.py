"""Where a rehearsal happens: the data set under the names that programs have for it, walls, and what is no program."""

import json
import os

import pytest

from in4310.errors import NotJudged
from in4310.rehearsal.facts import event_of, facts_of
from in4310.rehearsal.mistakes import mistakes
from in4310.rehearsal.observations import observations
from in4310.rehearsal.programs import programs, read, roots, sought
from in4310.rehearsal.rehearse import rehearse
from in4310.submission.sandbox.tiers import Tier
from in4310.submission.sandbox.walls import World
from in4310.submission.sandbox.worker import Sandbox

CLASSES = ["forest", "sea"]


@pytest.mark.parametrize(
    ("source", "root"),
    [
        ("DATA_ROOT = '/itf-fi-ml/shared/courses/IN3310/mandatory1_data'", "/itf-fi-ml/shared/courses/IN3310/mandatory1_data"),
        ("root = Path('/projects') / 'ml' / 'photos'", "/projects/ml/photos"),
        ("BASE = '/projects'\nfiles = os.listdir(os.path.join(BASE, 'data', 'forest'))", "/projects/data"),
        (r"path = r'C:\Users\kari\mandatory1_data'", r"C:\Users\kari\mandatory1_data"),
        ("def load(data_dir='../oblig'): ...", "../oblig"),
        ("parser.add_argument('--data', default='bilder')", "bilder"),
        ("ds = ImageFolder(root='scener')", "scener"),
        ("x = '~/mandatory1_data'", "~/mandatory1_data"),
    ],
)  # fmt: skip
def test_places_where_the_data_set_is_sought(tmp_path, source, root):
    (tmp_path / "main.py").write_text(source)
    assert root in roots(tmp_path, read(tmp_path), CLASSES)


@pytest.mark.parametrize(
    "source",
    [
        "out = '/scratch/results'",
        "SAVE_PATH = '/home/me/models'",
        "url = 'https://example.org/data'",
        "x = 'sea'",
    ],
)
def test_other_places_are_left_alone(tmp_path, source):
    (tmp_path / "main.py").write_text(source)
    assert roots(tmp_path, read(tmp_path), CLASSES) == []


def test_settings_files_name_it_too(tmp_path):
    (tmp_path / "config.yaml").write_text(
        "data_root: /projects/set  # on the cluster\nlr: 0.1\nout: /scratch/x\n"
    )
    (tmp_path / "cfg.json").write_text(json.dumps({"paths": {"dataset": "../bilder"}}))
    assert roots(tmp_path, [], CLASSES) == ["/projects/set", "../bilder"]


def test_what_starts_and_in_which_order(tmp_path):
    guard = "if __name__ == '__main__':\n    main()\n"
    files = {"model.py": guard, "evaluate.py": "from train import x\nmain()\n", "train.py": "import model\n" + guard,
             "split_data.py": "print(1)\n", "feature maps.py": "go()\n", "settings.py": "A = 1\n", "test_it.py": "import pytest\n"}  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    started = [p.file for p in programs(tmp_path, read(tmp_path))]
    assert started == ["split_data.py", "train.py", "evaluate.py", "feature maps.py"]
    (tmp_path / "README.md").write_text(
        "Run `python train.py --epochs 3`, then\n\n    python3 ./evaluate.py\n"
    )
    written = [(p.file, p.arguments) for p in programs(tmp_path, read(tmp_path))]
    assert written == [("train.py", ("--epochs", "3")), ("evaluate.py", ())]


def test_the_data_set_lies_under_other_names_and_nothing_of_the_system_is_covered(sandbox, tmp_path):
    if not sandbox.tier.namespaces:
        pytest.skip("namespaces cannot be had here")
    tmp_path.chmod(0o755)
    (tmp_path / "data").mkdir(mode=0o755)
    (tmp_path / "data" / "one.txt").write_text("1")
    (tmp_path / "look.py").write_text(
        "import os\ndef look(places):\n    return [os.path.realpath(p) for p in places]\n"
    )
    names = {
        "/projects/ml/data": "/dataset",
        "/usr/data": "/dataset",
        "/projects/../up": "/dataset",
        "/tmp/x": "/dataset",
    }
    world = World({"/dataset": str(tmp_path / "data")}, names)
    with sandbox.worker(tmp_path, world=world) as worker:
        answer = worker.call(
            "call", {"target": "look:look", "arguments": {"places": [*names, "/dataset/one.txt"]}}
        )
    assert answer.result == ["/dataset", "/usr/data", "/up", "/tmp/x", "/dataset/one.txt"]
    assert not os.path.lexists("/usr/data")


def test_without_namespaces_it_is_refused_in_one_line(tmp_path):
    with Sandbox() as other:
        other._tier = Tier(namespaces=False, landlock=True)
        with pytest.raises(NotJudged, match="needs a root of its own"):
            rehearse(tmp_path, tmp_path, [], CLASSES, other)


@pytest.mark.parametrize(
    "note",
    ["", "x", "[]", "{}", '{"kind": 1}', '{"kind": "a", "at": 1}', "[" * 3000, '{"kind": "a", "name": []}'],
)
def test_what_is_no_event_is_dropped(note):
    assert event_of(note) is None


def test_events_of_any_form_give_facts():
    odd = [None, True, -1, 3, 2.5, "x", [], [1, "a"], {}, {"lr": {}}]
    kinds = ("start", "network", "loader", "rows", "pass", "label", "pretrained", "optimizer", "forward", "step", "kept",
             "metric", "compared", "hook", "changing", "spectrum", "restored", "scheduler", "backward", "written", "seed")  # fmt: skip
    keys = (
        "program",
        "loader",
        "rows",
        "files",
        "transforms",
        "settings",
        "type",
        "seed",
        "what",
        "shuffle",
        "batch",
        *(
            "optimizer",
            "network",
            "depth",
            "outputs",
            "label",
            "of",
            "under",
            "since",
            "number",
            "right",
            "tolerance",
        ),
        *("equal", "shape", "metric", "true", "given", "steps", "gradients", "file"),
    )
    events = [
        event_of(json.dumps({"kind": k, "at": "a.py:1", **dict.fromkeys(keys, v)}))
        for v in odd
        for k in kinds
    ]
    facts = facts_of(events, 10)
    json.dumps(facts.as_document([str(n) for n in range(10)]))
    json.dumps([vars(seen) for seen in observations(facts, events).values()])
    mistakes(facts, events)


def test_a_program_that_is_part_of_a_package_starts_as_one(tmp_path):
    (tmp_path / "oblig").mkdir()
    (tmp_path / "oblig" / "train.py").write_text("from .data import x\nmain()\n")
    (started,) = programs(tmp_path, read(tmp_path))
    assert (started.file, started.folder, started.module) == ("oblig/train.py", "", "oblig.train")
    (started,) = programs(tmp_path / "oblig", read(tmp_path / "oblig"))
    assert (started.file, started.folder, started.module) == ("train.py", "..", ".train")
    (tmp_path / "README.md").write_text("    python -m oblig.train --epochs 2\n")
    (started,) = programs(tmp_path, read(tmp_path))
    assert (started.module, started.arguments) == ("oblig.train", ("--epochs", "2"))


def test_what_the_house_itself_writes_is_no_program(tmp_path):
    (tmp_path / "run.py").write_text("from in4310.cli import main\n\nmain(['run'])\n")
    (tmp_path / "README.md").write_text("python run.py\n")
    assert programs(tmp_path, read(tmp_path)) == []


@pytest.mark.parametrize(
    ("source", "root"),
    [
        ("root = Path(__file__).resolve().parent.parent / 'bilder_data'", "../bilder_data"),
        (
            "HERE = os.path.dirname(os.path.abspath(__file__))\nDATA = os.path.join(HERE, '..', 'foto')",
            "./../foto",
        ),
        ("DATA = Path(__file__).parents[1] / 'foto'", "../foto"),
    ],
)
def test_places_beside_the_program_itself(tmp_path, source, root):
    (tmp_path / "main.py").write_text(source)
    assert root in roots(tmp_path, read(tmp_path), CLASSES)


@pytest.mark.parametrize(
    ("absent", "root"),
    [
        ("/work/x/set/sea/3.jpg", "/work/x/set"),
        ("/work/x/set", "/work/x/set"),
        ("/tmp/h/model.pth", ""),
        ("/tmp/h/checkpoints", ""),
        ("", ""),
    ],
)
def test_a_place_that_was_sought_in_vain(absent, root):
    assert sought(absent, CLASSES) == root
