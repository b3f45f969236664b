"""What students really hand in: foreign names, forms and locales, in a zip, without a line for us; judged whole."""

import json
import shutil

import numpy as np
import pytest
import torch

from in4310.judging.verdict import Outcome
from in4310.runner import judge_submission
from in4310.submission.sandbox.tiers import Tier

FULL_POINTS = 110


def rows(reference, name):
    return [line.split(",")[0] for line in (reference / "split" / f"{name}.csv").read_text().splitlines()[1:]]


@pytest.fixture
def foreign(reference, tmp_path):
    """The reference's contents as a student would leave them: nothing in the house's form but the feature maps."""
    out = tmp_path / "Kari Nordmann øving 1"
    out.mkdir()
    state = torch.load(reference / "model.pth", weights_only=True)
    named = {k.replace("layer", "stage").replace("downsample", "shortcut"): v for k, v in state.items()}
    torch.save(
        {"epoch": 17, "model_state_dict": named, "optimizer_state_dict": {"lr": 0.1}}, out / "beste modell.pt"
    )
    other = {k: v + 0.01 * torch.randn_like(v) if v.is_floating_point() else v for k, v in state.items()}
    torch.save(other, out / "model_last.pth")
    scores = np.load(reference / "scores_test.npy")
    text = "\n".join(";".join(f"{v:.8f}".replace(".", ",") for v in row) for row in scores)
    (out / "softmax test.csv").write_text(text + "\n")
    for own, name in (("train", "train"), ("val", "valid"), ("test", "test")):
        (out / f"{name}_files.txt").write_text("\r\n".join(rows(reference, own)))
    (out / "logs").mkdir()
    keys = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "train_map", "val_map")
    for file in (reference / "history").glob("*.json"):
        epochs = json.loads(file.read_text())["epochs"]
        lines = [",".join(str(e[k] * (100 if "accuracy" in k else 1)) for k in keys) for e in epochs]
        text = "epoch,Train Loss,Val Loss,train acc,val acc,train mAP,val mAP\n"
        (out / "logs" / f"{file.stem}.csv").write_text(
            text + "\n".join(f"{i},{line}" for i, line in enumerate(lines))
        )
    figures = {}
    for which, table in json.loads((reference / "metrics.json").read_text()).items():
        figures |= {f"{which}_acc": table["accuracy"], f"{which}_mAP": table["map"]}
        figures |= {f"{which} mean class accuracy": table["mean_accuracy"]}
        figures |= {f"{which}_acc_{c}": v for c, v in table["accuracy_per_class"].items()}
        figures |= {f"{which} AP {c}": v for c, v in table["ap_per_class"].items()}
    (out / "results.json").write_text(json.dumps(figures))
    ranked = json.loads((reference / "ranking.json").read_text())
    lines = [f"{c},{s}10,{p},{v}" for c, t in ranked.items() for s, entries in t.items() for p, v in entries]
    (out / "ranking.csv").write_text("class,which,path,score\n" + "\n".join(lines))
    shares = json.loads((reference / "non_positive.json").read_text())["percent"]
    (out / "non-positive.txt").write_text("\n".join(f"{k}: {v:.2f} %" for k, v in shares.items()))
    series = json.loads((reference / "eigenvalues.json").read_text())["series"]
    spectra = {
        f"{s['model']}_{s['data']}_{m}": np.array(e["values"][:20])
        for s in series
        for m, e in s["modules"].items()
    }
    np.savez(out / "eigs.npz", **spectra)
    shutil.copytree(reference / "feature_maps", out / "fm")
    shutil.copytree(reference / "plots", out / "figs")
    (out / "main.py").write_text("raise SystemExit('nobody runs this')\n")
    (out / "conftest.py").write_text("raise SystemExit('nobody runs this')\n")
    (out / "requirements.txt").write_text("torch==2.11\nnumpy\n")
    return out


NOT_SAID = {"split_seed", "network_start", "comparison_recorded"}
SOURCE = """
import numpy as np, torch
from sklearn.model_selection import train_test_split
from torchvision.models import resnet18

SEED = 42
model = resnet18(weights=None)
train, rest = train_test_split(paths, test_size=0.3, stratify=labels, random_state=SEED)

def reproduce(saved, again):
    assert np.allclose(saved, again, atol=1e-4)

raise SystemExit("nobody runs this")
"""


def outcomes(results):
    return {c.name: c for r in results.requirements for c in r.checks}


@pytest.mark.slow
def test_a_zip_of_foreign_files_is_judged_like_the_reference(foreign, tmp_path):
    """All that can be recomputed passes; what no file says is not run, and costs only its own points."""
    archive = shutil.make_archive(str(tmp_path / "kari"), "zip", foreign.parent, foreign.name)
    results = judge_submission(tmp_path / "kari.zip", "demo", report=tmp_path / "report")
    found = outcomes(results)
    assert {n for n, c in found.items() if c.outcome is Outcome.FAILED} == set()
    missing = {n for n, c in found.items() if c.outcome is Outcome.NOT_RUN}
    # The demo's edition lets training start from anything; the untrained network was not handed in.
    assert missing == NOT_SAID - {"network_start"} | {"comparison_recomputed"}
    lost = sum(found[n].max_points for n in missing)
    assert results.points + results.open_points == pytest.approx(FULL_POINTS - lost)
    assert results.name == "kari"
    assert results.submission == archive
    pieces = {p.name: p for p in results.pieces}
    assert pieces["model"].file == "beste modell.pt"
    assert pieces["model"].others == ["model_last.pth"]
    assert "resize 64" in str(found["scores_reproduce"].findings)
    assert not list(tmp_path.glob("in4310-*"))
    page = (tmp_path / "report" / "index.html").read_text()
    assert "beste modell.pt" in page


