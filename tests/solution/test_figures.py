"""Figures hold the data they were given, nothing else, and the same data gives the same bytes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from in4310.errors import InputError
from in4310.solution.drawing import figures

CLASSES = ["forest", "sea", "street"]
RANDOM = np.random.default_rng(0)


def history(epochs: int = 5, best: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "epoch": e,
            "train_loss": 2.0 / e,
            "val_loss": 2.5 / e,
            "train_accuracy": 0.9,
            "val_accuracy": 0.1 * e,
            "train_map": 0.95,
            "val_map": 0.9 - 0.1 * abs(e - best),
        }
        for e in range(1, epochs + 1)
    ]


def everything() -> dict[str, Figure]:
    scores = np.random.default_rng(1).dirichlet(np.ones(3), 40)
    pixels = np.random.default_rng(2).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return {
        "curves": figures.curves({"sgd": history(), "adam": history(8, 8)}),
        "confusion": figures.confusion([[5, 1, 0], [0, 7, 2], [1, 0, 9]], CLASSES),
        "ranked": figures.ranked([(pixels, f"sea/{i}.jpg", "sea", 0.9**i) for i in range(7)], "Top of sea"),
        "spectra": figures.spectra({"tuned": {"layer1": [3.0, 1.0]}, "untuned": {"layer1": [2.0], "layer2": [1.0]}}),
        "per_class": figures.per_class({"forest": 0.9, "sea": None}, {"forest": 0.95, "sea": None}),
        "score_histogram": figures.score_histogram(scores, scores.argmax(axis=1), CLASSES),
    }  # fmt: skip


def drawn(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def panels(figure: Figure) -> dict[str, Any]:
    return {axes.get_title(loc="left"): axes for axes in figure.axes if axes.axison}


def legend(figure: Figure) -> list[str]:
    return [text.get_text().strip() for text in figure.legends[0].get_texts()]


def marked(axes: Any) -> list[float]:
    return [float(line.get_xdata()[0]) for line in axes.get_lines() if line.get_fillstyle() == "none"]


def test_the_same_data_gives_the_same_bytes_and_all_of_them_draw(tmp_path: Path) -> None:
    first, again = everything(), everything()
    contents = set()
    for name, figure in first.items():
        content = figures.save(figure, tmp_path / f"{name}.png").read_bytes()
        assert figures.save(again[name], tmp_path / f"{name}_again.png").read_bytes() == content
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert np.asarray(picture.convert("L")).std() > 5, f"{name} is blank"
        contents.add(content)
    assert len(contents) == len(first)


def test_svg_holds_no_date_and_is_repeatable(tmp_path: Path) -> None:
    one = figures.save(everything()["spectra"], tmp_path / "one.svg").read_text()
    two = figures.save(everything()["spectra"], tmp_path / "two.svg").read_text()
    assert one == two
    assert "<svg" in one
    assert "dc:date" not in one
    assert "Matplotlib v" not in one


def test_the_callers_settings_neither_change_a_figure_nor_are_changed() -> None:
    plain = drawn(figures.curves({"a": history()}))
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "axes.grid": False}):
        before = dict(matplotlib.rcParams)
        assert drawn(figures.curves({"a": history()})) == plain
        assert dict(matplotlib.rcParams) == before


def test_save_refuses_other_formats_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = everything()["confusion"]
    with pytest.raises(InputError, match=r"plot\.gif: expected a file name that ends in \.png or \.svg"):
        figures.save(figure, tmp_path / "plot.gif")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError, match=r"plot\.png.*No space left"):
        figures.save(figure, tmp_path / "plot.png")
    assert not list(tmp_path.iterdir())


# -- curves ----------------------------------------------------------------------------------------


def test_curves_have_a_panel_a_metric_and_mark_the_best_epoch_of_each_run() -> None:
    figure = figures.curves({"sgd": history(5, 3), "adam": history(8, 7)})
    found = panels(figure)
    assert list(found) == ["Loss", "Accuracy", "mAP"]
    for axes in found.values():
        assert marked(axes) == [3, 7]
    assert legend(figure) == ["sgd", "adam", "Training", "Validation", "best on validation"]
    solid = [line for line in found["mAP"].get_lines() if line.get_linestyle() == "-"]
    assert [line.get_ydata()[2] for line in solid] == pytest.approx([0.9, 0.5])


def test_the_weights_that_were_kept_have_a_star_in_every_panel() -> None:
    figure = figures.curves({"sgd": history(5, 3), "adam": history(8, 7)}, kept=("adam", 5))
    for axes in panels(figure).values():
        assert [line.get_xdata()[0] for line in axes.get_lines() if line.get_marker() == "*"] == [5]
    assert legend(figure)[-1] == "the weights handed in"
    assert "the weights handed in" not in legend(figures.curves({"sgd": history()}, kept=("another", 5)))


def test_curves_show_the_test_set_only_where_it_was_recorded() -> None:
    epochs = [epoch | {"test_loss": 1.0} for epoch in history()]
    figure = figures.curves({"sgd": epochs})
    assert "Test" in legend(figure)
    dotted = {
        name: [li for li in axes.get_lines() if li.get_linestyle() == ":"]
        for name, axes in panels(figure).items()
    }
    assert [len(line.get_xdata()) for line in dotted["Loss"]] == [5]
    assert all(not len(line.get_xdata()) for line in dotted["mAP"])
    assert list(panels(figures.curves({"a": [{"train_loss": 1.0}, {"train_loss": 0.5}]}))) == ["Loss"]


def test_a_loss_over_many_decades_is_on_a_logarithmic_scale() -> None:
    wide = figures.curves({"a": [{"train_loss": 1e6}, {"train_loss": 1.0}]})
    assert panels(wide)["Loss"].get_yscale() == "log"
    assert panels(figures.curves({"a": history()}))["Loss"].get_yscale() == "linear"


anything = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=3),
    st.floats(),
    st.integers(),
    st.just(10**400),
    st.lists(st.none()),
)
epoch = st.dictionaries(
    st.sampled_from(["epoch", "val_map", "val_accuracy", "train_loss", "test_map"]), anything
)


def is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(value) <= 1e30


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(epoch, epoch, anything), max_size=6))
def test_curves_of_whatever_was_handed_in_show_its_numbers_only(epochs: list[Any]) -> None:
    figure = figures.curves({"run": epochs})
    usable = [
        (e.get("epoch", i), e["val_map"])
        for i, e in enumerate(epochs, 1)
        if isinstance(e, dict) and is_number(e.get("epoch", i)) and is_number(e.get("val_map"))
    ]
    if usable:
        best = usable[0]
        for one in usable:
            if one[1] > best[1]:
                best = one
        assert marked(panels(figure)["mAP"]) == [float(best[0])]
        solid = [line for line in panels(figure)["mAP"].get_lines() if line.get_linestyle() == "-"]
        assert list(solid[0].get_xdata()) == [float(at) for at, _ in usable]


# -- the others ------------------------------------------------------------------------------------


def test_confusion_shows_counts_and_shares_of_the_true_class() -> None:
    (axes,) = figures.confusion([[3, 1], [0, 0]], ["forest", "sea"]).axes
    texts = {text.get_position(): text.get_text() for text in axes.texts}
    assert texts == {(0, 0): "3\n75%", (1, 0): "1\n25%", (0, 1): "0", (1, 1): "0"}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["forest", "sea"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    with pytest.raises(InputError, match=r"expected 3 x 3, found shape \(2, 2\)"):
        figures.confusion([[3, 1], [0, 0]], CLASSES)


@pytest.mark.parametrize("count", [0, 1, 5, 10])
def test_ranked_images_stand_in_order_with_score_class_and_path(count: int) -> None:
    images = [
        (np.full((8, 8, 3), 20 * i, np.uint8), f"sea/{i}.jpg", "sea", score)
        for i, score in enumerate([1.0, 0.99996, 0.5, 1e-3, 5e-5, 3e-7, 1e-30, 0.0, 0.0, 0.0][:count])
    ]
    figure = figures.ranked(images, "Top ten of sea")
    (axes,) = figure.axes
    found = sorted((round(t.get_position()[1], 1), t.get_position()[0], t.get_text()) for t in axes.texts)
    said = [text for _, _, text in found]
    scores = ["1.0000", "1.0000", "0.5000", "0.0010", "0.0001", "3.0e-07", "1.0e-30", *["0.0000"] * 3]
    assert said[0] == "Top ten of sea"
    assert [t for t in said if ".  " in t] == [f"{i}.  {score}" for i, score in enumerate(scores[:count], 1)]
    assert [t for t in said if t.endswith(".jpg")] == [f"sea/{i}.jpg" for i in range(count)]
    assert said.count("sea") == count
    board = np.asarray(axes.images[0].get_array())
    greys = [
        board[board.shape[0] // 4 if i < 5 else -60, int((0.15 + 1.84 * (i % 5) + 0.8) * 110), 0]
        for i in range(count)
    ]
    if count == 10:
        assert greys == [20 * i for i in range(10)], "each picture stands in its own place"
    drawn(figure)


def test_spectra_have_a_panel_a_module_a_line_a_series_on_a_logarithmic_scale() -> None:
    figure = figures.spectra(
        {"tuned": {"layer1": [3.0, 1.0, 0.0, -1e-9]}, "untuned": {"layer1": [2.0], "layer2": [1.0]}}
    )
    found = panels(figure)
    assert list(found) == ["layer1", "layer2"]
    assert [list(line.get_ydata()) for line in found["layer1"].get_lines()] == [[3.0, 1.0], [2.0]]
    assert list(found["layer1"].get_lines()[0].get_xdata()) == [1, 2]
    assert all(axes.get_yscale() == "log" for axes in found.values())
    assert legend(figure) == ["tuned", "untuned"]
    first, second = found["layer1"].get_lines()
    for look in ("get_color", "get_linestyle", "get_marker"):
        assert getattr(first, look)() != getattr(second, look)(), "told apart by more than the colour"


def test_rounding_below_a_spectrum_does_not_flatten_it() -> None:
    (axes,) = figures.spectra({"a": {"layer4": [1.0, 0.1, 1e-19, 1e-22]}}).axes
    assert axes.get_ylim()[0] == pytest.approx(1e-8)


def test_per_class_bars_have_the_given_lengths_and_a_class_without_image_is_named() -> None:
    figure = figures.per_class({"forest": 0.25, "sea": None}, {"forest": 0.5, "sea": None})
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.0, 0.5, 0.0]
    assert [text.get_text() for text in axes.texts] == ["0.250", "no image", "0.500", "no image"]
    assert axes.get_xlim()[0] == 0, "a bar that does not start at 0 lies"
    assert legend(figure) == ["accuracy", "average precision"]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 60))
def test_every_finite_score_is_counted_once_with_its_class(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.choice([-1.0, 0.0, 0.3, 1.0, 7.0, np.nan, np.inf], (count, 3))
    labels = rng.integers(0, 3, count)
    figure = figures.score_histogram(scores, labels, CLASSES)
    for c, name in enumerate(CLASSES):
        first, second = (patch.get_data().values for patch in panels(figure)[name].patches)
        others = sum(np.isfinite(scores[i, c]) for i in range(count) if labels[i] != c)
        own = sum(np.isfinite(scores[i, c]) for i in range(count) if labels[i] == c)
        assert (sum(first), sum(second)) == (own, others)


def test_score_histogram_refuses_labels_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="one row for each of 4 labels"):
        figures.score_histogram(np.zeros((3, 3)), np.zeros(4, int), CLASSES)


@pytest.mark.parametrize("name", ["$\\frac{1}{$", "_hidden", "a\nb\x00\u202e", "x" * 5000, "\ud800", ""])
def test_names_are_shown_as_they_are_and_never_break_a_figure(name: str) -> None:
    figure = figures.curves({name: history()})
    drawn(figure)
    shown = legend(figure)[0]
    assert len(shown) < 50
    assert shown.isprintable()
    if name.isprintable() and len(name) < 40:
        assert shown == name
    drawn(figures.spectra({name: {name: [1.0]}}))
    drawn(figures.confusion([[1, 0], [0, 1]], [name, "b"]))
    drawn(figures.ranked([(np.zeros((4, 4, 3), np.uint8), name, name, 0.5)], name))
    drawn(figures.per_class({name: 0.5}, {name: 0.5}))
    drawn(figures.score_histogram(np.array([[0.5]]), np.array([0]), [name]))


def test_a_long_spectrum_is_thinned_and_keeps_its_ends() -> None:
    values = np.linspace(1, 0.1, 500)
    (line,) = figures.spectra({"a": {"layer4": values}}).axes[0].get_lines()
    x = list(line.get_xdata())
    assert len(x) < 60
    assert x[:8] == list(range(1, 9))
    assert x[-1] == 500
    assert list(line.get_ydata()) == [values[int(i) - 1] for i in x]


def test_accuracy_of_all_has_its_interval_and_what_is_expected_a_line() -> None:
    figure = figures.per_class({"sea": 0.9}, {"sea": 0.8}, (0.91, 0.86, 0.94), 0.85)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts == ["0.900", "0.800", "0.910 (0.860 to 0.940)"]
    assert legend(figure) == ["accuracy", "average precision", "accuracy of all, 95 %", "expected 0.85"]
    fills = [patch.get_facecolor() for patch in figure.axes[0].patches]
    assert fills[0] != fills[1], "filled and outlined: not told apart by colour alone"


def test_takes_what_json_gives_back() -> None:
    runs = json.loads(json.dumps({f"run {i}": history() for i in range(30)}))
    figure = figures.curves(runs)
    assert "and 18 more runs" in legend(figure)
    drawn(figure)
