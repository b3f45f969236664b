"""Editions: the stock ones hold together, and a teacher's wrong file is one clear line."""

import ast
import re
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from in4310.errors import InputError
from in4310.judging.edition import (
    _extended,
    checks_folder,
    edition_files,
    known_checks,
    load_edition,
    stock_editions,
)

WHOLE = (resources.files("in4310.judging") / "editions" / "2023.toml").read_text(encoding="utf-8")
MINE = 'name = "mine"\ntitle = "Mine"\n'


def test_there_are_the_four_stock_editions():
    assert stock_editions() == ["2022", "2023", "2026", "demo"]


@pytest.mark.parametrize("name", ["2022", "2023", "2026", "demo"])
def test_stock_editions_load_and_cover_their_rows(name):
    edition = load_edition(name)
    assert edition.name == name
    ids = {r.id for r in edition.requirements}
    assert {"1a", "1b", "1c", "1d", "1e", "1f", "1g", "1h", "1j", "2a", "2b"} <= ids
    assert ("3a" in ids) == (name != "2026")
    assert ("2c" in ids) == (name in ("2026", "demo"))
    assert sum(edition.points_of.values()) == sum(r.points for r in edition.requirements)


def test_every_executable_check_is_asked_for_by_some_edition():
    asked = {check for name in stock_editions() for check in load_edition(name).points_of}
    assert asked == known_checks()


def test_the_title_of_a_check_claims_nothing():
    """It stands beside a red cross as well as a green tick: it names what is looked at."""
    claim = re.compile(
        r"\.$|\b(agree|are|correct|fits?|gives?|has|have|holds?|is|lies?|right|were|works?|yields?)\b"
    )
    titles = {
        node.name.removeprefix("test_"): ast.get_docstring(node).splitlines()[0]
        for file in checks_folder().glob("test_*.py")
        for node in ast.parse(file.read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert titles.keys() == known_checks()
    assert [
        t
        for t in titles.values()
        if claim.search(t.replace("what is usual", "").replace("images are from", ""))
    ] == []


def test_sizes_scale_with_the_images_there_are():
    assert load_edition("2023").sizes(17034) == {"val": 2000, "test": 3000}
    assert load_edition("2023").sizes(6000) == {"val": 704, "test": 1057}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("test = 3000", "tset = 211"), "split.tset: unknown field; did you mean 'test'?"),
        (("[split]", "[splitt]"), "splitt: unknown field; did you mean 'split'?"),
        (("k = 10", "K = 10"), "ranking.K: unknown field; did you mean 'k'?"),
        (
            ('name = "2023"', 'name = "2023"\nzebra = 1'),
            "zebra: unknown field; expected one of accuracy, audit",
        ),
        (
            ('title = "Stratified', 'titel = "Stratified'),
            "requirement.1a.titel: unknown field; did you mean 'title'?",
        ),
        (("\nval = 2000", ""), "split.val: is missing"),
        (
            ('name = "2023"', 'extend = "2023"\nname = "2023"'),
            "extend: unknown field; did you mean 'extends'?",
        ),
        (("points = 8", "points = inf"), "requirement.1a.points: should be a finite number, found inf"),
        (("test = 3000", "test = " + "[" * 20_000), "not valid TOML"),
        (("points = 8", "points = 9"), "add up to 8"),
        (("size_tolerance = 0.05", "size_tolerance = 5"), "less than or equal to 1"),
        (
            ("split_sizes = 2", "split_seizes = 2"),
            "'split_seizes' does not exist; did you mean 'split_sizes'?",
        ),
        (("split_sizes = 2", "split_covers_data = 2"), "line"),
        (('id = "1b"', 'id = "1a"'), "stands twice"),
        (("test = 3000", "test = 15100"), "leave none of 17034"),
        (("[split]", "[split"), "not valid TOML"),
    ],
)
def test_a_wrong_edition_is_one_line_that_names_file_and_place(tmp_path, change, message):
    file = tmp_path / "mine.toml"
    assert change[0] in WHOLE
    file.write_text(WHOLE.replace(*change, 1), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_edition(str(file))
    text = str(caught.value)
    assert message in text
    assert "mine.toml" in text
    assert "\n" not in text


def test_unknown_and_missing_editions(tmp_path):
    with pytest.raises(InputError, match=r"'2099' is unknown; expected one of 2022"):
        load_edition("2099")
    with pytest.raises(InputError, match=r"absent\.toml: edition file cannot be read"):
        load_edition(str(tmp_path / "absent.toml"))


def test_all_that_is_wrong_is_counted_and_the_first_is_named(tmp_path):
    file = tmp_path / "my.toml"
    text = WHOLE.replace("size_tolerance = 0.05", "size_tolerance = 5").replace("test = 3000", "test = 'x'")
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"my\.toml: split\.\w+: .*\(and 1 more\)$"):
        load_edition(str(file))
    file.write_text(text.replace("test = 'x'", "test = 3000"), encoding="utf-8")
    with pytest.raises(InputError) as one:
        load_edition(str(file))
    assert "more)" not in str(one.value)
    file.write_text(WHOLE.replace("points = 8", "points = 9", 1), encoding="utf-8")
    with pytest.raises(InputError) as said:
        load_edition(str(file))
    assert "Value error" not in str(said.value)


