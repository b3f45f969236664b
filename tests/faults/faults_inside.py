"""Faults of what is found inside the network: modules, shares of non-positive values, pictures, spectra."""

import shutil
from dataclasses import replace as with_

import numpy as np
from faults.catalogue import fault
from faults.world import edit
from PIL import Image

SHARE = "non_positive_recomputed"
SHARES = ("non_positive_in_range", SHARE)
SPECTRA = ("eigenvalues_recomputed",)


def shares(folder, of):
    """Replace the percentage of each module by `of` its name."""
    edit(folder / "non_positive.json", lambda d: d | {"percent": {m: float(of(m)) for m in d["percent"]}})


def percent(maps):
    return 100 * float((maps <= 0).double().mean())


@fault("F39", SHARE, says="zeros were not counted")
def negative_for_non_positive(folder, world):
    shares(folder, lambda m: 100 * float((world.maps[m] < 0).double().mean()))


@fault("F39", SHARE, says="a share of 1, not a percentage")
def share_for_percentage(folder, world):
    shares(folder, lambda m: percent(world.maps[m]) / 100)


@fault("F64", SHARE, says="share of positive values")
def positive_share(folder, world):
    shares(folder, lambda m: 100 - percent(world.maps[m]))


@fault("F40", SHARE, says="the same batch")
def the_same_batch_again_and_again(folder, world):
    shares(folder, lambda m: percent(world.maps[m][:32]))


@fault("F40", "non_positive_in_range", says="the same images came again")
def images_that_come_again(folder, world):
    def change(document):
        document["images"] = document["images"][:100] * 2
        document["percent"] = {m: percent(world.maps[m][:100]) for m in document["percent"]}

    edit(folder / "non_positive.json", change)


@fault("F41", SHARE, says="training mode")
def statistics_in_training_mode(folder, world):
    maps = world.hooked(training=True)
    shares(folder, lambda m: percent(maps[m]))


@fault("F41", SHARE, says="not normalised")
def statistics_of_images_that_were_not_normalised(folder, world):
    maps = world.hooked(preprocessing=with_(world.plan.preprocessing, mean=(0.0,) * 3, std=(1.0,) * 3))
    shares(folder, lambda m: percent(maps[m]))


# Modules whose output an in-place operation overwrites: the sum and the ReLU at the end of a block.
OVERWRITTEN = ("layer1.0.bn2", "layer1.1.bn2", "layer2.0.bn2", "layer3.1.bn2", "layer4.1.bn2")


@fault("F42", SHARE, says="in-place ReLU")
def a_hook_that_keeps_what_relu_overwrites(folder, world):
    maps = world.hooked(late=True, modules=OVERWRITTEN)
    edit(folder / "non_positive.json", lambda d: d | {"percent": {m: percent(o) for m, o in maps.items()}})


@fault("F43", SHARE, says="batches of unequal size")
def average_over_batches_of_unequal_size(folder, world):
    shares(folder, lambda m: np.mean([percent(world.maps[m][i : i + 64]) for i in range(0, 200, 64)]))


@fault("F63", SHARE, says="208")
def divided_by_thirteen_batches_of_sixteen(folder, world):
    shares(folder, lambda m: percent(world.maps[m]) * 200 / 208)


@fault("F65", SHARE, says="not reset")
def counters_not_reset_between_networks(folder, world):
    other = world.hooked(model=world.untuned)
    shares(folder, lambda m: (percent(world.maps[m]) + percent(other[m])) / 2)


@fault("F66", SHARE, says="the other network")
def shares_of_the_untuned_network(folder, world):
    other = world.hooked(model=world.untuned)
    shares(folder, lambda m: percent(other[m]))


@fault("F51", SHARE, says="BGR")
def shares_of_bgr_images(folder, world):
    maps = world.hooked(pixels=lambda p: p[:, :, ::-1])
    shares(folder, lambda m: percent(maps[m]))


