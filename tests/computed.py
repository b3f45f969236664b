"""What a network computes from the same values is computed once in a run of tests, by whichever process comes first."""

import hashlib
import os
import pickle
import shutil
import tempfile
import weakref
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from in4310.judging import drawn_maps, own_size, statistics, trained
from in4310.judging.evidence import Evidence
from in4310.judging.inside import BATCH, Inside
from in4310.judging.mistakes import cases
from in4310.solution import images, scores, spectrum
from in4310.submission.reading import Readers

LATEST = 60  # statistics under a mistake that a process keeps: a few MB each


def status(file):
    """What tells whether a file is still the same: copies of the reference are hard links, until a test replaces one."""
    found = file.stat() if file.exists() else None
    return (found.st_ino, found.st_size, found.st_mtime_ns) if found else None


def content(network_or_tensors):
    """Digest of the shapes and values of a network's tensors, or of arrays and tensors."""
    if not isinstance(network_or_tensors, nn.Module):
        return _digest(network_or_tensors)
    network, tensors = network_or_tensors, list(network_or_tensors.state_dict().values())
    if any(tensor.is_inference() for tensor in tensors):  # they do not count what is written into them
        return _digest(tensors, str(network))
    state = [(t.data_ptr(), t._version, t[(0,) * t.dim()].item()) for t in tensors], str(network)
    if NETWORKS.get(network, ("",))[0] != state:  # of the same network many figures are asked
        NETWORKS[network] = state, _digest(tensors, str(network))
    return NETWORKS[network][1]


NETWORKS = weakref.WeakKeyDictionary()


def _digest(tensors, *said):
    digest = hashlib.sha1(repr(said).encode())
    for tensor in tensors:
        values = tensor.numpy(force=True) if isinstance(tensor, torch.Tensor) else tensor
        digest.update(f"{values.shape} {values.dtype}".encode())
        digest.update(np.ascontiguousarray(values))
    return digest.digest()


class Once:
    """Values by the `repr` of a key that tells them: the latest in memory, all in a folder that processes share.

    The folder is this run's own, so that nothing outlives the code that computed it.
    """

    def __init__(self, folder):
        self.folder, self.latest = folder, {}
        folder.mkdir(exist_ok=True)

    @staticmethod
    def _name(key):
        return hashlib.sha256(repr(key).encode()).hexdigest()

    def __contains__(self, key):
        name = self._name(key)
        return name in self.latest or (self.folder / name).exists()

    def __call__(self, key, compute):
        name = self._name(key)
        if name in self.latest:
            self.latest[name] = self.latest.pop(name)
            return self.latest[name]
        file = self.folder / name
        try:
            value = pickle.loads(file.read_bytes())
        except FileNotFoundError:
            value = compute()
            self._keep(file, value)
        self.latest[name] = value
        while len(self.latest) > LATEST:
            del self.latest[next(iter(self.latest))]
        return value

    def _keep(self, file, value):
        with suppress(FileNotFoundError):  # the other process has ended, and taken the folder away
            with tempfile.NamedTemporaryFile(dir=self.folder, delete=False) as aside:
                pickle.dump(value, aside, pickle.HIGHEST_PROTOCOL)
            Path(aside.name).rename(file)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def of_weights(method, once):
    """Of the weights files of a submission, by what tells that they are the same; not of a stand-in without files."""

    def wrapped(self, *arguments, **options):
        if not hasattr(self.submission, "folder"):
            return method(self, *arguments, **options)
        taken = self.submission.located.get("model", ("", ""))[0]
        statuses = tuple(status(self.submission.folder / n) for n in ("model.pth", "untuned.pth", taken))
        key = (method.__name__, statuses, repr(arguments), repr(options), repr(self.preprocessing))
        return once(key, lambda: method(self, *arguments, **options))

    return wrapped


