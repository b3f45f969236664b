"""From photographs to batches: find, decode once, keep as uint8, normalise batches (task 1c)."""

from __future__ import annotations

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from in4310.errors import InputError
from in4310.progress import QUIET, Progress
from in4310.solution.saving import write_aside

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FORMATS = ("JPEG", "PNG", "BMP", "WEBP")  # Pillow would try any other, too, and starts a program for some
CIFAR10 = "cifar-10-batches-py"  # torchvision.datasets.CIFAR10
# torchvision.transforms.InterpolationMode. Torchvision takes longer to import than torch: only what decodes needs it.
INTERPOLATIONS = ("nearest", "nearest-exact", "bilinear", "bicubic", "box", "hamming", "lanczos")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocessing:
    """What is done to each image before the network, in torchvision's terms.

    The shorter side is resized to `resize` pixels, the centre of `size` x `size` pixels is cut out, values
    are scaled to 0..1, then (value - mean) / std for each channel. `antialias=False`: as torchvision resized tensors
    before 0.17; PIL images are always resized with antialiasing.
    """

    size: int = 224
    resize: int = 224
    interpolation: str = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    antialias: bool = True

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(
                f"preprocessing: interpolation {self.interpolation!r} is unknown; use {', '.join(INTERPOLATIONS)}"
            )
        if self.size < 1 or self.resize < 1:
            raise InputError(
                f"preprocessing: sizes are at least 1 pixel, found size {self.size}, resize {self.resize}"
            )

    @property
    def pixel_type(self) -> type:
        """Of the pixels, as numpy names it."""
        return np.uint8

    def prepared(self, image: Image.Image) -> np.ndarray:
        """An image as RGB, uint8 (size, size, 3), exactly as torchvision resizes and crops PIL images."""
        from torchvision.transforms import InterpolationMode
        from torchvision.transforms.v2 import functional as transforms

        image, cut = image.convert("RGB"), [self.size, self.size]
        mode = InterpolationMode(self.interpolation)
        if not self.antialias:
            tensor = transforms.resize(transforms.pil_to_tensor(image), [self.resize], mode, antialias=False)
            return transforms.center_crop(tensor, cut).permute(1, 2, 0).numpy()
        image = transforms.resize(image, [self.resize], interpolation=mode)
        return np.asarray(transforms.center_crop(image, cut))


@dataclass(frozen=True, eq=False)
class Images:
    """Decoded images: `pixels` (N, S, S, 3), mostly uint8, array or memory map; `labels` int64 (N,), -1: none."""

    paths: tuple[str, ...]
    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, paths: Sequence[str]) -> Images:
        """Return the named images in the order of `paths`, copied; InputError for a path that is not here."""
        position = {path: row for row, path in enumerate(self.paths)}
        missing = [path for path in paths if path not in position]
        if missing:
            raise InputError(
                f"{missing[0]}: expected among the {len(self)} loaded images, not found"
                f" ({len(missing)} missing); load the folder that the paths come from"
            )
        rows = np.array([position[path] for path in paths], dtype=np.int64)
        return Images(tuple(paths), self.pixels[rows], self.labels[rows], self.classes)


@dataclass(frozen=True)
class Problems:
    """What went wrong while decoding: path -> reason, and path -> mode of images that were not RGB."""

    unreadable: dict[str, str] = field(default_factory=dict)
    converted: dict[str, str] = field(default_factory=dict)

    def tell(self, total: int, progress: Progress) -> None:
        """Say what was left out or converted, of `total` images; names of the first five."""
        for path, reason in sorted(self.unreadable.items())[:5]:
            progress.say(f"left out: {path}: {reason}")
        if self.unreadable:
            progress.say(f"{len(self.unreadable)} of {total} images cannot be read and are left out")
        if self.converted:
            path, mode = sorted(self.converted.items())[0]
            progress.say(f"{len(self.converted)} images are not RGB and were converted, e.g. {path} ({mode})")


# --- find ---


