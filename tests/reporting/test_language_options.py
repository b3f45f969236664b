"""Who asks for a language, and what is then written in it: reports, the class, a hostile record."""

import sys
from html.parser import HTMLParser
from io import StringIO

import pytest
from click.testing import CliRunner
from rich.console import Console

from in4310.cli import cli
from in4310.grading.class_page import class_page
from in4310.grading.grade import STUDENTS
from in4310.grading.likeness_page import likeness_page
from in4310.grading.marks import Mark, Override, Status
from in4310.grading.write import write_class
from in4310.judging.edition import load_edition
from in4310.judging.session import Session
from in4310.reporting.html import render
from in4310.reporting.terminal import Verdict
from in4310.reporting.write import write_report

WRONG = "expected one of en, nb"


@pytest.fixture(autouse=True)
def _no_language(monkeypatch):
    monkeypatch.delenv("IN4310_LANGUAGE", raising=False)


# -- asking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ("check", "SOMETHING"),
        ("grade", "SOMETHING", "--out", "OUT"),
        ("demo", "--out", "OUT", "--report", "REPORT"),
        ("run", "--out", "OUT", "--report", "REPORT"),
        ("likeness", "--out", "OUT"),
    ],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_wrong_language_is_told_before_anything_is_done(command, how, tmp_path, monkeypatch):
    words = [str(tmp_path / word.lower()) if word.isupper() else word for word in command]
    if how == "option":
        words += ["--language", "latin"]
    else:
        monkeypatch.setenv("IN4310_LANGUAGE", "latin")
    found = CliRunner().invoke(cli, words, prog_name="in4310")
    where = "--language" if how == "option" else "IN4310_LANGUAGE"
    assert (found.exit_code, found.stderr) == (2, f"in4310: {where} latin: {WRONG}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_pytest_run_tells_a_wrong_language_at_once(pytester):
    found = pytester.runpytest("--report", "report", "--language", "latin")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines([f"ERROR: --language latin: {WRONG}"])


def test_pytest_runs_that_write_no_report_do_not_ask(pytester, monkeypatch):
    monkeypatch.setenv("IN4310_LANGUAGE", "latin")
    pytester.makepyfile("def test_it(): pass")
    assert pytester.runpytest().ret == pytest.ExitCode.OK


def test_english_pages_read_no_catalogue(pytester):
    code = (
        "import sys\nfrom in4310.reporting.html import render\nfrom in4310.reporting.page import environment\n"
        "environment('en')\nassert not [m for m in sys.modules if m.startswith('babel')]\n"
    )
    assert pytester.run(sys.executable, "-c", code).ret == 0


# -- what is written ---------------------------------------------------------------------------------


class Elements(HTMLParser):
    """Names of the elements of a page, and all its text."""

    def __init__(self, page):
        super().__init__()
        self.names, self.text = [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.names.append((tag, tuple(sorted(name for name, _ in attrs))))

    def handle_data(self, data):
        self.text += data


def test_a_report_in_norwegian(results, tmp_path):
    page = write_report(results, tmp_path, {}, "nb").read_text(encoding="utf-8")
    assert '<html lang="nb">' in page
    text = Elements(page).text
    for words in (
        "av 13,5 poeng",
        "Ikke bestått",
        "Gjør dette først",
        "Hva vi fant",
        "1\xa0200 bilder i 2 klasser (forest, sea)",
        "1 advarsel",
    ):
        assert words in text, words
    # The record stays one and the same.
    assert '"reason": "reason of sizes"' in (tmp_path / "results.json").read_text()
    write_report(results, tmp_path / "english", {})
    for name in ("results.json", "junit.xml"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "english" / name).read_bytes()


def test_every_banner_is_said_in_norwegian(results):
    said = "judged by the edition 2023, which submission.toml states; --edition takes another"
    found = results.model_copy(
        update={
            "left_out": ["split_sizes"],
            "edition_said": said,
            "doubt": "is this the right --data? 3 of 1200 images of the split lie in photos",
        }
    )
    page = Elements(render(found, {}, "nb")).text
    terminal = StringIO()
    Console(file=terminal, width=200).print(Verdict(found, "nb"))
    for text in (page, terminal.getvalue()):
        assert "Bare en del av sjekkene: 5 av 6 ble kjørt; det gir ikke noe resultat" in text
        assert not [banner for banner in found.banners if banner in text]


def test_a_hostile_record_is_as_harmless_in_norwegian(hostile):
    english, norwegian = Elements(render(hostile)), Elements(render(hostile, {}, "nb"))
    added = [name for name in norwegian.names if name not in english.names]
    assert set(added) <= {("span", ("lang",))}
    assert [n for n in norwegian.names if n != ("span", ("lang",))] == [
        n for n in english.names if n != ("span", ("lang",))
    ]
    assert norwegian.text.count("alert(1)") == english.text.count("alert(1)") > 0


def test_a_teachers_edition_says_its_language(tmp_path):
    own = load_edition("demo").model_copy(update={"language": "nb", "title": "Oppgaven vår"})
    record = Session(own).results()
    assert record.edition_language == "nb"
    assert '<p class="edition">Oppgaven vår</p>' in render(record, {}, "nb")
    assert '<p class="edition"><span lang="nb">Oppgaven vår</span></p>' in render(record)


def mark(results, who="kari"):
    said = Override("1a", 7.0, "great work", "anne", "2026-11-23T12:00:00+00:00")
    return Mark(who, late=True, status=Status.DONE, results=results, overrides=(said,))


def test_the_class_in_norwegian(results):
    marks = [
        mark(results),
        Mark("per", 1, status=Status.FAILED, error="per.zip: is encrypted; hand it in without a password"),
    ]
    page = class_page(marks, "2026-11-23", "nb")
    text = Elements(page).text
    for words in (
        "2 studenter",
        "Mistet poeng",
        "for sent",
        "ikke bestått",
        "per.zip: er kryptert; lever den uten passord",
    ):
        assert words in text, words
    assert "great work" in text  # a teacher's own words
    assert '<html lang="nb">' in likeness_page([], 3, [], "nb")
    assert "0 grupper blant 3 innleveringer" in likeness_page([], 3, [], "nb")


def test_grading_again_in_another_language_writes_the_reports_again(results, tmp_path):
    report = tmp_path / STUDENTS / "kari" / "index.html"
    picture = b"\x89PNG\r\n\x1a\n" + bytes(50)
    write_report(results, report.parent, {"pictures/sizes-1.png": picture})
    english = report.read_bytes()
    write_class([mark(results)], tmp_path, "Mandatory 1", "nb")
    norwegian = report.read_text(encoding="utf-8")
    assert '<html lang="nb">' in norwegian
    assert "data:image/png" in norwegian
    report.write_text(norwegian + "<!-- kept -->", encoding="utf-8")
    write_class([mark(results)], tmp_path, "Mandatory 1", "nb")
    assert report.read_text(encoding="utf-8").endswith("<!-- kept -->")  # it is in that language already
    write_class([mark(results)], tmp_path, "Mandatory 1")
    assert report.read_bytes() == english