def of_maps_drawn(method, once):
    """As `of_weights`, and kept in memory: what is drawn of them is told by where they lie."""
    kept = {}
    return of_weights(method, lambda key, compute: kept.get(key) or kept.setdefault(key, compute()))


def of_scores(predict, once):
    """Of a network over images, by what both hold."""

    def wrapped(model, images, preprocessing, *arguments, **options):
        how = [str(a) for a in (*arguments, *options.values()) if isinstance(a, (int, str, torch.device))]
        stated = (images.paths, preprocessing, how)
        key = ("scores", content(model), content([images.pixels]), repr(stated))
        return once(key, lambda: predict(model, images, preprocessing, *arguments, **options))

    return wrapped


def of_pass(function, once):
    """Of a network over batches: by what they hold, module by module."""

    def wrapped(network, batches, modules, *options, **named):
        batches = list(batches)
        how = [getattr(option, "__qualname__", repr(option)) for option in options], sorted(named.items())
        key = (function.__name__, content(network), content(batches), repr(how))
        missing = [module for module in modules if (key, module) not in once]
        computed = function(network, batches, missing, *options, **named) if missing else {}
        found = {module: once((key, module), lambda m=module: computed.get(m)) for module in modules}
        return {module: value for module, value in found.items() if value is not None}

    return wrapped


def of_outputs(outputs, once):
    """Of a network over batches, by what both hold."""

    def wrapped(network, fed, training):
        fed = list(fed)
        key = ("outputs", content(network), content(fed), training)
        return once(key, lambda: outputs(network, fed, training))

    return wrapped


def of_images(decode_all, once):
    """Of files, by what tells that they are the same, and how they are prepared."""

    def wrapped(root, paths, preprocessing, pixels, progress):
        def decoded():
            problems = decode_all(root, paths, preprocessing, pixels, progress)
            return np.array(pixels), problems

        files = [(path, status(root / path)) for path in paths]
        pixels[:], problems = once(("decoded", str(root), files, repr(preprocessing), pixels.shape), decoded)
        return problems

    return wrapped


def of_maps(maps, once):
    """Of a network's modules under a mistake, by what it and the batches hold."""

    def wrapped(self, training=0, late=False, model=None, pixels=None, normalised=True, until="", also=""):
        network, batches = model or self.model, list(self.batches(training or BATCH, pixels, normalised))
        key = ("maps", content(network), content(batches), self.modules, bool(training), late, until, also)
        same = replace(self, batches=lambda *options: batches)
        return once(key, lambda: maps(same, training, late, model, pixels, normalised, until, also))

    return wrapped


def of_picture(method, once):
    """Of a picture's file; kept in memory, as panels are compared by where they lie, and not what a sandbox refused."""
    kept = {}

    def wrapped(self, file):
        key = status(self.folder / file)
        found = kept.get(key) or method(self, file)
        if key and file not in self._without:
            kept[key] = found
        return found

    return wrapped


def of_panels(told, once):
    """Of panels laid beside maps: what is kept holds the maps, so that no others come to lie where they lie."""
    kept = {}

    def wrapped(panels, images):
        key = (panels.tobytes(), id(images))
        if key not in kept:
            kept[key] = (told(panels, images), images)
        return kept[key][0]

    return wrapped


COMPUTED = (
    (images, "_decode_all", of_images),
    (scores, "predict", of_scores),
    (cases, "_outputs", of_outputs),
    (Inside, "maps", of_maps),
    (spectrum, "eigenvalues", of_pass),
    (statistics, "_of_each_image", of_pass),
    (Evidence, "_predict", of_weights),
    (own_size, "_first", of_weights),
    (statistics, "spectra", of_weights),
    (statistics, "non_positive", of_weights),
    (trained, "_on_train", of_weights),
    (drawn_maps, "_computed", of_maps_drawn),
    (drawn_maps, "told", of_panels),
    (Readers, "look", of_picture),
    (Readers, "panels", of_picture),
)


def folder_of(tmp_path_factory):
    """Where the processes of this run share what they compute."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "computed"
