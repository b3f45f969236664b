"""A user's mistake is one line that names the file and the way out, a non-zero status, and nothing half written."""

import errno
import os
import shutil

import pytest
import torch
import torchvision

SMALL = ("--size", "32", "--trial-epochs", "1", "--epochs", "2", "--edition", "demo", "--quiet")


@pytest.fixture
def refused(in4310, tmp_path):
    """Run a command that must be refused; returns its one line."""

    def run(*arguments):
        out = tmp_path / "out"
        result = in4310(*arguments, "--out", out, "--report", tmp_path / "report")
        assert result.exit_code == 2, result.output
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 1, result.stderr
        assert lines[0].startswith("in4310: ")
        assert "Traceback" not in result.output
        assert not (out / "submission.toml").exists()
        assert not list(tmp_path.glob("out/**/*.partial"))
        assert not (tmp_path / "report").exists()
        return lines[0]

    return run


def test_missing_data_folder(refused, tmp_path):
    line = refused("run", "--data", tmp_path / "nowhere", *SMALL)
    assert str(tmp_path / "nowhere") in line
    assert "--data" in line


def test_a_folder_without_class_folders(refused, tmp_path):
    (tmp_path / "empty").mkdir()
    assert "buildings" in refused("run", "--data", tmp_path / "empty", *SMALL)


def test_empty_class_folder(refused, scenes):
    shutil.rmtree(scenes / "sea")
    (scenes / "sea").mkdir()
    assert "sea: class folder without images" in refused("run", "--data", scenes, *SMALL)


def test_a_foreign_class_folder(refused, scenes):
    shutil.copytree(scenes / "sea", scenes / "lake")
    assert "'lake' is not one of" in refused("run", "--data", scenes, *SMALL)


def test_all_images_unreadable(refused, scenes):
    for file in scenes.rglob("*.jpg"):
        file.write_bytes(b"no photograph")
    assert "none of 90 images can be read" in refused("run", "--data", scenes, *SMALL)


@pytest.mark.slow
def test_one_unreadable_image_is_named_and_left_out(in4310, scenes, tmp_path):
    bad = sorted(scenes.rglob("sea/*.jpg"))[0]
    bad.write_bytes(b"no photograph")
    result = in4310(
        "run", "--data", scenes, *SMALL[:-1], "--out", tmp_path / "out", "--report", tmp_path / "report"
    )
    assert result.exit_code in (0, 1), result.output
    assert f"left out: sea/{bad.name}" in result.stderr.replace("\n", "")
    listed = "".join((tmp_path / "out" / "split" / f"{n}.csv").read_text() for n in ("train", "val", "test"))
    assert f"sea/{bad.name}," not in listed
    assert listed.count(".jpg") == 89


def test_unknown_edition(refused, scenes):
    assert "'2031' is unknown; expected one of 2022" in refused("run", "--data", scenes, "--edition", "2031")


@pytest.fixture
def edition(tmp_path):
    """The demo edition with one table changed; returns its path."""

    def write(table):
        head = 'name = "mine"\ntitle = "Mine"\nextends = "demo"\n'
        (tmp_path / "mine.toml").write_text(head + table)
        return tmp_path / "mine.toml"

    return write


def test_edition_with_a_wrong_field(refused, scenes, edition):
    line = refused("run", "--data", scenes, "--edition", edition("[ranking]\nklasses = 2"))
    assert "mine.toml: ranking.klasses" in line


def test_too_few_images_for_the_split(refused, scenes, edition):
    line = refused(
        "run",
        "--data",
        scenes,
        "--quiet",
        "--edition",
        edition("[split]\ntest = 900\nval = 290"),
    )
    assert "expected at least 96 images" in line
    assert "found 90" in line


@pytest.mark.slow
def test_k_larger_than_possible(refused, scenes, edition):
    line = refused(
        "run", "--data", scenes, *SMALL[:6], "--quiet", "--edition", edition("[ranking]\nk = 1000")
    )
    assert "1000" in line


def test_weights_of_another_network(refused, scenes, tmp_path):
    weights = tmp_path / "other.pth"
    torch.save(torchvision.models.resnet34(num_classes=6).state_dict(), weights)
    line = refused("run", "--data", scenes, *SMALL, "--weights", weights)
    assert "other.pth" in line
    assert "resnet34" in line.lower().replace("-", "")


def test_weights_that_are_a_pickled_module(refused, scenes, tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pth")
    assert "state_dict" in refused("run", "--data", scenes, *SMALL, "--weights", tmp_path / "module.pth")


@pytest.mark.parametrize("setting", ["sgd", "sgd:fast", "lion:0.1", "sgd:-1", "sgd:nan"])
def test_settings_that_are_none(refused, scenes, setting):
    refused("run", "--data", scenes, *SMALL, "--setting", setting)


def test_a_device_that_is_not_there(refused, scenes):
    assert "--device" in refused("run", "--data", scenes, *SMALL, "--device", "tpu")


@pytest.mark.parametrize(
    "suffix",
    [".json", *(pytest.param(s, marks=pytest.mark.slow) for s in (".npy", "model.pth", ".csv", ".png"))],
)
def test_disk_full_while_writing(refused, scenes, monkeypatch, suffix):
    """Every rename of a finished file to a name with this ending fails as on a full disk."""
    real = os.replace

    def full(source, target):
        if str(target).endswith(suffix) and "/cache/" not in str(target):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target)

    monkeypatch.setattr(os, "replace", full)
    line = refused("run", "--data", scenes, *SMALL)
    assert "No space left on device" in line
    assert suffix in line


def test_a_folder_that_holds_something_else_is_left_alone(refused, scenes, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    assert "choose another --out" in refused("run", "--data", scenes, *SMALL)
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("check", "nowhere"), "expected a submission (folder, zip or tar.gz), found nothing"),
        (("check", ".", "--edition", "2023"), "needs the course's photographs"),
        (("check", ".", "--data", "nowhere"), "expected the data folder"),
        (("network", "--network", "vgg16"), "resnet18"),
    ],
)
def test_other_commands(in4310, monkeypatch, tmp_path, arguments, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IN4310_DATA", raising=False)
    result = in4310(*arguments)
    assert result.exit_code == 2
    assert says in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
