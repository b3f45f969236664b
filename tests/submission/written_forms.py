"""A small hand-in, and every form in which students write each piece of it: a form's name, and what writes it."""

import json

import numpy as np
import torch

from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints

CLASSES = ("buildings", "forest", "glacier", "mountain", "sea", "street")
PATHS = [f"{c}/{100 * j + i}.jpg" for j, c in enumerate(CLASSES) for i in range(20)]
ORDER = np.random.RandomState(3).permutation(len(PATHS))
SPLIT = {
    "test": [PATHS[i] for i in ORDER[:25]],
    "val": [PATHS[i] for i in ORDER[25:42]],
    "train": [PATHS[i] for i in ORDER[42:]],
}
SCORES = np.random.RandomState(0).dirichlet(np.ones(6), 25)
HINTS = Hints(CLASSES, frozenset(PATHS), {"test": 25, "val": 17})


def found(folder):
    return Submission(folder, HINTS)


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def label(path):
    return path.split("/")[0]


def three(name, line, header="", suffix="txt", join="\n"):
    def make(folder):
        for own, paths in SPLIT.items():
            write(folder, f"{name.format(own)}.{suffix}", header + join.join(line(p) for p in paths))

    return make


def save_npz(folder):
    np.savez(folder / "split.npz", **{f"X_{name}": np.array(paths) for name, paths in SPLIT.items()})


def image_folders(folder):
    for name, paths in SPLIT.items():
        for path in paths:
            write(folder, f"data/{name}/{path}", b"\xff\xd8 not looked at")


def one_csv(header, row):
    return lambda folder: write(
        folder, "liste.csv", header + "\n" + "\n".join(row(n, p) for n, ps in SPLIT.items() for p in ps)
    )


SPLITS = {
    "txt": three("{}", lambda p: p),
    "names with words": three("mine {} bilder", lambda p: p),
    "windows paths": three(
        "{}_files", lambda p: "C:\\Users\\Kari\\mandatory1_data\\" + p.replace("/", "\\"), join="\r\n"
    ),
    "csv with header and label": three("lists/{}", lambda p: f"{p},{label(p)}", "path,label\n", "csv"),
    "csv without header": three("{}", lambda p: f"{p},{CLASSES.index(label(p))}", "", "csv"),
    "pandas with index": three("{}_df", lambda p: f"{PATHS.index(p)},{p},{label(p)}", ",file,class\n", "csv"),
    "names and labels": three("{}", lambda p: f"{label(p)};{p.split('/')[1]}", "label;filename\n", "csv"),
    "with a BOM": three("{}", lambda p: f"{p};{label(p)}", "\ufeffpath;label\n", "csv"),
    "sets in folders": lambda folder: [
        write(folder, f"{n}/list.txt", "\n".join(p)) for n, p in SPLIT.items()
    ],
    "json": lambda folder: write(folder, "s.json", json.dumps(SPLIT)),
    "yaml": lambda folder: write(
        folder, "s.yaml", "".join(f"{n}:\n" + "".join(f"  - {p}\n" for p in ps) for n, ps in SPLIT.items())
    ),
    "json by class": lambda folder: write(
        folder,
        "s.json",
        json.dumps({n: {c: [p for p in ps if label(p) == c] for c in CLASSES} for n, ps in SPLIT.items()}),
    ),
    "json with labels": lambda folder: write(
        folder,
        "s.json",
        json.dumps({f"{n}_set": [[p, CLASSES.index(label(p))] for p in ps] for n, ps in SPLIT.items()}),
    ),
    "json path to set": lambda folder: write(
        folder, "s.json", json.dumps({p: n for n, ps in SPLIT.items() for p in ps})
    ),
    "json records": lambda folder: write(
        folder, "s.json", json.dumps([{"image": p, "split": n} for n, ps in SPLIT.items() for p in ps])
    ),
    "one csv": one_csv("path,label,split", lambda n, p: f"{p},{label(p)},{n}"),
    "one csv, other words": one_csv("set;image", lambda n, p: f"{dict(val='validation').get(n, n)};{p}"),
    "by size alone": lambda folder: [
        write(folder, f"{n}.txt", "\n".join(SPLIT[own]))
        for n, own in (("a", "val"), ("b", "train"), ("c", "test"))
    ],
    "npy": lambda folder: [np.save(folder / f"{n}_paths.npy", np.array(p)) for n, p in SPLIT.items()],
    "npz": save_npz,
    "folders of images": image_folders,
    "torch, one file": lambda folder: torch.save(SPLIT, folder / "split.pt"),
    "torch, a file a set": lambda folder: [torch.save(p, folder / f"{n}_files.pt") for n, p in SPLIT.items()],
}
LISTED = sorted(PATHS, key=lambda path: path.split("/"))  # as ImageFolder lists them
ROWS = {name: [LISTED.index(path) for path in paths] for name, paths in SPLIT.items()}
ROW_FORMS = {
    "json": lambda folder: write(folder, "split.json", json.dumps(ROWS)),
    "a json a set": lambda folder: [write(folder, f"{n}.json", json.dumps(r)) for n, r in ROWS.items()],
    "npy": lambda folder: [np.save(folder / f"{n}_idx.npy", np.array(r)) for n, r in ROWS.items()],
    "npz": lambda folder: np.savez(folder / "split.npz", **{n: np.array(r) for n, r in ROWS.items()}),
    "text": lambda folder: [np.savetxt(folder / f"{n}.txt", r) for n, r in ROWS.items()],
    "tensors": lambda folder: torch.save({n: torch.tensor(r) for n, r in ROWS.items()}, folder / "split.pt"),
    "lists in a .pt": lambda folder: [torch.save(r, folder / f"{n}_indices.pt") for n, r in ROWS.items()],
}


