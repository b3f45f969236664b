"""A class as course systems hand it out: who handed in what, which attempt, and whether late.

Layouts that are known, each as its system's bulk download makes it (see `LAYOUTS`); else each folder or archive
directly below is one student's.
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from in4310.errors import InputError
from in4310.grading.gathering import further_volumes, gather, gathered, inner, is_packed, leave, stem
from in4310.shown import shown
from in4310.submission.archives import Bounds, unpack
from in4310.submission.containers import begins_as_archive
from in4310.submission.files import RUBBISH
from in4310.submission.opening import opener_of
from in4310.submission.sandbox.walls import Limits
from in4310.submission.sandbox.worker import Sandbox

ENTRIES = 20_000
NAME = 80  # characters of a student's key
LINE = 1 << 16  # characters of a line of a list of names
# An archive of 5000 students; each one's own archive stays packed, and is bounded when it is judged.
WHOLE_CLASS = Bounds(entries=2_000_000, total_bytes=2**42, file_bytes=2**33, nested=False)
SECONDS = 6 * 3600.0  # for its child that reads it
ONE_SUBMISSION = {".pth", ".pt", ".npy", ".npz", ".safetensors", ".ipynb", ".py"}


@dataclass(frozen=True)
class Entry:
    """One attempt of a student or group.

    late: None where the layout does not say; identity: the system's own number; returns: what the name of a file must
    begin with for its system to give it back to them, '' where that is not known.
    """

    who: str
    place: Path
    attempt: int = 1
    late: bool | None = None
    shown: str = ""
    identity: str = ""
    returns: str = ""


@dataclass(frozen=True)
class Class:
    """A layout by name, entries sorted by (who, attempt), and what was left aside."""

    layout: str
    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()


def find_class(place: Path, aside: Path) -> Class:
    """Who handed in what, in a folder or an archive. `aside`: an empty folder to unpack into and to gather files in.

    Raises InputError, one line, where nothing can be graded, or where the folder is itself one submission.
    """
    notes: list[str] = []
    if place.is_file() and begins_as_archive(place):
        with Sandbox(Limits(cpu_seconds=int(SECONDS))) as sandbox:
            unpacked = unpack(place, aside / "class", WHOLE_CLASS, opener_of(sandbox, SECONDS))
        notes += unpacked.notes
        root = unpacked.folder
    elif place.is_dir():
        root = place
    else:
        raise InputError(
            f"{shown(str(place))}: expected a folder of submissions or one archive of them, found neither"
        )
    items = _submitted(root, aside, notes)
    while len(items) == 1 and items[0].is_dir() and _holds_several(items[0]):
        items = _submitted(items[0], aside, notes)
    if len(items) > ENTRIES:
        raise InputError(f"{shown(str(place))}: {len(items)} entries, expected at most {ENTRIES}")
    attempts = ((name, take(items, aside, notes)) for name, take in LAYOUTS.items())
    layout, found = next((one for one in attempts if one[1]), ("folders", []))
    if not found and any(i.suffix.lower() in ONE_SUBMISSION for i in items if i.is_file()):
        raise InputError(f"{shown(str(place))}: looks like one submission; in4310 check judges it")
    found = found or _folders(items, aside, notes)
    if not found:
        raise InputError(f"{shown(str(place))}: expected submissions (folders, zip or tar files), found none")
    return Class(layout, tuple(_told_apart(found)), tuple(notes))


def latest(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The last attempt of each student."""
    return tuple({e.who: e for e in sorted(entries, key=lambda e: (e.who, e.attempt))}.values())


def _items(folder: Path) -> list[Path]:
    """What lies in a folder, sorted; [] where it cannot be read. Links, hidden things, tools' rubbish are left out."""
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    return [i for i in found if not i.is_symlink() and not i.name.startswith(".") and i.name not in RUBBISH]


def _submitted(folder: Path, aside: Path, notes: list[str]) -> list[Path]:
    """Items of a class's folder. What is none is named with its reason, but for tools' rubbish."""
    try:
        found = sorted(i for i in folder.iterdir() if i.name not in RUBBISH)
    except OSError as error:
        raise InputError(f"{shown(str(folder))}: cannot be read ({error.strerror or error})") from None
    why = {i: _no_submission(i, aside.resolve()) for i in found}
    leave([i for i in found if why[i]], notes, why)
    return [i for i in found if not why[i]]