@fault("F39", SHARE, says="other modules")
def figures_beside_the_wrong_names(folder, world):
    names = world.modules()
    shares(folder, lambda m: percent(world.maps[names[names.index(m) - 1]]))


@fault("F44", "modules_named", follows=SHARES, says="modules that the network lacks")
def module_names_that_the_network_lacks(folder, world):
    edit(
        folder / "non_positive.json",
        lambda d: d | {"percent": {f"backbone.{m}": v for m, v in d["percent"].items()}},
    )


@fault("F44", "modules_named", follows=SHARES, says="modules of the network that were looked into")
def three_modules(folder, world):
    edit(folder / "non_positive.json", lambda d: d | {"percent": dict(list(d["percent"].items())[:3])})


@fault("F45", "feature_map_pictures", says="one picture for all images")
def one_picture_for_all_images(folder, world):
    for file in sorted((folder / "feature_maps").glob("*.png"))[1:]:
        file.unlink()


@fault("F45", "feature_map_pictures", says="copies of another")
def the_same_picture_ten_times(folder, world):
    files = sorted((folder / "feature_maps").glob("*.png"))
    for file in files[1:]:
        file.unlink()
        shutil.copy(files[0], file)


@fault("F45", "feature_map_pictures", says="show nothing")
def blank_feature_maps(folder, world):
    for i, file in enumerate(sorted((folder / "feature_maps").glob("*.png"))):
        file.unlink()
        Image.new("L", (50 + i, 50), 0).save(file)


# -- spectra -------------------------------------------------------------------------------------------


def spectra(folder, of, which=(("tuned", "course"),)):
    """Replace the eigenvalues of each module of some series by `of` its name; no total variance is left."""

    def change(document):
        for series in document["series"]:
            if (series["model"], series["data"]) in which:
                for m, entry in series["modules"].items():
                    values = [float(v) for v in of(m)]
                    series["modules"][m] = {"values": values[: max(1, len(entry["values"]))]}

    edit(folder / "eigenvalues.json", change)


def centred(x):
    return x - x.mean(axis=0)


def descending(matrix):
    return np.linalg.eigvalsh(matrix)[::-1]


def right(x):
    return np.maximum(descending(centred(x).T @ centred(x) / len(x)), 0)


FOLLOW = ("eigenvalues_valid",)


@fault("F46", *SPECTRA, follows=FOLLOW, says="not centred")
def covariance_not_centred(folder, world):
    f = world.features()
    spectra(folder, lambda m: np.maximum(descending(f[m].T @ f[m] / len(f[m])), 0))


@fault("F46", *SPECTRA, follows=FOLLOW, says="correlation")
def correlation_for_covariance(folder, world):
    f = world.features()

    def of(m):
        deviation = f[m].std(axis=0)
        z = centred(f[m]) / np.where(deviation > 0, deviation, 1)
        return np.maximum(descending(z.T @ z / len(z)), 0)

    spectra(folder, of)


@fault("F46", *SPECTRA, follows=FOLLOW, says="not divided by the number of images")
def not_divided(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m]) * 200)


@fault("F47", *SPECTRA, follows=FOLLOW, says="the transpose")
def covariance_of_the_transpose(folder, world):
    f = world.features()
    spectra(folder, lambda m: np.maximum(descending(np.cov(f[m])), 0)[:190])


@fault("F48", *SPECTRA, follows=FOLLOW, says="flattened")
def whole_maps_flattened(folder, world):
    def of(m):
        x = centred(world.maps[m].flatten(1).double().numpy())
        return np.maximum(descending(x @ x.T / len(x)), 0)[:190]

    spectra(folder, of)


@fault("F49", "eigenvalues_valid", *SPECTRA, says="ascending")
def ascending_eigenvalues(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m])[:10][::-1])


@fault("F49", "eigenvalues_valid", *SPECTRA, says="0 or more")
def negative_eigenvalues(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m])[:10] - right(f[m])[2])