def numbers(row, mark=".", join=","):
    return join.join(f"{v:.9f}".replace(".", mark) for v in row)


SCORE_FORMS = {
    "npy": lambda f: np.save(f / "out.npy", SCORES.astype(np.float32)),
    "fortran order": lambda f: np.save(f / "out.npy", np.asfortranarray(SCORES)),
    "npz": lambda f: np.savez(f / "predictions.npz", test=SCORES),
    "tensor": lambda f: torch.save(torch.from_numpy(SCORES), f / "softmax.pt"),
    "dict of tensors": lambda f: torch.save({"scores": torch.from_numpy(SCORES)}, f / "softmax.pt"),
    "csv": lambda f: write(f, "scores.csv", "\n".join(numbers(r) for r in SCORES)),
    "decimal comma": lambda f: write(f, "resultat.csv", "\n".join(numbers(r, ",", ";") for r in SCORES)),
    "savetxt": lambda f: write(f, "scores.txt", "\n".join(numbers(r, ".", " ") for r in SCORES)),
    "pandas": lambda f: write(
        f, "s.csv", ",0,1,2,3,4,5\n" + "\n".join(f"{i},{numbers(r)}" for i, r in enumerate(SCORES))
    ),
    "named columns": lambda f: write(
        f,
        "s.csv",
        "file,true," + ",".join(CLASSES) + "\n"
        + "\n".join(f"{p},{CLASSES.index(label(p))},{numbers(r)}" for p, r in zip(SPLIT["test"], SCORES, strict=True)),
    ),
    "json": lambda f: write(f, "s.json", json.dumps(SCORES.tolist())),
    "json under a name": lambda f: write(f, "s.json", json.dumps({"softmax": SCORES.tolist()})),
}  # fmt: skip


EPOCHS = [
    {"train_loss": 1.5 / e, "val_loss": 1.7 / e, "train_accuracy": 0.4 + e / 20, "val_accuracy": 0.3 + e / 20,
     "train_map": 0.5 + e / 20, "val_map": 0.45 + e / 20} for e in range(1, 6)
]  # fmt: skip
TITLES = {"train_loss": "Train Loss", "val_loss": "valid_loss", "train_accuracy": "train acc", "val_accuracy": "val_acc",
          "train_map": "train mAP", "val_map": "valMeanAP"}  # fmt: skip
KERAS = {"train_loss": "loss", "train_accuracy": "accuracy", "train_map": "map"}


def as_lists(names):
    return {names.get(k, k): [e[k] for e in EPOCHS] for k in EPOCHS[0]}


