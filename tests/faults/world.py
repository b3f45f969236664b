"""What builders work with: the reference submission's network, images and split, real training, and writing of pieces."""

import copy
import csv
import dataclasses
import hashlib
import io
import json
from functools import cached_property
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from filelock import FileLock

from in4310.places import cache_folder
from in4310.progress import QUIET
from in4310.solution import metrics, network
from in4310.solution.drawing import figures
from in4310.solution.handin import Writer
from in4310.solution.images import Images, Preprocessing, load_images
from in4310.solution.loaders import batches
from in4310.solution.splits import Split

SETS = ("train", "val", "test")


def softmax(x, axis=1):
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def replace(path, content):
    """Write a file anew: the copy of the reference is made of hard links, which must not be written through."""
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, np.ndarray):
        with path.open("wb") as file:
            np.save(file, content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, str):
        path.write_bytes(content.encode())
    else:
        path.write_bytes(json.dumps(content).encode())


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def edit(path, change):
    """Replace a JSON document by what `change` makes of it (or leaves in it)."""
    document = read(path)
    changed = change(document)
    replace(path, document if changed is None else changed)


def rows(folder, name):
    with (folder / "split" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [row["path"] for row in csv.DictReader(file)]


def write_rows(folder, name, paths):
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(["path", "label"])
    writer.writerows([p, p.replace("\\", "/").split("/")[-2]] for p in paths)
    replace(folder / "split" / f"{name}.csv", stream.getvalue())


def table(*lines, delimiter=","):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(lines)
    return stream.getvalue()


def forget(folder, *pieces):
    """Leave places out of submission.toml: the pieces must be found."""
    lines = (folder / "submission.toml").read_text().splitlines()
    replace(
        folder / "submission.toml", "\n".join(x for x in lines if x.partition(" = ")[0] not in pieces) + "\n"
    )


def without_scores(folder):
    (folder / "scores_test.npy").unlink()
    forget(folder, "scores")


def adapters(folder, source, **named):
    """Put code into the submission and name its functions."""
    (folder / "oblig1.py").write_text(source, encoding="utf-8")
    text = (folder / "submission.toml").read_text()
    lines = "".join(f"{name} = 'oblig1:{function}'\n" for name, function in named.items())
    replace(folder / "submission.toml", text + "\n[adapters]\n" + lines)


class World:
    """The reference and all that can be made of it. Images are 64 x 64."""

    def __init__(self, reference, edition, data, plan):
        self.reference, self.edition, self.data, self.plan = reference, edition, data, plan
        self.classes = list(data.classes)

    @cached_property
    def split(self):
        return {name: tuple(rows(self.reference, name)) for name in SETS}

    @cached_property
    def model(self):
        return self.loaded("model.pth")

    @cached_property
    def untuned(self):
        return self.loaded("untuned.pth")

    def loaded(self, name):
        model = network.build("resnet18", len(self.classes), "none", 0)
        network.load_into(model, self.reference / name)
        return model.eval()

    def images(self, paths, preprocessing=None):
        stated = preprocessing or self.plan.preprocessing
        found, _ = load_images(self.data.root, tuple(paths), self.data.labels, self.classes, stated)
        return found

    @cached_property
    def scores(self):
        return np.load(self.reference / "scores_test.npy").astype(np.float64)

    @cached_property
    def labels(self):
        return np.array([self.classes.index(self.data.labels[p]) for p in self.split["test"]])

    def labels_of(self, paths):
        return np.array([self.classes.index(self.data.labels[p]) for p in paths])

    def logits(
        self,
        paths,
        model=None,
        training=False,
        preprocessing=None,
        pixels=None,
        batch_size=64,
        transform=None,
    ):
        """Outputs of a network as a student's loop would compute them, float64 (N, 6)."""
        model = copy.deepcopy(model or self.model).train(training)
        stated = preprocessing or self.plan.preprocessing
        loaded = self.images(paths, stated)
        if pixels is not None:
            loaded = Images(
                loaded.paths, np.stack([pixels(p) for p in loaded.pixels]), loaded.labels, loaded.classes
            )
        found = []
        with torch.no_grad():
            for x, _ in batches(loaded, stated, batch_size, "cpu"):
                found.append(model(transform(x) if transform else x).float())
        return torch.cat(found).double().numpy()

    def predicted(self, paths=None, **how):
        return softmax(self.logits(paths or self.split["test"], **how))

    @cached_property
    def maps(self):
        """module -> outputs over the 200 images of the statistics, float32, copied in the hook."""
        return self.hooked()

    def statistics_paths(self):
        return tuple(read(self.reference / "non_positive.json")["images"])

    def modules(self):
        return list(read(self.reference / "non_positive.json")["percent"])

    def hooked(
        self,
        late=False,
        training=False,
        model=None,
        preprocessing=None,
        batch_size=64,
        pixels=None,
        modules=None,
    ):
        """Outputs of the modules as a student's hooks collect them; `late`: a reference that ReLU overwrites."""
        model = copy.deepcopy(model or self.model).train(training)
        found = {m: [] for m in modules or self.modules()}
        named = dict(model.named_modules())
        for m, kept in found.items():
            named[m].register_forward_hook(lambda _m, _i, o, kept=kept: kept.append(o if late else o.clone()))
        stated = preprocessing or self.plan.preprocessing
        loaded = self.images(self.statistics_paths(), stated)
        if pixels is not None:
            loaded = Images(
                loaded.paths, np.stack([pixels(p) for p in loaded.pixels]), loaded.labels, loaded.classes
            )
        with torch.no_grad():
            for x, _ in batches(loaded, stated, batch_size, "cpu"):
                model(x)
        return {m: torch.cat(kept) for m, kept in found.items()}

    def features(self, maps=None):
        """module -> channel means, float64 (200, C)."""
        return {
            m: (o.flatten(2).mean(dim=2) if o.ndim > 2 else o).double().numpy()
            for m, o in (maps or self.maps).items()
        }

    @cached_property
    def epochs(self):
        """A real short training: after each of six epochs the weights, and figures of val and test.

        Made once for all processes and runs: it takes as long as twenty entries. It depends on the reference, on this
        file, and on nothing else.
        """
        key = hashlib.sha256(
            f"{self.reference.name} {torch.__version__}".encode() + Path(__file__).read_bytes()
        )
        home = cache_folder() / "epochs"
        home.mkdir(parents=True, exist_ok=True)
        file = home / f"{key.hexdigest()[:24]}.pth"
        with FileLock(file.with_suffix(".lock")):
            if not file.exists():
                for old in sorted(home.glob("*.pth"), key=lambda f: f.stat().st_mtime)[:-3]:
                    old.unlink()
                torch.save(self.trained(), aside := file.with_suffix(".partial"))
                aside.rename(file)
            return torch.load(file, weights_only=True)

    def trained(self):
        """What `epochs` is made by.

        Not spoilt by a learning rate that is too high: what that leaves depends on the processor, up to weights that
        give every image the same scores.
        """
        torch.manual_seed(3)
        model = copy.deepcopy(self.model).train()
        train = self.images(self.split["train"])
        optimizer = torch.optim.SGD(model.parameters(), lr=0.03, momentum=0.9)
        found = []
        for epoch in range(1, 7):
            model.train()
            order = torch.randperm(len(train)).numpy()
            shuffled = Images(
                tuple(train.paths[i] for i in order), train.pixels[order], train.labels[order], train.classes
            )
            total = 0.0
            for i, (x, y) in enumerate(batches(shuffled, self.plan.preprocessing, 64, "cpu")):
                # Wrong labels spoil what was learnt: the last epoch is not the best. Every other one only: all of them
                # leave scores of exactly 1 in float32, among which mAP depends on the order.
                if epoch == 6 and i >= 8:
                    y[::2] = (y[::2] + 1) % len(self.classes)
                optimizer.zero_grad()
                loss = torch.nn.functional.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
                total += loss.item() * len(y)
            model.eval()
            entry = {
                "epoch": epoch,
                "train_loss": total / len(train),
                "train_accuracy": 0.5,
                "train_map": 0.5,
            }
            for name in ("val", "test"):
                paths = self.split[name]
                p = self.predicted(paths, model=model).astype(np.float32).astype(np.float64)
                y = self.labels_of(paths)
                m = metrics.evaluate(y, p, self.classes)
                entry |= {f"{name}_loss": float(-np.log(p[np.arange(len(y)), y] + 1e-12).mean()),
                          f"{name}_accuracy": m.accuracy, f"{name}_map": m.map}  # fmt: skip
            found.append((copy.deepcopy(model.state_dict()), entry))
        return found

    def rebuild(self, folder, model=None, preprocessing=None, split=None, history=True, plan=None):
        """Write every piece anew that follows from a network, a preprocessing and a split, as the solution writes them."""
        plan = dataclasses.replace(plan or self.plan, preprocessing=preprocessing or self.plan.preprocessing)
        model = copy.deepcopy(model or self.model).eval()
        sets = split or self.split
        for name in ("scores_val.npy", "scores_test.npy", "metrics.json", "ranking.json", "non_positive.json",
                     "eigenvalues.json", "reproduction.json", "model.pth"):  # fmt: skip
            (folder / name).unlink(missing_ok=True)
        write = Writer(plan, folder, torch.device("cpu"), QUIET)
        with (folder / "model.pth").open("wb") as file:
            torch.save(model.state_dict(), file)
        if split:
            for name, paths in split.items():
                write_rows(folder, name, paths)
        loaded = {name: self.images(sets[name], plan.preprocessing) for name in ("val", "test")}
        # Pictures stay those of the reference: nothing is read off them, and drawing takes longer than all the rest.
        with mock.patch.object(figures, "save"), mock.patch.object(Writer, "_pictures"):
            write.scores(model, loaded)
            everything = self.images(sorted(self.data.labels), plan.preprocessing)
            write.statistics(model, everything, Split(**{n: tuple(p) for n, p in sets.items()}))
        if history:
            found = read(folder / "metrics.json")["val"]
            p = np.load(folder / "scores_val.npy")
            y = loaded["val"].labels
            self.set_best(
                folder,
                found["map"],
                found["accuracy"],
                float(-np.log(p[np.arange(len(y)), y] + 1e-12).mean()),
            )
        if preprocessing:
            self.state_preprocessing(folder, preprocessing)

    def set_best(self, folder, best_map, accuracy, loss):
        """The history of the kept run has its best epoch there, and all others lie below."""
        images = len(rows(folder, "val"))
        for file in (folder / "history").glob("*.json"):

            def change(run):
                kept = run.get("kept")
                for i, epoch in enumerate(run["epochs"]):
                    last = kept and i == len(run["epochs"]) - 1
                    gap = 0 if last else 0.02 * (len(run["epochs"]) - i) + (0 if kept else 0.01)
                    right = max(0, round((accuracy - gap) * images))  # an accuracy counts images
                    epoch |= {"val_map": max(0.0, best_map - gap), "val_accuracy": right / images}
                    if last:
                        epoch["val_loss"] = loss

            edit(file, change)

    def state_preprocessing(self, folder, preprocessing):
        text = (folder / "submission.toml").read_text()
        before, _, rest = text.partition("[preprocessing]\n")
        after = rest[rest.index("[files]") :]
        lines = "".join(f"{k} = {json.dumps(v)}\n" for k, v in dataclasses.asdict(preprocessing).items())
        replace(folder / "submission.toml", before + "[preprocessing]\n" + lines + "\n" + after)

    def unstate(self, folder, table):
        """Leave a table of submission.toml out."""
        text = (folder / "submission.toml").read_text()
        before, _, rest = text.partition(f"[{table}]\n")
        _, mark, after = rest.partition("\n[")
        replace(folder / "submission.toml", before + ("[" + after if mark else ""))


STANDARD = Preprocessing(size=64, resize=64)