@pytest.mark.slow
def test_what_no_table_says_is_read_in_the_source(foreign):
    (foreign / "main.py").write_text(SOURCE)
    found = outcomes(judge_submission(foreign, "demo"))
    assert {n: found[n].outcome for n in NOT_SAID} == dict.fromkeys(NOT_SAID, Outcome.WARNED) | {
        "comparison_recorded": Outcome.OPEN,  # read only, and no stock edition trusts that
        "network_start": Outcome.PASSED,  # the demo's edition lets training start from anything
        "split_seed": Outcome.PASSED,  # and with the seed read the split is made again
    }
    assert "main.py:8: train_test_split" in str(found["split_seed"].findings)
    (foreign / "main.py").write_text(SOURCE.replace("atol=1e-4", "atol=0.5").replace("import numpy", "import argparse, numpy")
                                     + "p = argparse.ArgumentParser()\np.add_argument('data')\n")  # fmt: skip
    found = outcomes(judge_submission(foreign, "demo"))
    assert found["comparison_recorded"].outcome is Outcome.FAILED
    assert found["runs_without_arguments"].outcome is Outcome.FAILED


@pytest.mark.slow
def test_without_walls_functions_are_called_only_when_trusted_and_the_report_says_so(foreign, monkeypatch):
    monkeypatch.setattr(
        "in4310.submission.sandbox.worker.Sandbox._find_tier", lambda self: Tier(False, False, "a test")
    )
    (foreign / "submission.toml").write_text("[adapters]\ncompare = 'main:compare'\n")
    (foreign / "main.py").write_text("import numpy as np\ndef compare(saved, scores):\n"
                                     "    return bool(np.allclose(saved, scores, atol=1e-4))\n")  # fmt: skip
    results = judge_submission(foreign, "demo")
    assert outcomes(results)["comparison_recorded"].outcome is Outcome.OPEN  # read in the source
    assert "not isolated (a test)" in results.isolation
    assert "were not run" in results.isolation
    results = judge_submission(foreign, "demo", trusted=True)
    assert outcomes(results)["comparison_recorded"].outcome is Outcome.PASSED
    assert results.isolation.startswith("NOT ISOLATED")


@pytest.mark.slow
def test_the_network_that_gives_the_scores_is_taken_whatever_its_name(foreign):
    (foreign / "beste modell.pt").rename(foreign / "old tmp.pt")
    (foreign / "model_last.pth").rename(foreign / "best_final_model.pth")
    results = judge_submission(foreign, "demo")
    assert outcomes(results)["scores_reproduce"].outcome is Outcome.PASSED
    assert any("gives the scores" in note for note in results.notes)


@pytest.mark.slow
def test_absolute_paths_of_another_machine_cost_their_check_only(foreign):
    for file in foreign.glob("*_files.txt"):
        lines = file.read_text().split("\n")
        prefix = "C:\\Users\\Kari\\mandatory1_data\\"
        file.write_text("\n".join(prefix + line.strip().replace("/", "\\") for line in lines))
    found = outcomes(judge_submission(foreign, "demo"))
    assert {n for n, c in found.items() if c.outcome is Outcome.FAILED} == {"split_paths_relative"}


@pytest.mark.slow
def test_wrong_shares_and_eigenvalues_without_images_are_named_and_left_to_the_teacher(foreign):
    text = (foreign / "non-positive.txt").read_text()
    lines = [
        f"{line.split(':')[0]}: {100 - float(line.split(':')[1].rstrip(' %')):.2f} %"
        for line in text.splitlines()
    ]
    (foreign / "non-positive.txt").write_text("\n".join(lines))
    spectra = dict(np.load(foreign / "eigs.npz"))
    np.savez(foreign / "eigs.npz", **{k: np.sqrt(v) for k, v in spectra.items()})
    found = outcomes(judge_submission(foreign, "demo"))
    assert [n for n, c in found.items() if c.outcome is Outcome.FAILED] == []
    shares, spectra = (found[n] for n in ("non_positive_recomputed", "eigenvalues_recomputed"))
    assert (shares.outcome, spectra.outcome) == (Outcome.OPEN, Outcome.OPEN)
    assert "positive values" in shares.mistake
    assert "square roots" in spectra.mistake or "singular" in spectra.mistake


@pytest.mark.slow
def test_scores_of_the_other_network_fail(foreign):
    (foreign / "beste modell.pt").unlink()
    (foreign / "submission.toml").write_text(
        "[preprocessing]\nsize = 64\nresize = 64\n"
    )  # else all usual ones are tried
    found = outcomes(judge_submission(foreign, "demo"))
    assert found["scores_reproduce"].outcome is Outcome.FAILED


@pytest.mark.slow
def test_init_writes_what_was_found_and_it_is_valid(foreign, tmp_path):
    import tomllib

    from click.testing import CliRunner

    from in4310.cli import cli

    result = CliRunner().invoke(cli, ["init", str(foreign)])
    assert result.exit_code == 0, result.output
    document = tomllib.loads((foreign / "submission.toml").read_text())
    assert document["files"]["model"] == "beste modell.pt"
    assert document["files"]["scores"] == "softmax test.csv"
    again = CliRunner().invoke(cli, ["init", str(foreign)])
    assert again.exit_code == 2
    assert "--force" in again.stderr
    found = outcomes(judge_submission(foreign, "demo"))
    assert found["scores_reproduce"].outcome is Outcome.PASSED