HISTORIES = {
    "house": lambda f: write(f, "h/a.json", json.dumps({"settings": {"lr": 1}, "epochs": [{"epoch": i, **e} for i, e in enumerate(EPOCHS, 1)]})),
    "keras": lambda f: write(f, "log.json", json.dumps(as_lists(KERAS))),
    "lists in history": lambda f: write(f, "log.json", json.dumps({"lr": 0.1, "history": as_lists({})})),
    "records": lambda f: write(f, "log.json", json.dumps([{"epoch": i, **e} for i, e in enumerate(EPOCHS)])),
    "lines with how many epochs": lambda f: write(
        f, "log.jsonl", "".join(json.dumps({"lr": 0.1, "epochs": len(EPOCHS), "epoch": i, **e}) + "\n" for i, e in enumerate(EPOCHS, 1))
    ),
    "csv": lambda f: write(f, "log.csv", "epoch," + ",".join(TITLES[k] for k in EPOCHS[0]) + "\n"
                           + "\n".join(f"{i}," + ",".join(str(e[k]) for k in EPOCHS[0]) for i, e in enumerate(EPOCHS, 1))),
    "percent, decimal comma": lambda f: write(f, "log.csv", "Epoke;" + ";".join(TITLES[k] for k in EPOCHS[0]) + "\n"
                           + "\n".join(f"{i};" + ";".join(str(e[k] * (1 if "loss" in k else 100)).replace(".", ",") for k in EPOCHS[0])
                                       for i, e in enumerate(EPOCHS))),
    "sets inside": lambda f: write(f, "log.json", json.dumps({s: {k.split("_")[1]: [e[k] for e in EPOCHS] for k in EPOCHS[0] if k.startswith(s)}
                                                              for s in ("train", "val")})),
}  # fmt: skip


FIGURES = {
    s: {
        "accuracy": 0.9 + i / 100,
        "mean_accuracy": 0.89 + i / 100,
        "map": 0.95 + i / 100,
        "accuracy_per_class": {c: 0.8 + j / 50 + i / 100 for j, c in enumerate(CLASSES)},
        "ap_per_class": {c: 0.81 + j / 50 + i / 100 for j, c in enumerate(CLASSES)},
    }
    for i, s in enumerate(("val", "test"))
}


def flat(form):
    out = {}
    for s, t in FIGURES.items():
        out |= {
            form(s, "accuracy"): t["accuracy"],
            form(s, "mean accuracy"): t["mean_accuracy"],
            form(s, "mAP"): t["map"],
        }
        out |= {form(s, f"accuracy {c}"): v for c, v in t["accuracy_per_class"].items()}
        out |= {form(s, f"AP {c}"): v for c, v in t["ap_per_class"].items()}
    return out


def class_tables(folder):
    for s, t in FIGURES.items():
        rows = [f"{c};{t['accuracy_per_class'][c]};{t['ap_per_class'][c]}" for c in CLASSES]
        rows.append(f"mean;{t['mean_accuracy']};{t['map']}")
        write(
            folder,
            f"{s}_results.csv",
            "class;accuracy;AP\n" + "\n".join(rows) + f"\noverall;{t['accuracy']};\n",
        )


METRICS = {
    "house": lambda f: write(f, "x.json", json.dumps(FIGURES)),
    "flat": lambda f: write(f, "x.json", json.dumps(flat(lambda s, n: f"{s}_{n}".replace(" ", "_")))),
    "flat, set last": lambda f: write(f, "x.json", json.dumps(flat(lambda s, n: f"{n} {dict(val='validation').get(s, s)}"))),
    "lists": lambda f: write(f, "x.json", json.dumps({s: {**t, "accuracy_per_class": list(t["accuracy_per_class"].values()),
                                                          "ap_per_class": list(t["ap_per_class"].values())} for s, t in FIGURES.items()})),
    "measure, value": lambda f: write(f, "x.csv", "measure,value\n" + "\n".join(f"{k},{v}" for k, v in flat(lambda s, n: f"{s} {n}").items())),
    "a row a class": class_tables,
}  # fmt: skip


