"""No pattern of ours takes more than linear time on a line: each is fed growing repetitions of its own pieces."""

import ast
import importlib
import itertools
import re
import time
from collections import defaultdict
from pathlib import Path
from re import _constants as c  # of the parse trees: pieces are read off the pattern itself
from re import _parser as parser

import pytest

import in4310
from in4310.judging.edition import checks_folder
from in4310.submission import run_headings

PACKAGE = Path(in4310.__file__).parent
USES = {"search", "match", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
# Patterns that are put together where they are used: file -> what comes of it.
MADE = {
    "grading/exports.py": ["(?:Participant )?([0-9]{1,20})", "([0-9]{1,20})"],
    "places.py": [
        r"/tmp/in4310-[\w-]+(?:/submission)?/?",
        r"(?<![\w.-])(?:/srv/class/kari|/srv/class)(?![\w.-])",
    ],
    "submission/run_headings.py": [pattern.pattern for pattern in run_headings._FINDS.values()],
    "submission/state_dicts.py": [],  # a table that is compiled at import
}


def literal(node):
    """The text of a pattern that stands in the source, None for another."""
    try:
        found = ast.literal_eval(node)
    except ValueError:
        return None
    return found if isinstance(found, str | bytes) else None


def in_source():
    """(pattern, flags) -> the ways in which it is used; files that put patterns together."""
    found, made, names, called = defaultdict(set), set(), {}, defaultdict(set)
    for file in (*PACKAGE.rglob("*.py"), *checks_folder().glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if (
                isinstance(node, ast.Assign)
                and isinstance(node.value, ast.Call)
                and ast.unparse(node.value.func) == "re.compile"
            ):
                names[ast.unparse(node.targets[0])] = node.value
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in USES | {"compile"}
            ):
                owner = ast.unparse(node.func.value)
                if owner != "re":
                    called[owner].add(node.func.attr)
                elif literal(node.args[0]) is None:
                    made.add(
                        file.relative_to(PACKAGE).as_posix() if file.is_relative_to(PACKAGE) else file.name
                    )
                elif node.func.attr != "compile":
                    flags = [k.value for k in node.keywords if k.arg == "flags"] or node.args[
                        2 + (node.func.attr == "sub") :
                    ][:1]
                    found[literal(node.args[0]), flags_of(flags)].add(node.func.attr)
    for name, call in names.items():
        if (pattern := literal(call.args[0])) is not None:
            found[pattern, flags_of(call.args[1:])] |= called[name] or {"finditer", "fullmatch"}
    return found, made


def flags_of(nodes):
    return eval(ast.unparse(nodes[0]), {"re": re}) if nodes else 0


def in_modules():
    """All compiled patterns that a module holds, also in its tables."""
    for file in PACKAGE.rglob("*.py"):
        name = ".".join(["in4310", *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(
            ".__init__"
        )
        if name.endswith("__main__"):
            continue
        waiting = list(vars(importlib.import_module(name)).values())
        while waiting:
            value = waiting.pop()
            if isinstance(value, re.Pattern):
                yield value
            elif isinstance(value, tuple | list) and len(value) < 1000:
                waiting += value


def patterns():
    """(compiled, ways): all of ours."""
    found, made = in_source()
    assert made == set(MADE)
    for pattern in in_modules():
        flags = pattern.flags & ~(re.UNICODE if isinstance(pattern.pattern, str) else 0)
        if (pattern.pattern, flags) not in found:
            found[pattern.pattern, flags] = {"match", "search"}
    for pattern in itertools.chain(*MADE.values()):
        found[pattern, 0] |= {"fullmatch", "sub"}
    return [(re.compile(*one), tuple(sorted(ways))) for one, ways in found.items()]


def members(items):
    """A letter for each part of a class of characters."""
    if items[0][0] is c.NEGATE:
        return [x for x in " x1/-_" if not re.fullmatch(parsed_class(items[1:]), x)]
    found = []
    for kind, value in items:
        if kind is c.LITERAL:
            found.append(chr(value))
        elif kind is c.RANGE:
            found += [chr(value[0]), chr(value[1])]
        else:
            name = str(value)
            found += list(
                "x-"
                if "NOT" in name
                else "1"
                if "DIGIT" in name
                else " \t\u00a0"
                if "SPACE" in name
                else "a_1"
            )
    return found


def parsed_class(items):
    parts = {
        c.LITERAL: lambda v: re.escape(chr(v)),
        c.RANGE: lambda v: f"{re.escape(chr(v[0]))}-{re.escape(chr(v[1]))}",
    }
    return "[" + "".join(parts[k](v) if k in parts else r"\w" for k, v in items) + "]"


def walk(tree, before, letters, starts):
    """A shortest text of a tree; adds its letters, and the texts that lead to each repetition in it."""
    text = ""
    for kind, value in tree:
        if kind in (c.LITERAL, c.NOT_LITERAL):
            text += chr(value) if kind is c.LITERAL else "x"
            letters[text[-1]] = None
        elif kind is c.ANY:
            text += "x"
        elif kind is c.IN:
            few = members(value)
            letters.update(dict.fromkeys(few))
            text += few[0] if few else "x"
        elif kind in (c.MAX_REPEAT, c.MIN_REPEAT, c.POSSESSIVE_REPEAT):
            low, _, inner = value
            starts[before + text] = None
            one = walk(inner, before + text, letters, starts)
            letters[one] = None
            text += one * max(low, 1)
        elif kind is c.BRANCH:
            few = [walk(branch, before + text, letters, starts) for branch in value[1]]
            letters.update(dict.fromkeys(few[:6]))
            text += few[0]
        elif kind is c.SUBPATTERN:
            text += walk(value[3], before + text, letters, starts)
        elif kind is c.ATOMIC_GROUP:
            text += walk(value, before + text, letters, starts)
    return text


def attacks(pattern):
    """length -> texts: each piece of the pattern again and again, after all that can lead to a repetition, cut short."""
    letters, starts = {}, {"": None}
    tree = parser.parse(
        pattern.pattern, pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, str) else pattern.flags
    )
    whole = walk(tree, "", letters, starts)
    letters |= {whole: None, " ": None, "\u00a0": None, "1": None} | starts
    units = [unit for unit in letters if unit][:30]
    for start, unit, end in itertools.product(list(starts)[:12], units, ("", "!")):
        yield lambda length, start=start, unit=unit, end=end: start + unit * max(1, length // len(unit)) + end


def seconds(pattern, way, text, times=1):
    """Processor time of one use, the least of so many; what a use yields is taken."""
    if isinstance(pattern.pattern, bytes):
        text = text.encode("latin-1", "replace")
    use = getattr(pattern, way)
    more = [type(text)()] if way in ("sub", "subn") else []
    least = float("inf")
    for _ in range(times):
        before = time.thread_time()
        found = use(*more, text)
        if way == "finditer":
            for _ in found:
                pass
        least = min(least, time.thread_time() - before)
    return least


SHORT = 0.004  # seconds: nothing that grows with the square of 8000 is done by then
# Between lengths of 1 and 4, what is linear takes 4 times as long, and what is quadratic 16 times.
GROWTH = 9


def grows(pattern, way):
    """Texts on which it takes too long, the first of them; one that seems to, looked at again."""
    for make in attacks(pattern):
        for length in (250, 1000, 8000):
            for times in (1, 3):
                long = seconds(pattern, way, make(length), times)
                if long <= SHORT or long <= GROWTH * seconds(pattern, way, make(length // 4), times):
                    break
            else:
                return f"{make(10)!r}... of {length}: {long * 1000:.0f} ms"
    return None


# Of `solution.drawing.style`: they read only figures that we have drawn ourselves.
DRAWN = {rb"\s*\n\s*", rb"<!DOCTYPE[^>]*>|<!--.*?-->"}
ALL = [(pattern, ways) for pattern, ways in patterns() if pattern.pattern not in DRAWN]


def test_all_patterns_are_found():
    assert len(ALL) > 60
    assert any("ep" in str(p.pattern) and "finditer" not in ways for p, ways in ALL)


@pytest.mark.parametrize(("pattern", "ways"), ALL, ids=[str(i) for i in range(len(ALL))])
def test_no_pattern_takes_more_than_linear_time(pattern, ways):
    for way in ways:
        assert grows(pattern, way) is None, (pattern.pattern, way)


@pytest.mark.parametrize(
    ("pattern", "way"),
    [(r"\bep\b\s*[:=#]?\s*\[?\s*(\d{1,5})", "search"), (r"\s+$", "search"), (r"(.+?)\s*\(id=\d+\)", "fullmatch"),
     (r"[a-z]*[a-z]*x", "match"), (r"\s*(-?)\s*:", "match"), (r"<!--.*?-->", "sub")],
)  # fmt: skip
def test_what_takes_longer_is_found(pattern, way):
    """H3 among them: `ep` and no-break spaces."""
    assert grows(re.compile(pattern), way)