def _no_submission(item: Path, aside: Path) -> str:
    """Why an item of a class's folder cannot be a submission, whatever the layout; '' where it may be one."""
    if item.is_symlink():
        return "a link, which is not followed"
    if item.name.startswith("."):
        return "its name begins with a dot, which hides it"
    if not item.is_dir() and not item.is_file():
        return "neither a file nor a folder"
    inside = (i.name for place in (item, *_items(item)) for i in _items(place))
    ours = aside.is_relative_to(item.resolve()) or "gradebook.db" in inside
    return "results of grading" if ours else ""


def _holds_several(folder: Path) -> bool:
    """Whether a folder may be a class, and not the one submission of a class of one."""
    items = _items(folder)
    one = any(i.suffix.lower() in ONE_SUBMISSION for i in items if i.is_file())
    return not one and any(i.is_dir() or is_packed(i) for i in items)


# -- layouts: each returns [] for a folder of another one -----------------------------------------------

_CANVAS = re.compile(
    r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<user>\d+|(?<=anon_)\w{5}|(?<=anon_LATE_)\w{5})_(?P<submission>\d+)_(?P<file>.+)",
    re.DOTALL | re.ASCII,
)
_MOODLE = re.compile(
    r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<kind>file|onlinetext)_?(?P<file>.*)", re.DOTALL
)
_DEVILRY_GROUP = re.compile(r"(?P<users>.+)\(groupid=(?P<id>\d+)\)", re.DOTALL)
_DEVILRY_DEADLINE = re.compile(r"(deadline|attempt)\b.*", re.DOTALL | re.IGNORECASE)
Named = list[tuple[Path, re.Match[str]]]  # items of one student, with what their names say
AFTER_DEADLINE, OLD_DUPLICATES = "after_deadline_not_part_of_delivery", "old_duplicates"
METADATA = "submission_metadata.yml"
_GRADESCOPE = re.compile(r"submission_(?P<id>\d+)")


def _canvas(items: Sequence[Path], aside: Path, notes: list[str]) -> list[Entry]:
    """Canvas, 'Download Submissions': flat files '<name>_[LATE_]<user id>_<submission id>_<file>'.

    As canvas-lms writes it (app/models/content_zipper.rb): the name is lower case without spaces; a further upload
    of one file carries -1, -2. The files of one student are gathered in one folder.
    """
    found = [(i, m) for i in items if i.is_file() and (m := _CANVAS.fullmatch(i.name))]
    if not found or len(found) < 0.5 * len(items):
        return []
    leave(set(items) - {i for i, _ in found}, notes)
    by_student: dict[tuple[str, str], Named] = defaultdict(list)
    for item, match in found:  # a student may be *named* 'kari_77', as another one is numbered
        by_student[match["user"], match["name"]].append((item, match))
    names = Counter(user for user, _ in by_student)
    entries = []
    for number, ((user, name), files) in enumerate(by_student.items()):
        late = any(m["late"] for _, m in files)
        apart = user if names[user] == 1 else f"{user}-{number}"
        place = _together(files, aside / "gathered" / apart, notes)
        if names[user] > 1:
            said = f"user {user} has {names[user]} names, and its number is not used"
            notes.append(f"{shown(files[0][0].name)}: {said}")
            entries.append(Entry(name, place, 1, late, name))
            continue
        if name == "anon":  # graded without names: a code of the assignment, and no user's number
            entries.append(Entry(f"anon-{user}", place, 1, late, f"anon {user}"))
            continue
        # Canvas takes the first two parts that are numbers for the user and for a file that they handed in.
        back = f"{'student' if name.isdecimal() else name}_{user}_{files[0][1]['submission']}_"
        entries.append(Entry(name, place, 1, late, name, user, back))
    return entries


