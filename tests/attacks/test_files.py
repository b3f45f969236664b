"""Files of a submission that try to get a mark for invented scores, or to do harm to whoever opens them."""

import io
import json
import os
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
import torch

from in4310.errors import InputError
from in4310.judging.verdict import Outcome
from in4310.runner import judge_submission

pytestmark = pytest.mark.slow  # all of them run in CI
SCORES = ("scores_shape", "scores_are_probabilities", "scores_reproduce")
FAILS = (Outcome.FAILED, Outcome.NOT_RUN)


class Payload:
    def __reduce__(self):
        return (os.system, ("touch /tmp/in4310-pwned",))


def put(folder, name, content):
    path = folder / name
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def npy(header, body=b""):
    text = repr(header).encode()
    text += b" " * (63 - (len(text) + 10) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def saved(content):
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def labels(data, folder):
    rows = [line.split(",")[0] for line in (folder / "split" / "test.csv").read_text().splitlines()[1:]]
    return np.array([data.classes.index(data.labels[p]) for p in rows])


def test_invented_scores_do_not_reproduce(folder, verdicts):
    assert verdicts(folder, "scores_reproduce")["scores_reproduce"][0] is Outcome.FAILED


def test_scores_copied_from_the_labels(folder, data, verdicts):
    truth = labels(data, folder)
    put(folder, "scores_test.npy", npy_bytes(np.eye(6, dtype=np.float32)[truth]))
    perfect = {"accuracy": 1.0, "mean_accuracy": 1.0, "map": 1.0, "accuracy_per_class": dict.fromkeys(data.classes, 1.0),
               "ap_per_class": dict.fromkeys(data.classes, 1.0)}  # fmt: skip
    put(folder, "metrics.json", json.dumps({"test": perfect, "val": perfect}))
    found = verdicts(folder, *SCORES, "metrics_accuracy", "metrics_map", "accuracy_threshold")
    assert found["scores_reproduce"][0] is Outcome.FAILED
    assert found["scores_are_probabilities"][0] is Outcome.FAILED
    assert "labels" in found["scores_are_probabilities"][1]
    assert found["metrics_accuracy"][0] is found["metrics_map"][0] is Outcome.FAILED
    assert "1.0000" not in found["accuracy_threshold"][1]


def npy_bytes(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_compare_with_nothing(folder, verdicts, value):
    put(folder, "scores_test.npy", npy_bytes(np.full((211, 6), value, dtype=np.float32)))
    found = verdicts(folder, *SCORES)
    assert found["scores_are_probabilities"][0] is Outcome.FAILED
    assert found["scores_reproduce"][0] is Outcome.FAILED


ARRAYS = {
    "pickled objects": npy_bytes(np.array([Payload()] * 211, dtype=object)),
    "a pickle": pickle.dumps(Payload()),
    "gigantic shape": npy({"descr": "<f8", "fortran_order": False, "shape": (2**40, 6)}),
    "negative shape": npy({"descr": "<f8", "fortran_order": False, "shape": (-211, -6)}, bytes(211 * 48)),
    "shape of texts": npy({"descr": "<f8", "fortran_order": False, "shape": ("211", 6)}),
    "code for a type": npy(
        {"descr": "__import__('os').system('touch /tmp/in4310-pwned')", "fortran_order": False, "shape": (1,)}
    ),
    "deep header": b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"[" * 60_000,
    "truncated": npy_bytes(np.zeros((211, 6)))[:-100],
    "records": npy_bytes(np.zeros(211, dtype=[("a", "f4"), ("b", "f4")])),
    "empty": b"",
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_traps(folder, verdicts, kind):
    put(folder, "scores_test.npy", ARRAYS[kind])
    found = verdicts(folder, *SCORES)
    assert all(outcome in FAILS for outcome, _ in found.values())
    assert all("\n" not in reason for _, reason in found.values())


def archive_of(entries, compress):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compress) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return buffer.getvalue()


WEIGHTS = {
    "pickled payload": saved({"fc.weight": Payload()}),
    "pickled module": saved(torch.nn.Linear(2, 2)),
    "a bare pickle": pickle.dumps(Payload()),
    "old format": pickle.dumps(0x1950A86A20F9469CFC6C) + pickle.dumps(1001) + pickle.dumps(Payload()),
    "tensor larger than its storage": saved({"conv1.weight": torch.zeros(1).expand(64, 3, 10**6, 7)}),
    "compressed bomb": archive_of(
        [("archive/data.pkl", pickle.dumps({})), ("archive/data/0", bytes(64 << 20))], zipfile.ZIP_DEFLATED
    ),
    "program": archive_of(
        [("m/data.pkl", b"x"), ("m/constants.pkl", b"x"), ("m/code/__torch__.py", b"import os")],
        zipfile.ZIP_STORED,
    ),
    "sparse": saved({"conv1.weight": torch.eye(3).to_sparse()}),
    "text": b"not a checkpoint",
    "gigantic safetensors header": struct.pack("<Q", 2**60) + b"{}",
    "safetensors beyond its end": struct.pack("<Q", 64)
    + b'{"a":{"dtype":"F32","shape":[9999],"data_offsets":[0,39996]}}   ',
    "deep": saved(__import__("functools").reduce(lambda d, _: {"a": d}, range(60), torch.zeros(1))),
    "nothing": b"",
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_are_traps(folder, verdicts, kind):
    put(folder, "model.pth", WEIGHTS[kind])
    found = verdicts(folder, "network_depth", "scores_reproduce", "accuracy_threshold")
    assert all(outcome in FAILS for outcome, _ in found.values())
    assert all("\n" not in reason and len(reason) < 700 for _, reason in found.values())


def test_weights_of_nan_give_nothing(folder, verdicts):
    state = torch.load(folder / "model.pth", weights_only=True)
    state["fc.weight"][:] = float("nan")
    put(folder, "model.pth", saved(state))
    found = verdicts(folder, "network_outputs", "scores_reproduce", "accuracy_threshold")
    assert found["network_outputs"][0] is found["scores_reproduce"][0] is Outcome.FAILED
    assert found["accuracy_threshold"][0] is not Outcome.PASSED


@pytest.mark.parametrize(
    "place", ["scores_test.npy", "model.pth", "metrics.json", "split", "history", "plots"]
)
def test_links_to_another_submission_are_not_followed(folder, reference, verdicts, place):
    path = folder / place
    if path.is_dir():
        __import__("shutil").rmtree(path)
    else:
        path.unlink()
    path.symlink_to(reference / place)
    check = {"scores_test.npy": "scores_reproduce", "model.pth": "network_depth", "metrics.json": "metrics_map",
             "split": "split_sizes", "history": "three_settings", "plots": "loss_curves"}[place]  # fmt: skip
    assert verdicts(folder, check)[check][0] in FAILS


def test_links_inside_folders_of_a_piece_are_not_followed(folder, reference, verdicts):
    for name in ("split/test.csv", "history", "plots/loss_curves.png"):
        path = folder / name
        if path.is_dir():
            for file in path.iterdir():
                target = reference / "history" / file.name
                file.unlink()
                file.symlink_to(target)
        else:
            path.unlink()
            path.symlink_to(reference / name)
    found = verdicts(folder, "split_sizes", "three_settings", "loss_curves")
    assert {outcome for outcome, _ in found.values()} <= set(FAILS)


@pytest.mark.parametrize(
    "path",
    ["../../../../etc/passwd", "/etc/passwd", "sea/../../secret.jpg", "sea/\x1b[31m.jpg", "\u202egpj.aes"],
)
def test_paths_of_the_split_that_lead_elsewhere(folder, verdicts, path):
    file = folder / "split" / "test.csv"
    put(folder, "split/test.csv", file.read_text() + f'"{path}",sea\n')
    found = verdicts(folder, "split_covers_data", "scores_reproduce")
    assert all(outcome in FAILS for outcome, _ in found.values())
    assert not any(ord(ch) < 32 for _, reason in found.values() for ch in reason)


def test_a_million_paths_are_not_predicted(folder, verdicts):
    file = folder / "split" / "test.csv"
    row = file.read_text().splitlines()[1]
    put(folder, "split/test.csv", "path,label\n" + f"{row}\n" * 300_000)
    put(folder, "scores_test.npy", npy_bytes(np.zeros((300_000, 6), dtype=np.float16)))
    assert verdicts(folder, "scores_reproduce")["scores_reproduce"][0] is Outcome.NOT_RUN


PREPROCESSINGS = [
    "size = 1000000\nresize = 1000000", "size = -1", "std = [0, 0, 0]", "mean = [1e300, 0, 0]", "size = true",
    "interpolation = '__import__'", "mean = 'abc'", "unknown = 1", "mean = [[[1]]]",
]  # fmt: skip


@pytest.mark.parametrize("table", PREPROCESSINGS)
def test_preprocessings_that_would_cost_the_judge_its_memory_or_sense(folder, verdicts, table):
    put(folder, "submission.toml", f"[preprocessing]\n{table}\n")
    assert verdicts(folder, "scores_reproduce")["scores_reproduce"][0] in FAILS


DOCUMENTS = {
    "deep": "[" * 100_000,
    "deep objects": '{"test":' * 50_000,
    "huge integer": '{"test": {"accuracy": ' + "9" * 200_000 + "}}",
    "NaN": '{"test": {"accuracy": NaN, "map": Infinity}, "val": {"accuracy": -Infinity}}',
    "true": '{"test": {"accuracy": true, "map": true}, "val": {"accuracy": true}}',
    "wrong kinds": '{"test": [1, 2], "val": "0.9"}',
    "NUL": "\0" * 1000,
    "UTF-16 halves": b'{"\xff\xfe\x00": 1}',
    "a list": "[1, 2, 3]",
}


@pytest.mark.parametrize("kind", DOCUMENTS)
@pytest.mark.parametrize("piece", ["metrics.json", "eigenvalues.json", "non_positive.json", "ranking.json"])
def test_documents_that_are_traps(folder, verdicts, piece, kind):
    put(folder, piece, DOCUMENTS[kind])
    check = {"metrics.json": "metrics_accuracy", "eigenvalues.json": "eigenvalues_valid",
             "non_positive.json": "non_positive_in_range", "ranking.json": "ranking_complete"}[piece]  # fmt: skip
    outcome, reason = verdicts(folder, check)[check]
    assert outcome in FAILS
    assert "\n" not in reason


def test_statistics_over_a_million_images_are_not_computed(folder, data, verdicts):
    shares = json.loads((folder / "non_positive.json").read_text())
    spectra = json.loads((folder / "eigenvalues.json").read_text())
    many = sorted(data.labels) * 20
    put(folder, "non_positive.json", json.dumps(shares | {"images": many}))
    spectra["series"][0]["paths"] = many
    put(folder, "eigenvalues.json", json.dumps(spectra))
    found = verdicts(folder, "non_positive_recomputed", "eigenvalues_recomputed")
    assert {outcome for outcome, _ in found.values()} == {Outcome.NOT_RUN}


def png_bomb():
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    rows = zlib.compress(bytes(40_000 * 6_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", 40_000, 40_000, 8, 0, 0, 0, 0))
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )


def test_a_picture_that_is_a_bomb_is_not_decoded(folder, verdicts):
    put(folder, "plots/loss_curves.png", png_bomb())
    outcome, reason = verdicts(folder, "loss_curves")["loss_curves"]
    assert outcome is Outcome.FAILED
    assert "bomb" in reason


# Else they are taken to be 224 x 224, and each forward pass takes twelve times as long.
SMALL_IMAGES = "[preprocessing]\nsize = 64\nresize = 64\n"


def test_names_and_texts_reach_neither_terminal_nor_report_unescaped(folder, tmp_path, capsys):
    evil = "<img src=x onerror=alert(1)>\x1b[2J\u202e"
    put(
        folder,
        "submission.toml",
        f"[submission]\nname = {json.dumps(evil)}\n[run]\ncommand = {json.dumps('python ' + evil)}\n"
        + SMALL_IMAGES,
    )
    run = json.loads(next((folder / "history").glob("*.json")).read_text())
    put(folder, "history/<script>alert(2)</script>.json", json.dumps(run))
    put(folder, "non_positive.json", json.dumps({"percent": {evil: 5, "layer1": evil}, "images": [evil]}))
    put(folder, "ranking.json", json.dumps({"sea": {"top": [evil] * 10, "bottom": [evil] * 10}}))
    judge_submission(folder, "demo", report=tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "<img src=x" not in page
    assert "<script>alert" not in page
    printed = "".join(capsys.readouterr())
    for text in (page, printed, (tmp_path / "report" / "junit.xml").read_text()):
        assert "\x1b" not in text
        assert "\u202e" not in text


def tar_with(member, content=b""):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(member, io.BytesIO(content))
        good = tarfile.TarInfo("readme.txt")
        good.size = 2
        archive.addfile(good, io.BytesIO(b"hi"))
    return buffer.getvalue()


def linked(name, target, kind=tarfile.SYMTYPE):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


ARCHIVES = {
    "zip-slip": archive_of([("../../pwned", b"x"), ("readme.txt", b"hi")], zipfile.ZIP_STORED),
    "absolute": archive_of([("/tmp/in4310-pwned", b"x"), ("readme.txt", b"hi")], zipfile.ZIP_STORED),
    "link to the labels": tar_with(linked("split", "/etc")),
    "hard link": tar_with(linked("scores.npy", "/etc/passwd", tarfile.LNKTYPE)),
    "device": tar_with(linked("model.pth", "", tarfile.CHRTYPE)),
}


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archives_that_reach_out(tmp_path, verdicts, kind):
    (tmp_path / "x.zip").write_bytes(ARCHIVES[kind])
    found = verdicts(tmp_path / "x.zip", "split_sizes", "scores_reproduce", "network_depth")
    assert {outcome for outcome, _ in found.values()} == {Outcome.NOT_RUN}


def test_an_archive_that_is_a_bomb(tmp_path, verdicts):
    (tmp_path / "x.zip").write_bytes(archive_of([("zeros", bytes(100 << 20))], zipfile.ZIP_DEFLATED))
    with pytest.raises(InputError, match="200 times"):
        verdicts(tmp_path / "x.zip", "split_sizes")


def test_files_that_configure_pytest_and_python_are_not_run(folder):
    for name in ("conftest.py", "sitecustomize.py", "torch.py", "in4310.py", "test_evil.py", "setup.py"):
        put(folder, name, "open('/tmp/in4310-pwned', 'w').write('x')\nraise SystemExit('ran')\n")
    put(folder, "pytest.ini", "[pytest]\naddopts = -p no:in4310 -k nothing\n")
    put(folder, "evil.pth", "import os; os.system('touch /tmp/in4310-pwned')")
    put(folder, "results.json", json.dumps({"points": 110, "requirements": []}))
    results = judge_submission(folder, "demo")
    assert sum(len(r.checks) for r in results.requirements) == 39
    assert {c.name for r in results.requirements for c in r.checks if c.outcome is Outcome.FAILED} >= {
        "scores_reproduce"
    }


@pytest.mark.parametrize(
    "command", ["python \0.py", f"python {'a' * 5000}.py", f"python {'a/' * 3000}x.py", "python \\ud800.py", "python circle.py",
                "python ../../x.py", "python /etc/passwd.py", "python pipe.py", "\0", "", "python a.py b.py"],
)  # fmt: skip
def test_commands_that_lead_nowhere(folder, verdicts, command):
    """E3: a command with a NUL, one that is too long, that is no text or that leads nowhere."""
    (folder / "circle.py").symlink_to("circle.py")
    os.mkfifo(folder / "pipe.py")
    toml = (folder / "submission.toml").read_text() if (folder / "submission.toml").exists() else ""
    kept = "\n".join(line for line in toml.splitlines() if not line.startswith(("command", "[run]")))
    put(folder, "submission.toml", f"{kept}\n[run]\ncommand = {json.dumps(command)}\n")
    ((outcome, reason),) = verdicts(folder, "runs_without_arguments").values()
    assert outcome is Outcome.FAILED, reason