def test_a_file_that_is_no_text_is_one_line(tmp_path):
    file = tmp_path / "my.toml"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="cannot be read"):
        load_edition(str(file))


# --- an edition that extends another ---


def test_trust_is_inherited_for_the_checks_that_are_asked_for(write):
    under = write(
        "under.toml", MINE.replace("mine", "under") + 'extends = "2023"\n[trust]\nloss_curves = 0.5\n'
    )
    assert load_edition(str(under)).trust["loss_curves"] == 0.5
    own = write("own.toml", MINE + 'extends = "under.toml"\n[trust]\nsplit_sizes = 1\n')
    assert load_edition(str(own)).trust == load_edition(str(under)).trust | {"split_sizes": 1}
    less = write("less.toml", MINE + 'extends = "under.toml"\nwithout = ["1j"]\n')
    assert "loss_curves" not in load_edition(str(less)).trust


@pytest.mark.parametrize(
    ("trust", "said"),
    [("[trust]\nno_such = 1", "'no_such' is none of its checks"), ("[trust]\nsplit_sizes = 2", "trust.split_sizes"),
     ("trust = 1", "trust")],
)  # fmt: skip
def test_a_trust_that_is_none_is_refused(write, trust, said):
    head = "" if trust.startswith("[") else trust + "\n"
    text = MINE + head + 'extends = "2023"\n' + ("" if head else trust)
    with pytest.raises(InputError, match=said):
        load_edition(str(write("mine.toml", text)))


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path / name)

    return write


def test_what_an_edition_does_not_say_is_that_of_the_one_it_extends(write):
    base = load_edition("2023")
    text = MINE + 'extends = "2023"\n[training]\nsettings = 5\n[statistics]\ncomparison = ["cifar10"]\n'
    mine = load_edition(write("mine.toml", text + '[[requirement]]\nid = "3b"\ntitle = "Spectra of two"\n'))
    assert (mine.name, mine.title) == ("mine", "Mine")
    assert mine.training == base.training.model_copy(update={"settings": 5})
    assert mine.statistics == base.statistics.model_copy(update={"comparison": ["cifar10"]})
    assert mine.requirements[:-1] == base.requirements[:-1]
    assert mine.requirements[-1] == base.requirements[-1].model_copy(update={"title": "Spectra of two"})
    assert mine.tolerances == base.tolerances


def test_a_chain_of_editions_and_the_files_that_it_is_made_of(write):
    last = write("last.toml", MINE + 'extends = "middle.toml"\nwithout = ["1j"]\n')
    middle = write("middle.toml", MINE.replace("mine", "middle") + 'extends = "2026"\n[split]\ntest = 1\n')
    found = load_edition(last)
    assert found.split.test == 1
    assert found.training.batch_size == 16
    assert [r.id for r in found.requirements] == [
        r.id for r in load_edition("2026").requirements if r.id != "1j"
    ]
    assert [str(file) for file in edition_files(last)] == [last, middle]
    assert edition_files("2022") == []


IDS_OF_2023 = tuple(r.id for r in load_edition("2023").requirements)


