"""Which texts a report can hold, for the catalogues of its languages.

python docs/messages.py            brings the catalogues up to date, and says what is left to translate
python docs/messages.py --check    only says how much is translated, and what is not

Fixed texts of pages are marked in the templates, `_('...')`. Texts of the record are not marked: checks say what they
say in plain English, and here they are read out of the source. An f-string becomes a message with numbered places,
f"{name}: order" is "{0}: order"; one that chooses between words becomes a message for each choice.
"""

from __future__ import annotations

import ast
import io
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

import in4310
from in4310.judging.edition import checks_folder, load_edition, stock_editions
from in4310.solution.saving import write_aside

PACKAGE = Path(in4310.__file__).resolve().parent
LOCALE = PACKAGE / "reporting" / "locale"
# Files of `judging` and `submission` whose texts never reach a record: they are for a terminal, a teacher or a machine.
ASIDE = {"edition", "data", "manifest", "plots"}
ASIDE |= {"probes", "doctor", "filters", "harness", "zygote", "walls", "visible", "system"}  # of the sandbox
GRADING = ("class_page", "likeness", "marks", "work")  # files of `grading` that say something on a page
# Arguments of these are messages even where they are a single word.
RECORDING = {"expect", "close", "warn", "leave", "picture", "Match"}
# Words that reach a record in a way that reading the source does not show, and what sentences are joined with.
STATES = ("passed", "failed", "warned", "not run", "waiting", "running", "done", "not judged")
WORDS = ("figures", "scores", "rows", "missing", "none", "first", "last", "top", "bottom")
SIDES = ("top of {0}", "bottom of {0}", "Top ten of {0}, recomputed", "Bottom ten of {0}, recomputed")
JOINS = (" or ", " and ")
CHOICES = 16  # of one f-string
# Lines of a catalogue's head that are left out: without dates and names, the same texts give the same file.
UNSTEADY = tuple(
    b'"%s' % name for name in (b"POT-", b"PO-", b"Report-", b"Last-", b"Language-Team", b"Generated-")
)
IN_CODE = {
    "marked": None,
    "translated": None,
    "plural": (1, 2),
    "counted": (1, 2),
}  # functions whose texts are messages
HOLE = None  # in a text: a place for what is filled in
FIELD = re.compile(r"\{(?::[^{}]*)?\}")
TWO_WORDS = re.compile(r"[A-Za-z][^A-Za-z]* [^A-Za-z]*[A-Za-z]")
ONE_WORD = re.compile(r"(?<![\w.\-/}])[A-Za-z]{2,}(?![\w.\-/(={])")
NO_TEXT = re.compile(
    r"\\|^(png|jpg|svg)$|^https?://|\.html$|\n|^[\w:. -]+/[\w{}-]*$|^([a-z_]+|\{0\}): (source|output)$|^form: [a-z -]+$"
)
Text = list[str | None]
Found = dict[str, list[str]]  # message -> files that say it


def said_in_records() -> Found:
    """Messages of checks, diagnoses, evidence, reading of files and stock editions."""
    found: Found = {}
    folders = [PACKAGE / "judging", PACKAGE / "judging/mistakes", PACKAGE / "submission"]
    folders += [PACKAGE / "submission/sandbox"]
    files = [f for folder in folders for f in sorted(folder.glob("*.py")) if f.stem not in ASIDE]
    files += [PACKAGE / "grading" / f"{name}.py" for name in GRADING]
    files += [PACKAGE / "rehearsal" / f"{name}.py" for name in ("story", "mistakes", "programs")]
    for file in [*sorted(checks_folder().glob("test_*.py")), *files]:
        for message in Reader().read(ast.parse(file.read_text(encoding="utf-8"))):
            places = found.setdefault(message, [])
            if (place := _place(file)) not in places:
                places.append(place)
    for word in (*STATES, *WORDS, *SIDES, *JOINS):
        found.setdefault(word, [_place(Path(__file__))])
    for name in stock_editions():
        edition = load_edition(name)
        for text in (edition.title, *(text for r in edition.requirements for text in (r.title, r.text))):
            places = found.setdefault(text, [])
            if (place := f"editions/{name}.toml") not in places:
                places.append(place)
    return found