def find_images(root: str | Path) -> dict[str, str]:
    """Return {'<class>/<file>': class}, sorted by path, for a folder of class folders.

    Raises InputError for a missing folder, no class folders, and a class folder without images.
    """
    root = _folder(root)
    folders = sorted(folder for folder in root.iterdir() if folder.is_dir() and not _hidden(folder.name))
    if not folders:
        raise InputError(
            f"{root}: expected one folder for each class, found none; give the folder that holds them"
        )
    labels: dict[str, str] = {}
    for folder in folders:
        files = sorted(file.name for file in folder.iterdir() if _is_image(file))
        if not files:
            raise InputError(
                f"{folder}: class folder without images ({', '.join(SUFFIXES)}); fill it or remove it"
            )
        labels |= {f"{folder.name}/{file}": folder.name for file in files}
    return labels


def flat_images(root: str | Path) -> list[str]:
    """Return the paths of all images under `root`, at any depth, relative to it, sorted."""
    root = _folder(root)
    relative = [file.relative_to(root) for file in root.rglob("*") if _is_image(file)]
    paths = sorted(path.as_posix() for path in relative if not any(_hidden(part) for part in path.parts))
    if not paths:
        raise InputError(f"{root}: expected images ({', '.join(SUFFIXES)}), found none; give another folder")
    return paths