@given(data=st.data())
def test_requirements_come_and_go_by_their_ids(data):
    """Whatever is left out and added: nothing is lost, the base keeps its order, a new one stands where its id belongs."""
    base = [{"id": id} for id in IDS_OF_2023]
    ids = list(IDS_OF_2023)
    without = data.draw(st.lists(st.sampled_from(ids), unique=True))
    new = data.draw(st.lists(st.sampled_from(["0", "1b2", "1k", "2c", "2c.1", "10a", "x"]), unique=True))
    merged = _extended(
        {"requirement": base}, {"without": without, "requirement": [{"id": id, "title": "new"} for id in new]}
    )
    found = [r["id"] for r in merged["requirement"]]
    assert [id for id in found if id not in new] == [id for id in ids if id not in without]
    assert sorted(found) == sorted([*set(ids) - set(without), *new])
    assert found == sorted(
        found,
        key=[
            "0",
            "1a",
            "1b",
            "1b2",
            *ids[2:10],
            "1k",
            "2a",
            "2b",
            "2c",
            "2c.1",
            "3a",
            "3b",
            "10a",
            "x",
        ].index,
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "2099"', "mine.toml: extends: edition '2099' is unknown; expected one of 2022"),
        ('extends = "absent.toml"', "absent.toml: edition file cannot be read"),
        ('extends = "mine.toml"', "mine.toml: extends: {0}mine.toml comes round in a circle"),
        ('extends = "round.toml"', "mine.toml: extends: {0}round.toml: extends: {0}mine.toml comes round in a circle"),
        ('extends = "broken.toml"', "mine.toml: extends: {0}broken.toml: not valid TOML"),
        ('extends = "wrong.toml"', "mine.toml: extends: {0}wrong.toml: split.tset: unknown"),
        ("extends = 2023", "mine.toml: extends: expected a stock edition or a .toml file beside this one, found 2023"),
        ('extends = "../2023.toml"', "extends: expected a stock edition or a .toml file beside this one"),
        ('extends = ""', "edition '' is unknown"),
        ('extends = "2023"\nwithout = ["9z"]', "mine.toml: without: expected a list of ids among 1a, 1b, "),
        ('extends = "2023"\nwithout = "1a"', "mine.toml: without: expected a list of ids"),
        ('extends = "2023"\nwithout = [["1a"], 3]', "mine.toml: without: expected a list of ids"),
        ('without = ["1a"]', "mine.toml: "),
        ('extends = "2023"\n[splitt]\ntest = 3', "mine.toml: splitt: unknown field; did you mean 'split'?"),
        ('extends = "2023"\nsplit = 3', "mine.toml: split: "),
        ('extends = "2023"\n[[requirement]]\ntitle = "No id"', "mine.toml: requirement: each needs an id"),
        ('extends = "2023"\nrequirement = 3', "mine.toml: requirement: each needs an id"),
        ('extends = "2023"\n[[requirement]]\nid = 3', "mine.toml: requirement: each needs an id"),
        ('extends = "2023"\n[[requirement]]\nid = "4a"', "mine.toml: requirement.4a.title: is missing"),
        ('extends = "2023"\n[[requirement]]\nid = "1a"\n[[requirement]]\nid = "1a"', "mine.toml: requirement: '1a' stands twice"),
        ('extends = "2023"\n[[requirement]]\nid = "1a"\npoints = 9', "points = 9, but its checks add up to 8"),
    ],
)  # fmt: skip
def test_what_cannot_be_extended_is_one_line(write, tmp_path, text, message):
    mine = write("mine.toml", MINE + text)
    write("round.toml", MINE + 'extends = "mine.toml"')
    write("broken.toml", "[")
    write("wrong.toml", MINE + 'extends = "2023"\n[split]\ntset = 3')
    with pytest.raises(InputError) as caught:
        load_edition(mine)
    assert message.format(f"{tmp_path}/") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_edition_has_a_name_of_its_own(write):
    with pytest.raises(
        InputError, match=r"mine\.toml: name: is missing; the stock editions have it \(and 1 more\)"
    ):
        load_edition(write("mine.toml", 'extends = "2023"'))
