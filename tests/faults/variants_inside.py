"""Correct findings inside the network in other forms: shares, spectra, pictures; each must get full marks."""

import numpy as np
from faults.catalogue import variant
from faults.world import edit, forget, read, replace


@variant()
def shares_as_text_of_two_decimals(folder, world):
    document = read(folder / "non_positive.json")
    (folder / "non_positive.json").unlink()
    forget(folder, "non_positive")
    replace(folder / "non-positive.txt", "\n".join(f"{m}: {v:.2f} %" for m, v in document["percent"].items()))


@variant()
def shares_over_208_images(folder, world):
    paths = [*world.statistics_paths(), *world.split["val"][:8]]
    import copy

    from in4310.solution import feature_maps
    from in4310.solution.loaders import batches

    loaded = world.images(paths)
    xs = (x for x, _ in batches(loaded, world.plan.preprocessing, 16, "cpu"))
    percent = feature_maps.non_positive(copy.deepcopy(world.model), xs, world.modules())
    replace(folder / "non_positive.json", {"images": paths, "percent": percent})


@variant()
def covariance_divided_by_n_minus_one(folder, world):
    def change(document):
        for series in document["series"]:
            n = len(series["paths"])
            for m, entry in series["modules"].items():
                series["modules"][m] = [v * n / (n - 1) for v in entry["values"]]

    edit(folder / "eigenvalues.json", change)


@variant()
def ten_largest_eigenvalues_of_five_digits(folder, world):
    def change(document):
        for series in document["series"]:
            for m, entry in series["modules"].items():
                series["modules"][m] = [float(f"{v:.5g}") for v in entry["values"][:10]]

    edit(folder / "eigenvalues.json", change)


@variant()
def eigenvalues_as_arrays_in_an_npz(folder, world):
    document = read(folder / "eigenvalues.json")
    (folder / "eigenvalues.json").unlink()
    forget(folder, "eigenvalues")
    np.savez(folder / "eigs.npz", **{f"{s['model']}_{s['data']}_{m}": np.array(e["values"][:20])
                                     for s in document["series"] for m, e in s["modules"].items()})  # fmt: skip


@variant()
def pictures_numbered_from_one(folder, world):
    files = sorted((folder / "feature_maps").glob("*.png"))
    for i, file in reversed(list(enumerate(files, 1))):
        file.rename(file.with_name(f"image_{i}.png"))