def _moodle(items: Sequence[Path], aside: Path, notes: list[str]) -> list[Entry]:
    """Moodle, 'Download all submissions': '<full name>_<participant>_assignsubmission_file[_<file>]'.

    A folder a student, or flat files where 'Download submissions in folders' is off. As moodle writes it
    (mod/assign/classes/downloader.php, 4.1 and later): 'Participant' for a name in blind marking; a group's name and
    number; no number for those in no group ('Default group'). Online texts are left aside.
    """
    # Of a student who is named like another one's folder, or who names a file so: nobody gets it.
    double = [i for i in items if i.name.count("_assignsubmission_") > 1]
    found = [(i, m) for i in items if i not in double and (m := _MOODLE.fullmatch(i.name))]
    if not found:
        return []
    leave(double, notes, dict.fromkeys(double, "its name can be read in two ways"))
    leave([i for i, m in found if m["kind"] == "onlinetext"], notes)
    leave(set(items) - set(double) - {i for i, _ in found}, notes)
    by_student: dict[tuple[str, str], Named] = defaultdict(list)
    for item, match in found:
        if match["kind"] == "file":  # a student may be *named* as another one is numbered
            by_student[match["id"] or "", match["name"]].append((item, match))
    entries = []
    for number, files in enumerate(by_student.values()):
        name, place = files[0][1]["name"], _together(files, aside / "gathered" / str(number), notes)
        number_there = files[0][1]["id"] or ""
        # Moodle parts it at each '_': the second part is the participant, the next two say whose file it was.
        back = f"{re.sub(r'[_/~.]', ' ', name).strip() or 'student'}_{number_there}_assignsubmission_file_"
        entries.append(
            Entry(name, place, shown=name, identity=number_there, returns=back if number_there else "")
        )
    return entries


def _together(files: Named, place: Path, notes: list[str]) -> Path:
    """A student's one archive or folder; loose files, and several, are gathered in a folder at `place`."""
    item = files[0][0]
    if len(files) == 1 and (item.is_dir() or is_packed(item)):
        return inner(item)
    gather(place, [(i, m["file"] or i.name) for i, m in files], notes)
    return place


def _devilry(items: Sequence[Path], aside: Path, notes: list[str]) -> list[Entry]:
    """Devilry, download of a whole assignment: '<user names, or the group's name>/deadline-<Y-m-d-Hi>/<files>'.

    As devilry-django writes it (devilry_compressionutil/batchjob_mixins, 2020 to 2025): one folder a deadline, in
    their order an attempt each; in it 'old_duplicates', replaced files, which are no part of the delivery, and
    'after_deadline_not_part_of_delivery', which is judged, as late, only where nothing came in time. Some downloads
    add '(groupid=<id>)' to the names.
    """
    found = []
    for item in items:
        named = _DEVILRY_GROUP.fullmatch(item.name)
        deadlines = [d for d in _items(item) if _DEVILRY_DEADLINE.fullmatch(d.name) and d.is_dir()]
        if named or deadlines:
            found.append((item, named, deadlines))
    if not found or (len(found) < 0.5 * len(items) and not any(named for _, named, _ in found)):
        return []
    leave(set(items) - {i for i, _, _ in found}, notes)
    entries = []
    for item, named, deadlines in found:
        users, number = (named["users"].rstrip(), named["id"]) if named else (item.name, "")
        for attempt, folder in enumerate(deadlines or [item], 1):
            place, late = _delivery(folder, aside / "delivered" / item.name / folder.name, notes)
            entries.append(Entry(users, place, attempt, late, users, number))
    return entries


def _delivery(folder: Path, aside: Path, notes: list[str]) -> tuple[Path, bool]:
    """What was delivered for a deadline, without what was replaced, and whether it came late."""
    in_time = [i for i in _items(folder) if i.name not in (AFTER_DEADLINE, OLD_DUPLICATES)]
    after = folder / AFTER_DEADLINE
    if not in_time and after.is_dir() and not after.is_symlink():
        return _delivery(after, aside, notes)[0], True
    if len(in_time) == len(_items(folder)):
        return inner(folder), False
    if len(in_time) == 1 and (in_time[0].is_dir() or is_packed(in_time[0])):
        return inner(in_time[0]), False
    return gathered(in_time, aside, notes), False


def _gradescope(items: Sequence[Path], aside: Path, notes: list[str]) -> list[Entry]:
    """Gradescope, 'Export submissions': 'submission_<id>/' beside submission_metadata.yml, which names the students.

    As several public tools read it: ':submitters:', a list of ':name:', ':sid:' and ':email:' below each submission's
    name; a group has several. Gradescope itself is closed, so this could not be checked against its source.
    """
    found = [(i, m) for i in items if i.is_dir() and (m := _GRADESCOPE.fullmatch(i.name))]
    if not found:
        return []
    named = [i for i in items if i.name == METADATA and i.is_file() and os.access(i, os.R_OK)]
    leave(set(items) - {i for i, _ in found} - {*named}, notes)
    names = _submitters(named[0]) if named else {}
    entries = []
    for item, match in found:
        who, name = names.get(item.name, ("", ""))
        entries.append(Entry(who or item.name, inner(item), shown=name, identity=match["id"]))
    return entries


