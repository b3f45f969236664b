"""Correct splits in other forms: drawn otherwise, written otherwise; each must get full marks."""

import shutil

import numpy as np
from faults.catalogue import variant
from faults.world import SETS, forget, replace, rows, table, write_rows


def other_split(folder, world, seed, test, val):
    sets = {name: [] for name in SETS}
    total = len(world.data.labels)
    for c in world.classes:
        own = sorted(p for p in world.data.labels if p.startswith(c + "/"))
        own = [str(p) for p in np.random.RandomState(seed).permutation(own)]
        a, b = round(test * len(own) / total), round(val * len(own) / total)
        sets["test"] += own[:a]
        sets["val"] += own[a : a + b]
        sets["train"] += own[a + b :]
    for name in SETS:
        sets[name] = [str(p) for p in np.random.RandomState(seed).permutation(sets[name])]
    world.rebuild(folder, split=sets)


def sizes(world):
    return world.edition.sizes(len(world.data.labels))


@variant()
def another_seed_and_way_of_splitting(folder, world):
    asked = sizes(world)
    other_split(folder, world, 7, asked["test"], asked["val"])


@variant()
def a_split_of_about_the_size(folder, world):
    asked = sizes(world)
    other_split(folder, world, 11, round(asked["test"] * 1.03), round(asked["val"] * 1.03))


@variant()
def split_as_text_files(folder, world):
    for name in SETS:
        paths = rows(folder, name)
        (folder / "split" / f"{name}.csv").unlink()
        replace(folder / "split" / f"{name}.txt", "\n".join(paths))


@variant()
def split_in_one_json_file(folder, world):
    sets = {name: rows(folder, name) for name in SETS}
    shutil.rmtree(folder / "split")
    replace(folder / "split.json", sets)
    forget(folder, "split")


@variant()
def split_in_one_table_with_a_column_for_the_set(folder, world):
    lines = [(p, name) for name in SETS for p in rows(folder, name)]
    shutil.rmtree(folder / "split")
    replace(folder / "oppdeling.csv", table(("path", "set"), *lines))
    forget(folder, "split")


@variant()
def split_as_numpy_texts(folder, world):
    for name in SETS:
        np.save(folder / f"{name}_paths.npy", np.array(rows(folder, name)))
    shutil.rmtree(folder / "split")
    forget(folder, "split")


@variant()
def split_with_windows_separators_and_line_ends(folder, world):
    for name in SETS:
        replace(
            folder / "split" / f"{name}.csv",
            "path\r\n" + "\r\n".join(p.replace("/", "\\") for p in rows(folder, name)),
        )


@variant()
def split_with_a_folder_before_the_class(folder, world):
    for name in SETS:
        write_rows(folder, name, [f"mandatory1_data/{p}" for p in rows(folder, name)])


@variant()
def split_tables_without_a_header(folder, world):
    for name in SETS:
        replace(
            folder / f"{name}ing.csv" if name == "train" else folder / f"{name}.csv",
            table(*[(p, world.data.labels[p]) for p in rows(folder, name)]),
        )
    shutil.rmtree(folder / "split")
    forget(folder, "split")


@variant()
def split_with_a_bom_in_utf_16(folder, world):
    for name in SETS:
        paths = rows(folder, name)
        (folder / "split" / f"{name}.csv").unlink()
        (folder / "split" / f"{name}.txt").write_text("\n".join(paths), encoding="utf-16")
    forget(folder, "split")
