"""What was handed in, found by what it is and not by what it is called.

Every file is read once (`contents`); each reader that understands it makes a candidate for a piece. Where a place is
known, stated in submission.toml or the usual one, the same readers look in that place alone, and take what they find.

`strength` orders the candidates of one piece, and only those. About 1 is: it is of that kind. Numbers that fit what is
known count up to 2 each (rows as many as the set has, rows that sum to 1, paths that are in the data set), a telling
name 1, words of a name that speak for or against it 0.5, being of the best run 0.3. Ties go to the shortest path.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, product
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from in4310.shown import shown
from in4310.submission import choices, listings, matrices, starting
from in4310.submission.claims import set_of, words
from in4310.submission.contents import SCORE_NAMES, Contents, Loader
from in4310.submission.figures import Figures, Reader, Within
from in4310.submission.files import walk
from in4310.submission.formats import SETS
from in4310.submission.listings import Listing
from in4310.submission.pieces import Hints

REPORTS = {".pdf", ".html", ".docx"}
REPORT_WORDS = {"report", "rapport", "oblig", "mandatory", "assignment"}
PICTURES = {".png", ".jpg", ".jpeg", ".pdf", ".svg"}
MAP_WORDS = {"featuremap", "featuremaps", "activation", "activations"}
SIDES = {"best", "worst", "top", "bottom", "highest", "lowest"}
PLOT_WORDS = {"loss", "accuracy", "curve", "curves", "eigenvalues", "spectrum", "spectra", "confusion",
              "history"}  # fmt: skip
# A file of scores or weights is one piece; a table may hold several.
OTHER = {"scores": "scores_val", "scores_val": "scores", "model": "untuned", "untuned": "model"}
NOTHING = "holds nothing that can be read as this piece"
IMAGENET = 1000  # outputs
FROM_TORCH = re.compile(r"-[0-9a-f]{8}\.pth$")  # torchvision's names of its weights: resnet18-f37072fd.pth
UNREAD = ("model", "untuned", "feature_maps", "plots", "report")  # pieces that are files, and no figures


@dataclass(frozen=True)
class Candidate:
    """Files that may be a piece, what they were read as, and why they are taken for it; `strength` orders them."""

    piece: str
    files: tuple[str, ...]
    why: str
    strength: float
    value: Any = None


def _best_first(candidate: Candidate) -> tuple[float, int, tuple[str, ...]]:
    return -candidate.strength, len(PurePosixPath(candidate.files[0]).parts), candidate.files


def _says_maps(path: str) -> bool:
    """Whether the name of a file or folder is of feature maps; 'map' beside a set or a loss is a figure."""
    said = set(words(path))
    called = MAP_WORDS & said or "feature" in said or "features" in said or said == {"maps"}
    return bool(called) and not PLOT_WORDS & said


def _is_report(file: str) -> bool:
    """Whether a document is called as a report or an assignment is."""
    path = PurePosixPath(file)
    return path.suffix.lower() in REPORTS and bool(REPORT_WORDS & set(words(path.stem)))


Places = Mapping[str, tuple[str, bool]]
Maker = Callable[[Within, bool], Iterable[Candidate]]  # whether a file's place is known -> candidates


class Discovery:
    """Candidates for every piece of a folder, best first.

    `places`: piece -> (file or folder inside, whether its author named it). A named place is looked at alone; in a
    usual one that holds no such piece, the name means nothing, and the piece is looked for everywhere. Without classes
    nothing can be told by content: then only places are read. `how`: `without` and `begin` of Contents.
    """

    def __init__(self, folder: Path, hints: Hints, tensors: Loader, places: Places | None = None, **how: Any):
        self.hints, self.places = hints, dict(places or {})
        inside = {piece: self._inside(folder, place) for piece, (place, _) in self.places.items()}
        placed = {f for piece, files in inside.items() if hints.classes or piece not in UNREAD for f in files}
        self.files = sorted({*(walk(folder) if hints.classes else ()), *chain(*inside.values())})
        figures = {f for piece, files in inside.items() if piece not in UNREAD for f in files}
        scores = {f for piece in ("scores", "scores_val") for f in inside.get(piece, ())}
        order = sorted(self.files if hints.classes else placed, key=lambda f: (f not in figures, f))
        resolve = listings.Resolver(hints.classes, hints.images)
        self.contents = Contents(folder, order, resolve, tensors, figures, scores, **how)
        self.notes, self.outputs = self.contents.notes, self.contents.pictures
        self.figures = Figures(self.contents, hints.classes)
        self.candidates: dict[str, list[Candidate]] = defaultdict(list)
        makers: dict[str, Maker] = {
            "split": self._splits,
            "scores": partial(self._scores, "scores", "test"),
            "scores_val": partial(self._scores, "scores_val", "val"),
            "model": partial(self._networks, "model"),
            "untuned": partial(self._networks, "untuned"),
            **{piece: partial(self._figures, piece, find) for piece, find in self.figures.readers.items()},
            "feature_maps": self._feature_maps,
            "plots": self._plots,
            "report": self._reports,
        }
        for piece, make in makers.items():
            self.candidates[piece] = self._found(piece, make, inside)
            if piece in ("scores", "model"):
                self.figures.kept[piece] = [
                    c.files[0] for c in sorted(self.candidates[piece], key=_best_first)
                ]
        self._prefer_best_run()
        for found in self.candidates.values():
            found.sort(key=_best_first)
        self._say_what_was_chosen()

    @staticmethod
    def _inside(folder: Path, place: str) -> list[str]:
        if (folder / place).is_dir():
            return [(PurePosixPath(place) / file).as_posix() for file in walk(folder / place)]
        return [place]

    def _found(self, piece: str, make: Maker, inside: Mapping[str, Sequence[str]]) -> list[Candidate]:
        """The candidates in the known place of a piece; where it has none, those of all files that are no other's."""
        if piece in self.places:
            found = list(make(set(inside[piece]).__contains__, True)) if inside[piece] else []
            place, named = self.places[piece]
            if found or named:
                return found
        if not self.hints.classes:
            return []
        taken = set(inside.get(OTHER.get(piece, ""), ()))
        found = list(make(lambda file: file not in taken, False))
        if found and piece in self.places:
            self.places.pop(piece)
            why = f"not read as {piece} ({self.reason(place)}); taken from another file"
            self.contents.note(place, why)
        return found

    def reason(self, place: str) -> str:
        """Why nothing was found in a place: what its reader said, else that it holds something else."""
        refused = self.contents.refused
        there = [f for f in (place, *refused) if f == place or f.startswith(f"{place}/")]
        return next((refused[f] for f in there if f in refused), NOTHING)

    # -- pieces ------------------------------------------------------------------------------------

    def _splits(self, within: Within, pinned: bool) -> Iterable[Candidate]:
        groups: dict[str, dict[str, Listing]] = defaultdict(dict)
        with_scores = {file for file, _, _ in self.contents.matrices}
        found = {k: v for k, v in self.contents.listings.items() if within(k) or within(k.rpartition(":")[0])}
        for label, listing in sorted(found.items(), key=lambda item: (item[0] in with_scores, item[0])):
            self.contents.begin(
                label if label in self.contents.documents else label.rpartition(":")[0] or label
            )
            if pinned:
                groups[""][label] = listing
                continue
            if self._lists_another_piece(label, listing):
                continue
            parent = PurePosixPath(label.partition(":")[0]).parent
            groups[str(parent)][label] = listing
            if set_of(parent.name):
                groups[str(parent.parent)][label] = listing  # split/train/list.txt
        folders = listings.of_folders(filter(within, self.files), self.hints.classes)
        for folder, listing in folders.items():
            why = "folders of images named after the sets"
            yield from self._split_candidate({folder or ".": listing}, why, pinned)
        for group in groups.values():
            yield from self._split_candidate(group, "", pinned)
        numbered: dict[str, dict[str, Listing]] = defaultdict(dict)
        for label, listing in self.contents.rows.items():
            if within(label) or within(label.rpartition(":")[0]):
                numbered[str(PurePosixPath(label.partition(":")[0]).parent)][label] = listing
        for group in numbered.values():
            for candidate in self._split_candidate(group, "", pinned):
                if self._are_rows_of_the_sorted_listing(candidate.value):
                    yield replace(
                        candidate, why=f"row numbers of the sorted listing of all images; {candidate.why}"
                    )
                else:
                    said = "a split stored as row numbers of a listing that only its author has; store paths"
                    self.contents.note(candidate.files[0], said)

    def _lists_another_piece(self, label: str, listing: Listing) -> bool:
        """Whether images are those of a ranking or of statistics, by the name of their file or what stands beside."""
        if sum(map(bool, listing.sets)) >= 2:
            return False
        file, _, inside = label.partition(":")
        if listings.is_of_another_piece(f"{Path(file).stem} {inside}"):
            return True
        source = label if label in self.contents.documents else file
        alone = listing.entries <= 2000 and not any(listing.sets) and source in self.contents.documents
        return alone and self.figures.are_of_images(source)

    def _are_rows_of_the_sorted_listing(self, sets: Mapping[str, Sequence[str]]) -> bool:
        """Whether scores favour the classes of its rows, or all sets have the classes in proportion."""
        classes = self.hints.classes
        of_image = {
            name: np.array([classes.index(p.split("/")[0]) for p in paths]) for name, paths in sets.items()
        }
        for own, (_, array, _) in product(of_image.values(), self.contents.matrices):
            fits = array.shape == (len(own), len(classes)) and array.dtype.kind in "fiu"
            if fits and (array.argmax(axis=1) == own).mean() > 0.5:
                return True
        whole = Counter(p.split("/")[0] for p in self.hints.images)
        quotas = np.array([whole[c] for c in classes]) / len(self.hints.images)
        counts = [
            (np.bincount(own, minlength=len(classes)), len(own)) for own in of_image.values() if len(own)
        ]
        return all(np.abs(count - size * quotas).max() <= 2 for count, size in counts)

    def _split_candidate(self, group: Mapping[str, Listing], why: str, pinned: bool) -> Iterable[Candidate]:
        sets, used = listings.settle(group, self.hints.sizes, len(self.hints.images))
        if not sets or (not pinned and "test" not in sets and len(sets) < 2):
            return
        entries = [p for paths in sets.values() for p in paths]
        known = sum(listings.last_two_parts(p) in self.hints.images for p in entries[:5000])
        share = known / max(1, min(5000, len(entries)))
        if not why:
            sizes = ", ".join(f"{name} {len(paths)}" for name, paths in sets.items())
            why = f"lists images of {sizes}; {share:.0%} of them are in the data set"
        whole = {name: sets.get(name, ()) for name in SETS}
        strength = len(sets) + 2 * share + min(1, len(entries) / 1e5)
        yield Candidate("split", tuple(used), why, strength, whole)

    def _scores(self, piece: str, name: str, within: Within, pinned: bool) -> Iterable[Candidate]:
        best = max(self.candidates["split"], key=lambda c: c.strength, default=None)
        lengths = {n: len(paths) for n, paths in best.value.items()} if best else dict(self.hints.sizes)
        order = [listings.last_two_parts(path) for path in best.value[name]] if best else []
        for label, array, file in self.contents.matrices:
            if not within(file) or not array.ndim or array.dtype.kind not in "fiub":
                continue
            self.contents.begin(file)
            if label in self.contents.listings:  # each row says of which image it is
                array = self.contents.listings[label].ordered(array, order)
            looks = matrices.as_scores(array, len(self.hints.classes))
            said = set_of(Path(file).stem) or set_of(label)
            named = bool(set(words(label)) & SCORE_NAMES)
            fits = len(array) == lengths.get(name)
            others = said not in (None, name) or (name == "val" and said != name and not fits)
            if not pinned and (others or not (looks or named)):
                continue
            why = f"{' x '.join(map(str, array.shape))} numbers" + (f", {looks}" if looks else "")
            why += f", as many rows as the {name} set" if fits else ""
            strength = 2.0 * bool(looks) + named + 2 * fits + (said == name)
            yield Candidate(piece, (file,), why, strength, array)

    def _networks(self, piece: str, within: Within, pinned: bool) -> Iterable[Candidate]:
        if not pinned:
            found = [c for c in self.networks(piece) if within(c.files[0])]
            if piece == "model":
                # With ImageNet's outputs: what training started from, or, where there is no other, what was handed in.
                yield from [c for c in found if c.value.outputs != IMAGENET] or found
            else:
                kept = min(self.candidates["model"], key=_best_first, default=None)
                yield from (c for c in found if kept is None or c.files != kept.files)
            return
        place, named = self.places[piece]
        # What a file of that name holds is said where it is read; a usual name over no network means nothing.
        if named or place not in self.contents.refused or not self.networks(piece):
            yield Candidate(piece, (place,), "weights", 1.0)

    def networks(self, piece: str) -> list[Candidate]:
        """The ResNets among all files that may be the 'model' kept, or the 'untuned' one; places are not asked."""
        found = []
        starts = starting.starts(self.contents.networks, self.contents.steps, len(self.hints.classes))
        for file, network in self.contents.networks:
            ours = network.outputs == len(self.hints.classes)
            said = set(words(file))
            # 'pretrained' in a name may mean trained from ImageNet weights, and then on the course's classes.
            before = said & starting.SURE
            start = before or file in starts or said & {"pretrained", "imagenet"}
            untuned = not ours or start
            downloaded = network.outputs == IMAGENET and (start or FROM_TORCH.search(file))
            strength = 2.0 + bool(said & {"best", "final", "kept", "chosen"}) - 0.5 * bool(
                said & {"last", "old", "checkpoint", "current", "epoch", "tmp", "test", "trial"})  # fmt: skip
            why = f"a ResNet-{network.depth} with {network.outputs} outputs ({network.how})"
            if bool(untuned) == (piece == "untuned"):
                found.append(Candidate(piece, (file,), why, strength, network))
            elif untuned and not before and not downloaded:
                found.append(Candidate(piece, (file,), why, 1.0 if ours else 0.5, network))
        return found

    def _figures(self, piece: str, find: Reader, within: Within, pinned: bool) -> Iterable[Candidate]:
        found = [Candidate(piece, *one) for one in find(within, pinned)]
        yield from found
        # A table of something else: the checks say what it lacks.
        if pinned and not found and piece != "history":
            for file, document in self.contents.documents.items():
                if within(file) and isinstance(document, Mapping):
                    yield Candidate(piece, (file,), "a record", 0.0, document)

    def _feature_maps(self, within: Within, pinned: bool) -> Iterable[Candidate]:
        if pinned:
            yield from self._pictures_in("feature_maps", within)
            return
        folders: dict[str, list[str]] = defaultdict(list)
        for file in self._drawn():
            path = PurePosixPath(file)
            numbered = any(ch.isdigit() for ch in path.stem)
            ranked = SIDES & set(words(file)) and set(self.hints.classes) & set(words(file))
            plot = PLOT_WORDS & set(words(path.stem))
            if path.suffix.lower() == ".png" and not ranked and not plot and (numbered or _says_maps(file)):
                # There may be one folder an image.
                one = any(ch.isdigit() for ch in path.parent.name) and path.parent.parent.name
                folders[str(path.parent.parent if one else path.parent)].append(file)
        for folder, files in folders.items():
            # Beside maps that are called so lie plots that have a number, too.
            named = files if _says_maps(folder) else [f for f in files if _says_maps(PurePosixPath(f).name)]
            if named or len(files) >= 10:
                taken = named or files
                why = f"{len(taken)} numbered pictures"
                yield Candidate("feature_maps", tuple(taken), why, bool(named) + len(taken) / 1000)

    def _plots(self, within: Within, pinned: bool) -> Iterable[Candidate]:
        if pinned:
            yield from self._pictures_in("plots", within)
            return
        maps: set[str] = set()
        if found := self.candidates["feature_maps"]:
            named = {f for c in found for f in c.files if c.strength >= 1}
            maps = named or set(max(found, key=lambda c: c.strength).files)
        drawn = [f for f in self._drawn() if f not in maps]
        # A report may have plots in it, which count where none lie beside it.
        plots = [f for f in drawn if not _is_report(f)] or drawn
        saved = sum(map(len, self.outputs.values()))
        if plots or self.outputs:
            why = f"{len(plots)} pictures" + (f", {saved} in notebooks" if saved else "")
            yield Candidate("plots", (*plots, *self.outputs), why, 1.0)

    def _drawn(self) -> list[str]:
        """Pictures that are no images of the data set."""
        return [
            f for f in self.files
            if PurePosixPath(f).suffix.lower() in PICTURES and PurePosixPath(f).parent.name not in self.hints.classes
        ]  # fmt: skip

    def _pictures_in(self, piece: str, within: Within) -> Iterable[Candidate]:
        place = self.places[piece][0]
        files = [f for f in self.files if within(f)]
        files = [f for f in files if f == place or PurePosixPath(f).suffix.lower() in PICTURES]
        if files:
            yield Candidate(piece, tuple(files), f"{len(files)} pictures", 1.0)

    def _reports(self, within: Within, pinned: bool) -> Iterable[Candidate]:
        for file in filter(within, self.files):
            path = PurePosixPath(file)
            if pinned or _is_report(file):
                own = 0.5 * bool(
                    {"report", "rapport"} & set(words(path.stem))
                )  # and not the assignment's text
                yield Candidate(
                    "report", (file,), "a document of that name", 1.0 + own + (path.suffix == ".pdf")
                )

    # -- which of several --------------------------------------------------------------------------

    def _prefer_best_run(self) -> None:
        """Of weights and scores of several runs those of the best run, by its validation figures, are handed in."""
        best = self.figures.best_run
        for piece in ("model", "scores", "scores_val", "non_positive"):
            for i, c in enumerate(self.candidates[piece]):
                if best and choices.belongs(c.files[0], best, self.figures.runs):
                    self.candidates[piece][i] = replace(c, strength=c.strength + 0.3)

    def _say_what_was_chosen(self) -> None:
        for piece, word in (("model", "networks"), ("scores", "files of test scores")):
            found = self.candidates[piece]
            start = {c.files[0] for c in self.candidates["untuned"][:1] if piece == "model"}
            files = [f for f in dict.fromkeys(c.files[0] for c in found) if f not in start]
            if len(files) < 2 or piece in self.places:
                continue
            best = self.figures.best_run
            if best and choices.belongs(files[0], best, self.figures.runs):
                better = any((run.figure or 0) > (best.figure or 0) for run in self.figures.runs)
                why = f"of the run with the best validation figures ({shown(best.name)}: {best.figure:.4f})"
                if better:  # but less of that one was handed in
                    why = f"of the best run of which that much was handed in ({shown(best.name)}: {best.figure:.4f})"
            elif found[0].strength > next(c.strength for c in found if c.files[0] != files[0]):
                why = "by its name, form and size"
            else:
                why = "the first by name, as nothing tells them apart"
            self.notes.append(
                f"{len(files)} {word} were found; taken: {shown(files[0])}, {why}. "
                f"To name another: {piece} = '...' under [files] in submission.toml"
            )