def _submitters(file: Path) -> dict[str, tuple[str, str]]:
    """submission_<id> -> (sids or user names of e-mail addresses, names), from the few lines that matter.

    Nothing of the YAML is executed. A group's are joined by commas.
    """
    people: dict[str, list[dict[str, str]]] = {}
    current: list[dict[str, str]] = []
    inside = False
    with file.open(encoding="utf-8", errors="replace") as lines:
        while line := lines.readline(LINE):
            if match := re.match(r"(submission_\d+)", line):
                current, inside = people.setdefault(match[1], []), False
            elif match := re.match(r"\s+:(\w+):\s*$", line):
                inside = match[1] == "submitters"
            elif inside and (match := re.match(r"\s*+(-?)\s*+:(name|sid|email):\s*+(.+)", line)):
                if match[1] or not current:
                    current.append({})
                current[-1][match[2]] = _unescaped(match[3].strip().strip("'\""))
    found = {}
    for name, group in people.items():
        keys = [p.get("sid") or p.get("email", "").partition("@")[0] or p.get("name", "") for p in group]
        found[name] = ", ".join(keys), ", ".join(p.get("name", "") for p in group)
    return found


def _unescaped(text: str) -> str:
    r"""A text in which YAML has bytes of UTF-8: 'Bj\xC3\xB8rn'."""
    return re.sub(
        r"(?:\\x[0-9A-Fa-f]{2})+",
        lambda m: bytes.fromhex(m[0].replace("\\x", "")).decode("utf-8", "replace"),
        text,
    )


def _folders(items: Sequence[Path], aside: Path, notes: list[str]) -> list[Entry]:
    """Each folder or archive is one student's, by its name."""
    packed = [i for i in items if i.is_dir() or is_packed(i)]
    further = further_volumes(packed)
    taken = [i for i in packed if i not in further]
    leave(set(items) - set(packed), notes)
    leave(further, notes, further)
    stems = Counter(stem(i) for i in taken)  # 'kari' beside 'kari.zip': one of two students, for all we know
    return [Entry(stem(i) if stems[stem(i)] == 1 else i.name, inner(i) if i.is_dir() else i) for i in taken]


LAYOUTS: dict[str, Callable[[Sequence[Path], Path, list[str]], list[Entry]]] = {
    "Devilry": _devilry,
    "Moodle": _moodle,
    "Gradescope": _gradescope,
    "Canvas": _canvas,
}


# -- keys ------------------------------------------------------------------------------------------------


def _key(name: str) -> str:
    """Letters, digits, '-', '_', '.': fit for a file's name on any system."""
    kept = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", name)).strip(".-")[:NAME]
    return kept or "unnamed"


def _told_apart(entries: Sequence[Entry]) -> list[Entry]:
    """Keys that are safe and unique: those of one student stay one, others get their number or a hash added.

    Who is alone with a name keeps it; the others, in their order, take the first key that nobody has, so that neither
    a name that looks like another one's key nor a number can make two students one.
    """
    people: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for e in entries:
        people[_key(e.who).casefold()].add((e.who, e.identity))
    keys = {next(iter(of)): _key(next(iter(of))[0]) for of in people.values() if len(of) == 1}
    taken = {key.casefold() for key in keys.values()}
    for who, identity in sorted(p for of in people.values() if len(of) > 1 for p in of):
        digest = hashlib.sha256(f"{who}\0{identity}".encode("utf-8", "surrogateescape")).hexdigest()
        for mark in filter(None, (_key(identity) if identity else "", digest[:6], digest)):
            key = f"{_key(who)[: NAME - 1 - len(mark)]}-{mark}"
            if key.casefold() not in taken:
                break
        keys[who, identity] = key
        taken.add(key.casefold())
    found, last = [], Counter[str]()
    for e in sorted(entries, key=lambda e: (keys[e.who, e.identity], e.attempt)):
        key = keys[e.who, e.identity]
        last[key] = max(e.attempt, last[key] + 1)  # two that say that they are the first: both stay
        found.append(replace(e, who=key, attempt=last[key], shown=shown(e.shown), identity=shown(e.identity)))
    return found
