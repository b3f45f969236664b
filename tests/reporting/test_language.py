"""The pages in other languages: which there are, what is translated, and what a hostile text can do about it."""

import ast
import copy
import importlib.util
import re
import time
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from in4310.errors import InputError
from in4310.judging.judge import Judge
from in4310.judging.verdict import Check, Outcome
from in4310.reporting.language import catalogue, chosen, counted, languages, number, translations
from in4310.reporting.language_record import reason, said, shown_in_page, translator
from in4310.reporting.page import TALLY

LANGUAGES = [name for name in languages() if name != "en"]
each_language = pytest.mark.parametrize("language", LANGUAGES)
PLACES = re.compile(r"\{\d\}|%\(\w+\)[sd]|\{\}")


SCRIPT = Path(__file__).parents[2] / "docs" / "messages.py"


@pytest.fixture(scope="module")
def messages():
    if not SCRIPT.is_file():
        pytest.skip("docs/messages.py is part of the repository, not of the package")
    spec = importlib.util.spec_from_file_location("messages", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(messages):
    return messages.template_catalogue()


@pytest.fixture
def norwegian(messages, found, monkeypatch, tmp_path):
    """A function that puts a changed copy of the Norwegian catalogue in its place, and returns its file."""
    monkeypatch.setattr(
        messages, "template_catalogue", lambda: copy.deepcopy(found)
    )  # the source is read once

    def changed(change):
        place = tmp_path / "nb" / "LC_MESSAGES" / "in4310.po"
        place.parent.mkdir(parents=True)
        place.write_text(change((messages.LOCALE / place.relative_to(tmp_path)).read_text("utf-8")), "utf-8")
        monkeypatch.setattr(messages, "LOCALE", tmp_path)
        return place

    return changed


def texts_of(message):
    """(id, translation) of each form, both as tuples of plain texts."""
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    return ids, message.string if isinstance(message.string, tuple) else (message.string,)


# -- catalogues ---------------------------------------------------------------------------------------


def test_norwegian_is_there():
    assert languages() == ("en", "nb")


@each_language
def test_each_translation_has_the_places_of_its_message(messages, found, language):
    for message in catalogue(language):
        if not message.id or message.fuzzy:
            continue
        ids, translation = texts_of(message)
        for text in filter(None, translation):
            assert set(PLACES.findall(text)) == set(PLACES.findall(ids[-1])), (message.id, text)
            assert text[: len(text) - len(text.lstrip())] == ids[0][: len(ids[0]) - len(ids[0].lstrip())]
            assert text[len(text.rstrip()) :] == ids[0][len(ids[0].rstrip()) :]
    if messages.untranslated(language, found):  # no mistake: a page shows them in English
        warnings.warn(messages.told(language, found), stacklevel=1)


def test_what_is_not_translated_is_counted_and_named(messages, found, norwegian):
    lacking = messages.untranslated("nb", found)
    norwegian(
        lambda text: (
            text.replace('msgstr "Krav"', 'msgstr ""')
            .replace('msgid "Piece"', '#, fuzzy\nmsgid "Piece"')
            .replace('msgid "%(num)s student"', 'msgid "%(num)s pupil"')
        )
    )
    new = {"Requirement", "Requirements", "Piece", "%(num)s students"}
    assert set(messages.untranslated("nb", found)) == {*lacking, *new}
    count = sum(bool(m.id) for m in found)
    first, *named = messages.told("nb", found).splitlines()
    assert first == f"nb: {count - len(lacking) - len(new)} of {count} messages are translated"
    assert {line.removeprefix("    ") for line in named} == {*lacking, *new}


def test_the_reader_finds_messages_where_checks_say_them(messages):
    source = '''
def test_it(judge):
    """What the student reads.

    Not this.
    """
    how = "as stated"
    judge.expect(good, "one", f"{a} of {b:.2f} {'rows' if many else 'images'}", mend="mend " + what + " first")
    raise Missing("split", f"no {name!r} {', '.join(f'and {x} too' for x in y)}")
    facts["Test accuracy"] = "https://no.text/of a page"
'''
    reader = messages.Reader()

    assert list(reader.read(ast.parse(source))) == [
        "What the student reads.",
        "as stated",
        "one",
        "{0} of {1} rows",
        "{0} of {1} images",
        "mend {0} first",
        "no {0} {1}",
        "and {0} too",
        "Test accuracy",
    ]


def test_updating_an_up_to_date_catalogue_changes_nothing(messages, norwegian):
    copy = norwegian(str)
    messages.update("nb")
    once = copy.read_bytes()
    messages.update("nb")
    assert copy.read_bytes() == once
    assert once.count(b"\nmsgid ") > 900


def test_a_new_language_is_an_empty_file(messages, found, norwegian):
    norwegian(lambda text: "")
    messages.update("nb")
    assert len(messages.untranslated("nb", found)) == sum(bool(m.id) for m in found)


def test_a_changed_text_keeps_its_translation_for_the_maintainer_only(messages, found, norwegian):
    copy = norwegian(
        lambda text: text.replace('"shape of the test scores"', '"shape of the saved test scores"')
    )
    messages.update("nb")
    assert "shape of the test scores" in messages.untranslated("nb", found)
    assert '#, fuzzy\nmsgid "shape of the test scores"\nmsgstr "formen på test-skårene"' in copy.read_text(
        "utf-8"
    )


def test_a_text_that_is_gone_is_kept_aside_and_comes_back_with_its_translation(messages, found, norwegian):
    gone = '#~ msgid "shape of the test scores"\n#~ msgstr "formen"\n\n#~ msgid "quite another thing"\n#~ msgstr "noe annet"\n'

    def without(text):
        start = text.rindex("#: ", 0, text.index('msgid "shape of the test scores"'))
        return text[:start] + text[text.index("#: ", start + 3) :] + gone

    copy = norwegian(without)
    messages.update("nb")
    assert "shape of the test scores" not in messages.untranslated("nb", found)
    assert 'msgid "shape of the test scores"\nmsgstr "formen"' in copy.read_text("utf-8")
    assert '#~ msgid "quite another thing"\n#~ msgstr "noe annet"\n' in copy.read_text("utf-8")


# -- which language -----------------------------------------------------------------------------------


def test_english_unless_asked_otherwise(monkeypatch):
    monkeypatch.delenv("IN4310_LANGUAGE", raising=False)
    assert (chosen(), chosen(""), chosen("nb")) == ("en", "en", "nb")
    monkeypatch.setenv("IN4310_LANGUAGE", "nb")
    assert (chosen(), chosen("en")) == ("nb", "en")


@pytest.mark.parametrize("name", ["de", "nb/../nb", "NB"])
def test_an_unknown_language_is_one_line_that_names_those_there_are(name, monkeypatch):
    with pytest.raises(InputError, match=r"^--language .*: expected one of en, nb$"):
        chosen(name)
    monkeypatch.setenv("IN4310_LANGUAGE", name)
    with pytest.raises(InputError, match=r"^IN4310_LANGUAGE .*: expected one of en, nb$"):
        chosen()


# -- numbers and counts -------------------------------------------------------------------------------


def test_numbers_have_the_form_of_the_language():
    assert [number(103.67, language) for language in languages()] == ["103.67", "103,67"]
    assert [number(17034, language) for language in languages()] == ["17,034", "17\xa0034"]
    assert [number(0.5, "nb", digits, fixed=True) for digits in (0, 1, 4)] == ["0", "0,5", "0,5000"]
    assert [number(n, "nb", 4) for n in (2 / 3, 1.0, 0)] == ["0,6667", "1", "0"]


def test_a_count_has_the_plural_of_the_language():
    assert [counted(*TALLY[Outcome.WARNED], n, "nb") for n in (0, 1, 4)] == [
        "0 advarsler",
        "1 advarsel",
        "4 advarsler",
    ]


@given(n=st.one_of(st.integers(0, 10**6), st.floats(0, 10**6)), language=st.sampled_from(languages()))
def test_one_is_one_and_all_else_is_many(n, language):
    said = counted("%(num)s point of %(all)s", "%(num)s points of %(all)s", n, "en", all="many")
    assert said.endswith("point of many") == (n == 1)
    assert counted("%(num)s", "%(num)s ", n, language) == number(n, language) + " " * (n != 1)


# -- texts of a record --------------------------------------------------------------------------------

nb = said("nb")


@pytest.mark.parametrize(
    ("english", "norwegian"),
    [
        ("shape of the test scores", "formen på test-skårene"),
        ("glacier: 31 found, quota 37", "glacier: 31 funnet, kvote 37"),
        ("all 211", "alle 211"),
        ("0.02 percentage points", "0,02 prosentpoeng"),
        ("my split (2).json is empty", "my split (2).json er tom"),
        ("ResNet-18 or ResNet-34", "ResNet-18 eller ResNet-34"),
        # joined by the judge, by diagnoses, by the audit
        ("the order is ascending; the features were not centred", "rekkefølgen er stigende; trekkene ble ikke sentrert"),
        ("softmax was applied twice and top and bottom are exchanged", "softmax ble brukt to ganger og øverst og nederst er byttet om"),
        (
            "the network was in training mode: model.eval() is missing (batches of 64); see a b.py:4: model(x)",
            "nettverket var i treningsmodus: model.eval() mangler (batcher på 64); se a b.py:4: model(x)",
        ),
        (
            "val: 128 of 200 rows computed again; all right: fewer than 2.3% of all are wrong (95 %); test: 9 of 20 rows"
            " computed again; all right: fewer than 4% of all are wrong (95 %)",
            "val: 128 av 200 rader regnet ut på nytt; alle riktige: færre enn 2,3% av alle er feil (95 %); test: 9 av 20 rader"
            " regnet ut på nytt; alle riktige: færre enn 4% av alle er feil (95 %)",
        ),
        # names and figures are nobody's to translate
        ("0.9289", "0,9289"), ("0.9289 (95 %: 0.874 to 0.911)", "0,9289 (95 %: 0,874 til 0,911)"), ("4.1 GiB", "4,1 GiB"),
        ("layer4.1.conv2", "layer4.1.conv2"), ("", ""),
    ],
)  # fmt: skip
def test_texts_are_translated_whole(english, norwegian):
    found = nb(english)
    assert found == norwegian
    assert [language for _, language in getattr(found, "parts", ()) if language] == []


def test_what_no_message_fits_stays_english_and_is_marked_so():
    assert nb("a sentence that nobody wrote").parts == (("a sentence that nobody wrote", "en"),)
    found = nb(
        "the judge itself failed (no such file or folder); this is not the submission's fault, please report it"
    )
    assert found.parts[1] == ("no such file or folder", "en")
    page = shown_in_page(found)
    assert page.startswith('dommeren selv feilet (<span lang="en">no such file or folder</span>)')
    assert shown_in_page(nb("a sentence that nobody wrote"), 10) == '<span lang="en">a sentenc…</span>'
    assert shown_in_page(nb("x" * 700)) == "x" * 578 + "… (700 letters in all)"


def test_a_reason_is_made_of_the_finding_that_it_was_made_of():
    judge = Judge()
    judge.expect(False, "images in the test set", 200, "about, expected: 211", tolerance="5: 2 within 3")
    judge.expect(False, "order", "not descending", "descending")
    check = Check(
        name="x",
        title="X",
        outcome=Outcome.FAILED,
        points=0,
        max_points=1,
        reason=judge.reason,
        findings=judge.findings,
    )
    assert reason("en")(check) == judge.reason
    assert (
        reason("nb")(check)
        == "bilder i test-settet: 200, forventet about, expected: 211 innenfor 5: 2 within 3 (og 1 til)"
    )
    assert (
        reason("nb")(check.model_copy(update={"reason": "nothing was looked at"}))
        == "ingenting ble undersøkt"
    )


def test_english_is_left_as_it_is():
    text = "shape of the test scores"
    assert said("en")(text) is text
    assert translations("en").gettext(text) is text


def test_a_teachers_own_texts_are_shown_as_they_are():
    assert said("nb")("The network", "nb") == "The network"
    assert said("nb")("The network") == "Nettverket"
    assert said("en")("Nettet", "nb").parts == (("Nettet", "nb"),)
    assert shown_in_page(said("nb")("Das Netz <b>", "de")) == '<span lang="de">Das Netz &lt;b&gt;</span>'


# -- texts of a submission ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["{0} images", "{0}", "%(name)s", "{1}{0}{9}", "{0.__class__}", "\\1 \\g<0>"]
)
def test_what_stands_in_a_place_is_never_a_place_itself(text):
    kept = text.replace("images", "bilder")
    assert nb(f"{text}: order") == f"{kept}: rekkefølge"
    assert nb(f"cell {text}") == f"celle {kept}"
    found = nb(
        f"the judge itself failed (<b>{text}</b> of it all); this is not the submission's fault, please report it"
    )
    assert f"{escape(f'<b>{text}</b>')}" in shown_in_page(found)


HOSTILE = {
    "and": "and the " * 1200, "joins": "; " * 5000, "names": "x: " * 3000, "brackets": "a (" * 3300, "commas": "so, " * 2500,
    "see": "x; see " * 1400, "a message again and again": "images of " * 1000, "messages": ", ".join(["good scores"] * 800),
    "many messages": " or ".join(["the first image", "the last image", "and so on"] * 260), "spaces": " " * 10_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("length", [300, 999, 10_000])
def test_a_hostile_text_costs_no_more_than_so_many_comparisons(name, length):
    tried = translator("nb")
    text = HOSTILE[name][:length]
    best = min(_seconds(lambda: tried.reading(text)) for _ in range(3))
    usual = min(
        _seconds(
            lambda: [tried.reading(f"{i} of its images are not in the data set, e.g. x") for i in range(100)]
        )
        for _ in range(3)
    )
    assert best < 5 * usual


def _seconds(work):
    began = time.process_time()
    work()
    return time.process_time() - began