def _place(file: Path) -> str:
    return "/".join(file.parts[-2:])


class Reader:
    """Reads messages out of a syntax tree."""

    def read(self, tree: ast.AST) -> Iterator[str]:
        """Messages in their order; the same one may come again."""
        yield from self._walk(tree, False)

    def _walk(self, node: ast.AST, words: bool) -> Iterator[str]:
        """`words`: single words count, too."""
        if _is_text(node):
            for text in _texts(node):
                if _is_message(message := _message(text), words or HOLE in text):
                    yield message
            for inner in _filled_in(node):
                yield from self._walk(inner, False)
            return
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
            yield from self._body(node)
        elif isinstance(node, ast.Call) and _name(node.func) == "Field":
            return  # what it describes is for programs
        elif isinstance(node, ast.Call):
            recording = _name(node.func) in RECORDING
            for given in [node.func, *node.args, *(k.value for k in node.keywords)]:
                yield from self._walk(given, recording and given is not node.func)
        elif isinstance(node, ast.Subscript):
            yield from self._walk(node.value, words)
            if isinstance(node.ctx, ast.Store):  # facts["Test accuracy"] = ...
                yield from self._walk(node.slice, False)
        else:
            through = words and isinstance(node, ast.BoolOp | ast.IfExp | ast.Dict)
            for inner in ast.iter_child_nodes(node):
                yield from self._walk(inner, through)

    def _body(self, node: ast.Module | ast.FunctionDef | ast.ClassDef) -> Iterator[str]:
        said = ast.get_docstring(node)
        if said and isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            yield said.splitlines()[0]
        parts: list[ast.AST] = [*getattr(node, "decorator_list", [])]
        if isinstance(node, ast.FunctionDef):
            parts += node.args.defaults
        for part in parts + node.body[1 if said else 0 :]:
            yield from self._walk(part, False)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.IfExp):
        return _is_text(node.body) or _is_text(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _texts(node: ast.AST) -> list[Text]:
    """The texts that an expression can give, a hole for each part that only running it would tell."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        parts = FIELD.split(node.value)  # of str.format
        return [[piece for part in parts for piece in (part, HOLE)][:-1]]
    if isinstance(node, ast.JoinedStr):
        choices = itertools.product(*map(_texts, node.values))
        return [[part for text in choice for part in text] for choice in itertools.islice(choices, CHOICES)]
    if isinstance(node, ast.FormattedValue):
        return _texts(node.value) if _is_text(node.value) else [[HOLE]]
    if isinstance(node, ast.IfExp):
        return _texts(node.body) + _texts(node.orelse)
    if isinstance(node, ast.BinOp) and _is_text(node):
        return [a + b for a in _texts(node.left) for b in _texts(node.right)][:CHOICES]
    return [[HOLE]]


def _filled_in(node: ast.AST) -> Iterator[ast.AST]:
    """What stands in the holes of a text, and what decides between its choices."""
    if not _is_text(node):
        yield node
    elif isinstance(node, ast.IfExp):
        yield node.test
        yield from (inner for branch in (node.body, node.orelse) for inner in _filled_in(branch))
    elif isinstance(node, ast.BinOp):
        yield from (inner for side in (node.left, node.right) for inner in _filled_in(side))
    elif isinstance(node, ast.JoinedStr):
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                yield from _filled_in(part.value)


def _message(text: Text) -> str:
    """Holes numbered; neighbours are one, as nothing tells where the first ends."""
    parts: list[str] = []
    holes, after_hole = 0, False
    for part in text:
        if part is HOLE and not after_hole:
            parts.append(f"{{{holes}}}")
            holes += 1
        elif part is not HOLE:
            parts.append(part)
        after_hole = part is HOLE or (after_hole and not part)
    return "".join(parts)


def _is_message(message: str, words: bool) -> bool:
    if NO_TEXT.search(message) or not re.search("[a-z]{2}|[A-Za-z]{3}", message):
        return False
    return bool(TWO_WORDS.search(message) or (words and ONE_WORD.search(message)))


def template_catalogue() -> Catalog:
    """All messages, untranslated; those of the pages first."""
    catalogue = Catalog(project="in4310", charset="utf-8")
    marked = extract_from_dir(
        PACKAGE / "reporting" / "templates",
        [("**.j2", "jinja2")],
        {"**.j2": {"trimmed": "true", "newstyle_gettext": "true", "silent": "false"}},
    )
    in_code = [
        ("../" + "/".join(Path(found[0]).parts[-2:]), *found[1:])
        for found in extract_from_dir(PACKAGE, [("**.py", "python")], keywords=IN_CODE)
    ]
    for file, _, message, comments, context in (*marked, *in_code):
        place = (f"templates/{file}".replace("templates/../", ""), 0)
        catalogue.add(message, locations=[place], auto_comments=comments, context=context)
    for text, files in said_in_records().items():
        if text in catalogue:
            catalogue[text].locations += [(file, 0) for file in files]
        else:
            # Places are {0}, {1}: a per cent sign in a text of the record is nothing to be filled in.
            catalogue.add(text, locations=[(file, 0) for file in files])
            catalogue[text].flags.clear()
    return catalogue


def update(language: str) -> None:
    """Bring a catalogue up to date.

    A message that changed a little keeps its translation, marked fuzzy: it is not shown before somebody looked at it
    and took the mark away. Those that nothing says any more are kept at the end, as comments.
    """
    template, catalogue = template_catalogue(), _there(language)
    comment = catalogue.header_comment
    for key, message in list(catalogue.obsolete.items()):
        if message.id in template:  # said again: its translation is still there
            catalogue[message.id] = catalogue.obsolete.pop(key)
    catalogue.update(template, update_header_comment=False)
    catalogue.header_comment = comment
    stream = io.BytesIO()
    write_po(stream, catalogue, width=110, include_lineno=False)
    head, gap, body = stream.getvalue().partition(b"\n\n")
    head = b"\n".join(line for line in head.split(b"\n") if not line.startswith(UNSTEADY))
    _file(language).parent.mkdir(parents=True, exist_ok=True)
    write_aside(_file(language), lambda aside: aside.write(head + gap + body))


def untranslated(language: str, template: Catalog) -> list[str]:
    """Messages of the template that a page shows in English: not in the catalogue, without a translation, or fuzzy."""
    there = _there(language)
    left = []
    for message in (m for m in template if m.id):
        found = there.get(message.id)
        strings = (
            found.string if found and isinstance(found.string, list | tuple) else (found and found.string,)
        )
        if not found or found.fuzzy or not all(strings):
            left.append(message.id[-1] if isinstance(message.id, list | tuple) else message.id)
    return left


def told(language: str, template: Catalog) -> str:
    """How many of the messages are translated, and which are not."""
    left, count = untranslated(language, template), sum(bool(m.id) for m in template)
    return "\n    ".join([f"{language}: {count - len(left)} of {count} messages are translated", *left])


def _file(language: str) -> Path:
    return LOCALE / language / "LC_MESSAGES" / "in4310.po"


def _there(language: str) -> Catalog:
    """The catalogue as it is; an empty file is one without messages."""
    text = _file(language).read_bytes() if _file(language).exists() else b""
    if text.strip():
        return read_po(io.BytesIO(text), locale=language, charset="utf-8")
    return Catalog(language, header_comment=f"# {language} for in4310.", project="in4310", fuzzy=False)


def main() -> None:
    """Update every catalogue, and say what is left to do."""
    template = template_catalogue()
    for language in sorted(f.name for f in LOCALE.iterdir() if f.is_dir()):
        if "--check" not in sys.argv[1:]:
            update(language)
        print(told(language, template))


if __name__ == "__main__":
    main()