@fault(
    "F49",
    "eigenvalues_valid",
    *SPECTRA,
    follows=("comparison_complete", "comparison_recomputed"),
    says="real, finite numbers",
)
def complex_eigenvalues(folder, world):
    def change(document):
        for series in document["series"]:
            for entry in series["modules"].values():
                entry["values"] = [f"({v}+0j)" for v in entry["values"]]

    edit(folder / "eigenvalues.json", change)


@fault("F50", *SPECTRA, follows=FOLLOW, says="square roots")
def square_roots(folder, world):
    f = world.features()
    spectra(folder, lambda m: np.sqrt(right(f[m])))


@fault("F50", *SPECTRA, follows=FOLLOW, says="singular values")
def singular_values(folder, world):
    f = world.features()
    spectra(folder, lambda m: np.linalg.svd(centred(f[m]), compute_uv=False))


@fault("F50", *SPECTRA, follows=FOLLOW, says="squares of the eigenvalues")
def squared(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m]) ** 2)


@fault("F50", *SPECTRA, follows=FOLLOW, says="shares of the total variance")
def explained_variance_ratio(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m]) / right(f[m]).sum())


@fault("F41", *SPECTRA, follows=FOLLOW, says="training mode")
def spectra_in_training_mode(folder, world):
    f = world.features(world.hooked(training=True))
    spectra(folder, lambda m: right(f[m]))


@fault("F42", *SPECTRA, follows=FOLLOW, says="in-place ReLU")
def spectra_of_what_relu_overwrote(folder, world):
    f = world.features(world.hooked(late=True, modules=OVERWRITTEN))

    def change(document):
        for series in document["series"]:
            if (series["model"], series["data"]) == ("tuned", "course"):
                series["modules"] = {m: right(f[m])[:40].tolist() for m in OVERWRITTEN}

    edit(folder / "eigenvalues.json", change)


@fault("F46", *SPECTRA, follows=FOLLOW, says="only one batch")
def spectra_of_one_batch(folder, world):
    f = world.features()
    spectra(folder, lambda m: right(f[m][:64]))


@fault("F66", "comparison_complete", "comparison_recomputed", says="the same network was used for both")
def the_same_network_in_all_panels(folder, world):
    def change(document):
        tuned = next(s for s in document["series"] if (s["model"], s["data"]) == ("tuned", "course"))
        for series in document["series"]:
            if (series["model"], series["data"]) == ("untuned", "course"):
                series["modules"] = tuned["modules"]

    edit(folder / "eigenvalues.json", change)


@fault("F51", "comparison_recomputed", follows=FOLLOW, says="BGR")
def garbled_comparison(folder, world):
    f = world.features(world.hooked(model=world.untuned, pixels=lambda p: p[:, :, ::-1]))
    spectra(folder, lambda m: right(f[m]), (("untuned", "course"),))


@fault("F52", "comparison_complete", follows=("comparison_recomputed",), says="missing")
def one_data_set_where_three_are_compared(folder, world):
    edit(
        folder / "eigenvalues.json",
        lambda d: d | {"series": [s for s in d["series"] if s["data"] == "course"]},
    )


@fault("F52", "spectrum_plot", says="plots of eigenvalues")
def no_plot_of_the_spectra(folder, world):
    (folder / "plots" / "spectra.png").unlink()


HOOKS = """
import torch
def non_positive(model, loader, modules):
    totals = {{m: [0.0, 0] for m in modules}}
    def hook(name):
        def count(module, inputs, output):
            totals[name][0] += {count}
            totals[name][1] += output.numel()
        return count
    named = dict(model.named_modules())
    for m in modules:
        named[m].register_forward_hook(hook(m))
    with torch.no_grad():
        for images, labels in loader:
            model(images)
    return {{m: 100 * a / b for m, (a, b) in totals.items()}}
"""


@fault("F39", SHARE, says="counts < 0, not <= 0")
def hooks_that_count_below_zero(folder, world):
    from faults.world import adapters

    adapters(folder, HOOKS.format(count="int((output < 0).sum())"), non_positive="non_positive")