def find_comparison(root: str | Path, count: int | None = None) -> list[str]:
    """Return the paths of a comparison set (3b): a flat folder, class folders, or CIFAR-10's batch files.

    With `count`, that many spread evenly over the sorted list, so that every class is among them. Images
    inside CIFAR-10's batch files are named 'cifar-10-batches-py/test/<number>'.
    """
    cifar = _cifar_root(root)
    paths = [f"{CIFAR10}/test/{i:05d}" for i in range(10_000)] if cifar else flat_images(root)
    if count is None:
        return paths
    if count > len(paths):
        raise InputError(f"{root}: expected at least {count} images, found {len(paths)}; ask for fewer")
    return [paths[i * len(paths) // count] for i in range(count)]


def load_comparison(
    root: str | Path,
    paths: Sequence[str],
    preprocessing: Preprocessing,
    cache: Path | None = None,
    progress: Progress = QUIET,
) -> tuple[Images, Problems]:
    """Decode images of a comparison set (3b), `paths` as `find_comparison` gives them; all labels are -1."""
    cifar = _cifar_root(root)
    if cifar is None:
        return load_images(root, paths, None, (), preprocessing, cache, progress)
    from torchvision import datasets

    try:
        data = datasets.CIFAR10(str(cifar), train=False, download=False).data  # uint8 (10000, 32, 32, 3)
    except RuntimeError as error:
        raise InputError(
            f"{cifar / CIFAR10}: expected CIFAR-10 as torchvision stores it, found files that are"
            " missing or changed; download it again, or give a folder of images"
        ) from error
    chosen = [data[int(path.rpartition("/")[2])] for path in progress.track(paths, "CIFAR-10", len(paths))]
    pixels = np.stack([preprocessing.prepared(Image.fromarray(image)) for image in chosen])
    return Images(tuple(paths), pixels, np.full(len(paths), -1, dtype=np.int64), ()), Problems()


def _cifar_root(root: str | Path) -> Path | None:
    """Return the folder that holds 'cifar-10-batches-py', which may be `root` itself or its parent."""
    root = _folder(root)
    if (root / CIFAR10).is_dir():
        return root
    return root.parent if root.name == CIFAR10 else None


def _folder(root: str | Path) -> Path:
    root = Path(root)
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise InputError(f"{root}: expected a folder of images, found {found}; check the path")
    return root


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not _hidden(file.name) and file.is_file()


# --- decode ---


def load_images(
    root: str | Path,
    paths: Sequence[str],
    labels: Mapping[str, str] | None,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    cache: Path | None = None,
    progress: Progress = QUIET,
) -> tuple[Images, Problems]:
    """Decode, resize and crop the images once; unreadable ones are left out and named, all become RGB.

    `labels`: path -> class, None for images without labels. With `cache`, the pixels are kept there as a
    memory map under a key of paths, file sizes and times, and preprocessing: the next run does not decode.
    Raises InputError when no image can be read, or a label is none of `classes`.
    """
    root = _folder(root)
    if not paths:
        raise InputError(f"{root}: expected images to load, found an empty list; check the split")
    numbers = np.array([_class_number(path, labels, classes) for path in paths], dtype=np.int64)
    if cache is None:
        shape = (len(paths), preprocessing.size, preprocessing.size, 3)
        pixels: np.ndarray = np.zeros(shape, dtype=preprocessing.pixel_type)
        problems = _decode_all(root, paths, preprocessing, pixels, progress)
    else:
        pixels, problems = _load_cached(root, paths, preprocessing, cache, progress)
    if len(problems.unreadable) == len(paths):
        path, reason = next(iter(problems.unreadable.items()))
        raise InputError(f"{root}: none of {len(paths)} images can be read; the first, {path}: {reason}")
    images = Images(tuple(paths), pixels, numbers, tuple(classes))
    if problems.unreadable:
        images = images.subset([path for path in paths if path not in problems.unreadable])
    return images, problems


def _class_number(path: str, labels: Mapping[str, str] | None, classes: Sequence[str]) -> int:
    if labels is None:
        return -1
    label = labels.get(path, "no label")
    if label not in classes:
        raise InputError(
            f"{path}: expected one of the classes {', '.join(classes)}, found {label}; check the data folder"
        )
    return list(classes).index(label)


def _load_cached(
    root: Path, paths: Sequence[str], preprocessing: Preprocessing, cache: Path, progress: Progress
) -> tuple[np.ndarray, Problems]:
    """Return the memory map of this key, decoding into it first where it does not exist yet."""
    key = hashlib.sha256(json.dumps(asdict(preprocessing)).encode())
    for path in paths:
        try:
            status = (root / path).stat()
            key.update(f"\n{path}\t{status.st_size}\t{status.st_mtime_ns}".encode())
        except OSError:
            key.update(f"\n{path}\tmissing".encode())
    file, notes = cache / f"{key.hexdigest()}.npy", cache / f"{key.hexdigest()}.json"
    shape = (len(paths), preprocessing.size, preprocessing.size, 3)
    if file.is_file() and notes.is_file():
        try:
            pixels = np.load(file, mmap_mode="r", allow_pickle=False)
            problems = Problems(**json.loads(notes.read_text()))
            if pixels.shape == shape and pixels.dtype == preprocessing.pixel_type:
                return pixels, problems
        except (OSError, ValueError, TypeError):
            pass  # a damaged cache costs a second decoding, nothing more
    aside = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        cache.mkdir(parents=True, exist_ok=True)
        pixels = np.lib.format.open_memmap(aside, mode="w+", dtype=preprocessing.pixel_type, shape=shape)
        # Reserves the space: writing to a map on a full disk would end the process with a bus error.
        with aside.open("r+b") as reserved:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(reserved.fileno(), 0, aside.stat().st_size)
        problems = _decode_all(root, paths, preprocessing, pixels, progress)
        pixels.flush()
        write_aside(notes, lambda out: out.write(json.dumps(asdict(problems)).encode()))
        aside.replace(file)
    except OSError as error:
        raise InputError(
            f"{file}: the image cache cannot be written ({error.strerror or error});"
            " free some space or choose another cache folder"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return np.load(file, mmap_mode="r", allow_pickle=False), problems


def _decode_all(
    root: Path, paths: Sequence[str], preprocessing: Preprocessing, pixels: np.ndarray, progress: Progress
) -> Problems:
    """Fill `pixels` row by row in a few threads: PIL releases the interpreter's lock while it decodes."""
    problems = Problems()

    def decode(row: int) -> tuple[str, str]:
        try:
            with Image.open(root / paths[row], formats=FORMATS) as image:
                mode = image.mode
                pixels[row] = preprocessing.prepared(image)
            return mode, ""
        except Exception as error:  # PIL raises nearly every kind of exception on a damaged file
            reason = "no such file" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())
            return "", reason.replace(str(root / paths[row]), "the file") or type(error).__name__

    with warnings.catch_warnings(), ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 1)) as pool:
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        results = progress.track(pool.map(decode, range(len(paths))), "decoding images", len(paths))
        for path, (mode, reason) in zip(paths, results, strict=True):
            if reason:
                problems.unreadable[path] = reason
            elif mode != "RGB":
                problems.converted[path] = mode
    return problems
