"""What is said of faulty submissions is said in Norwegian, too: no sentence of a report stays English."""

import importlib.util
import warnings
from pathlib import Path

import pytest
from faults import (
    catalogue,
    faults_inside,
    faults_metrics,
    faults_scores,
    faults_split,
    faults_training,
    variants,
)

from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import Edition
from in4310.judging.evidence import Evidence
from in4310.judging.session import Session
from in4310.reporting.html import render
from in4310.reporting.language_record import Translator, translator
from in4310.submission.folder import Submission
from in4310.submission.live import Live
from in4310.submission.pieces import Missing
from in4310.submission.reading import Readers

assert all((faults_inside, faults_metrics, faults_scores, faults_split, faults_training, variants))
pytestmark = pytest.mark.filterwarnings("ignore", "default:shown in English")
# What a report may say in English: texts of the submission, and of Python and its libraries, in whole or in a place.
ENGLISH = (
    "python run.py",  # a command that was handed in
)
USUAL = ("roc auc for average precision", "step not called")
EVERY = 6  # one entry in so many: each is judged in seconds, and kinds lie beside each other
ENTRIES = {entry.name: entry for entry in (*catalogue.FAULTS, *catalogue.VARIANTS)}


@pytest.fixture
def results(folder, world, run_check, edition, data, sandbox, soon):
    """A function that judges an entry of the catalogue (None: the reference itself) and returns the record."""

    def judged(entry):
        built = entry.build(folder, world) if entry else None
        place = built if built and isinstance(entry, catalogue.Variant) else folder
        against = resolve_data(edition, built) if built and isinstance(entry, catalogue.Fault) else data
        raw = edition.model_dump(by_alias=True)
        for table, values in (entry.edition if entry else {}).items():
            raw[table] = raw[table] | values
        session = Session(Edition.model_validate(raw))
        with Readers(sandbox, place) as readers:
            submission = Submission(place, hints(session.edition, against), readers)
            live = Live(sandbox, submission.folder, submission.table("adapters"))
            session.evidence = Evidence(submission, against, session.edition, live=live)
            soon(session.evidence)
            for name in session.edition.points_of:
                title = run_check.functions[name].__doc__.strip().splitlines()[0]
                try:
                    session.decided(name, title, run_check(name, session.evidence), True, 0.0)
                except Missing as missing:
                    session.not_run(name, title, missing)
            return session.results()

    return judged


def texts_of(record):
    """Every text of a record that a page says in its language; a check stands for its reason."""
    yield from (record.edition_title, record.isolation, *record.notes, *record.facts, *record.facts.values())
    yield record.audit.statement if record.audit else ""
    yield from (piece.why for piece in record.pieces)
    for requirement in record.requirements:
        yield from (requirement.title, requirement.text)
        for check in requirement.checks:
            yield from (check, check.title, check.mistake, check.mend)
            yield from (text for d in check.diagnoses for text in (d.sentence, d.quality))
            yield from (text for p in check.pictures for text in (p.caption, p.alt))
            for f in check.findings:
                yield from (f.asked, f.found, f.expected, f.tolerance, *f.details)


def left_in_english(record, translator):
    """Texts, or what stands in their places, that are shown as English; and how many texts there are."""
    found = [
        translator.said(text) if isinstance(text, str) else translator.reason(text)
        for text in texts_of(record)
    ]
    return {part for text in found for part, language in text.parts if language}, len(found)


@pytest.fixture(scope="module")
def whole():
    """Translates, into capitals, every message that the source holds: what it leaves no catalogue can translate."""
    script = Path(__file__).parents[2] / "docs" / "messages.py"
    if not script.is_file():
        pytest.skip("docs/messages.py is part of the repository, not of the package")
    spec = importlib.util.spec_from_file_location("messages", script)
    messages = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(messages)
    return Translator(
        {m.id: m.id.upper() for m in messages.template_catalogue() if isinstance(m.id, str) and m.id}
    )


@pytest.fixture
def look(whole):
    def look(record):
        english, count = left_in_english(record, whole)
        assert count > 100
        assert {text for text in english if not text.startswith(ENGLISH)} == set()
        page = render(record, {}, "nb")
        assert '<html lang="nb">' in page
        lacking = left_in_english(record, translator("nb"))[0] - english
        if lacking:  # messages without a translation are no mistake
            warnings.warn(f"shown in English on a Norwegian page: {sorted(lacking)}", stacklevel=2)
        else:
            assert page.count('<span lang="en">') <= 5

    return look


@pytest.mark.slow
def test_the_reference(results, look):
    look(results(None))


@pytest.mark.slow
def test_an_empty_submission(results, folder, look):
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (folder / "README.txt").write_text("nothing yet")
    look(results(None))


@pytest.mark.slow
@pytest.mark.parametrize("name", USUAL)
def test_faults(results, name, look):
    look(results(ENTRIES[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ENTRIES) - set(USUAL))[::EVERY])
def test_faults_and_variants(results, name, look):
    look(results(ENTRIES[name]))