RANKED = {
    c: {side: [f"{d}/{i}.jpg" for i in range(10)] for side, d in (("top", c), ("bottom", "forest"))}
    for c in ("sea", "street")
}
RANKINGS = {
    "house": lambda f: write(f, "r.json", json.dumps(RANKED)),
    "printed": lambda f: write(f, "out.txt", "Ranking of the test set\n" + "\n".join(
        f"{s} 10 {c}:\n" + "\n".join(f"  {p} 0.5" for p in l) for c, t in RANKED.items() for s, l in t.items()) + "\nsaved plots/rank.png\n"),
    "printed, class first": lambda f: write(f, "out.log", "\n".join(
        f"class {c}\n" + "\n".join(f"{s}: {l}" for s, l in t.items()) for c, t in RANKED.items())),
    "class indices": lambda f: write(f, "r.json", json.dumps({CLASSES.index(c): t for c, t in RANKED.items()})),
    "flat": lambda f: write(f, "r.json", json.dumps({f"{c}_{s}10": p for c, t in RANKED.items() for s, p in t.items()})),
    "side first": lambda f: write(f, "r.json", json.dumps({s: {c: RANKED[c][s] for c in RANKED} for s in ("top", "bottom")})),
    "pairs": lambda f: write(f, "r.json", json.dumps({c: {s: [[p, 0.5] for p in l] for s, l in t.items()} for c, t in RANKED.items()})),
    "objects": lambda f: write(f, "r.json", json.dumps({c: {s: [{"file": p, "score": 0.5} for p in l] for s, l in t.items()} for c, t in RANKED.items()})),
    "csv": lambda f: write(f, "r.csv", "class,side,rank,path\n" + "\n".join(f"{c},{s},{i},{p}" for c, t in RANKED.items() for s, l in t.items()
                                                                           for i, p in enumerate(l))),
    "files": lambda f: [write(f, f"rank/{s}10_{c}.csv", "path,score\n" + "\n".join(f"{p},0.5" for p in l)) for c, t in RANKED.items() for s, l in t.items()],
    "worst and best": lambda f: write(f, "r.json", json.dumps({f"{dict(top='best', bottom='worst')[s]} {c}": p for c, t in RANKED.items() for s, p in t.items()})),
}  # fmt: skip


PERCENT = {"maxpool": 23.3, "layer1": 23.58, "layer2.0.bn1": 49.18, "avgpool": 1.34}
SHARES = {
    "house": lambda f: write(f, "n.json", json.dumps({"percent": PERCENT})),
    "flat": lambda f: write(f, "n.json", json.dumps(PERCENT)),
    "inside": lambda f: write(f, "n.json", json.dumps({k: {"non_positive_percent": v} for k, v in PERCENT.items()})),
    "csv": lambda f: write(f, "n.csv", "module,percentage\n" + "\n".join(f"{k},{v}" for k, v in PERCENT.items())),
    "lines": lambda f: write(f, "n.txt", "Andel ikke-positive:\n" + "\n".join(f"{k}: {v} %" for k, v in PERCENT.items())),
    "decimal comma": lambda f: write(f, "n.txt", "\n".join(f"{k} = {v}".replace(".", ",") if k != "layer2.0.bn1" else f"{k} = 49,18"
                                                           for k, v in PERCENT.items())),
}  # fmt: skip


EIGEN = {(d, m): (np.arange(12, 0, -1) ** 2.0 * (i + 1)).tolist()
         for i, (d, m) in enumerate([("course", "layer1"), ("course", "layer4"), ("imagenet", "layer1"), ("cifar10", "layer1")])}  # fmt: skip
SPECTRA = {
    "npz": lambda f: np.savez(f / "e.npz", **{f"{d}_{m}": np.array(v) for (d, m), v in EIGEN.items()}),
    "npy files": lambda f: [np.save(f / f"eig_{m}_{d}.npy", np.array(v)) for (d, m), v in EIGEN.items()],
    "json": lambda f: write(f, "e.json", json.dumps({d: {m: v for (dd, m), v in EIGEN.items() if dd == d} for d, _ in EIGEN})),
    "json, module first": lambda f: write(f, "e.json", json.dumps({m: {d: v for (d, mm), v in EIGEN.items() if mm == m} for _, m in EIGEN})),
    "long csv": lambda f: write(f, "e.csv", "data,module,index,value\n" + "\n".join(f"{d},{m},{i},{x}" for (d, m), v in EIGEN.items() for i, x in enumerate(v))),
    "text files": lambda f: [np.savetxt(f / f"{d}_{m}.txt", v) for (d, m), v in EIGEN.items()],
    "text files with an index": lambda f: [write(f, f"{d}/{m}.csv", "k,eigenvalue\n" + "\n".join(f"{i},{x}" for i, x in enumerate(v, 1)))
                                           for (d, m), v in EIGEN.items()],
    "house, other names": lambda f: write(f, "e.json", json.dumps({"series": [
        {"model": "fine-tuned" if d == "course" else "pretrained", "data": {"course": "scenes", "imagenet": "ILSVRC", "cifar10": "CIFAR-10"}[d],
         "modules": {f"model.{m.replace('layer', 'stage')}": v for (dd, m), v in EIGEN.items() if dd == d}} for d in dict.fromkeys(d for d, _ in EIGEN)]})),
    "columns": lambda f: write(f, "e.csv", ",".join(f"{d} {m}" for d, m in EIGEN) + "\n" + "\n".join(",".join(map(str, r)) for r in zip(*EIGEN.values(), strict=True))),
}  # fmt: skip
