"""What is said of faulty submissions is said in Norwegian, too: no sentence of a report stays English."""

import catalogue
import faults_inside
import faults_metrics
import faults_scores
import faults_split
import faults_training
import pytest
import variants

from in4310.judging.data import hints, resolve_data
from in4310.judging.edition import Edition
from in4310.judging.evidence import Evidence
from in4310.judging.session import Session
from in4310.reporting.html import render
from in4310.reporting.language_record import reason, said
from in4310.submission.folder import Submission
from in4310.submission.live import ConfinedLoader, Live
from in4310.submission.pieces import Missing

assert all((faults_inside, faults_metrics, faults_scores, faults_split, faults_training, variants))
pytestmark = pytest.mark.filterwarnings("ignore")
# What a report may say in English: texts of the submission, and of Python and its libraries, in whole or in a place.
ENGLISH = (
    "python run.py",  # a command that was handed in
)
USUAL = ("roc auc for average precision", "step not called")
EVERY = 6  # one entry in so many: each is judged in seconds, and kinds lie beside each other
ENTRIES = {entry.name: entry for entry in (*catalogue.FAULTS, *catalogue.VARIANTS)}


@pytest.fixture
def results(folder, world, run_check, edition, data, sandbox):
    """A function that judges an entry of the catalogue (None: the reference itself) and returns the record."""

    def judged(entry):
        built = entry.build(folder, world) if entry else None
        place = built if built and isinstance(entry, catalogue.Variant) else folder
        against = resolve_data(edition, built) if built and isinstance(entry, catalogue.Fault) else data
        raw = edition.model_dump(by_alias=True)
        for table, values in (entry.edition if entry else {}).items():
            raw[table] = raw[table] | values
        session = Session(Edition.model_validate(raw))
        with ConfinedLoader(sandbox, place) as load:
            submission = Submission(place, hints(session.edition, against), load)
            live = Live(sandbox, submission.folder, submission.table("adapters"))
            session.evidence = Evidence(submission, against, session.edition, live=live)
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


def left_in_english(record):
    """Texts, or what stands in their places, that are shown as English on a Norwegian page; and how many there are."""
    in_norwegian, of_check = said("nb"), reason("nb")
    found = [in_norwegian(text) if isinstance(text, str) else of_check(text) for text in texts_of(record)]
    return {part for text in found for part, language in text.parts if language}, len(found)


def look(record):
    english, count = left_in_english(record)
    assert count > 100
    assert {text for text in english if not text.startswith(ENGLISH)} == set()
    page = render(record, {}, "nb")
    assert '<html lang="nb">' in page
    assert page.count('<span lang="en">') <= 5


@pytest.mark.slow
def test_the_reference(results):
    look(results(None))


def test_an_empty_submission(results, folder):
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    (folder / "README.txt").write_text("nothing yet")
    look(results(None))


@pytest.mark.slow
@pytest.mark.parametrize("name", USUAL)
def test_faults(results, name):
    look(results(ENTRIES[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(ENTRIES) - set(USUAL))[::EVERY])
def test_faults_and_variants(results, name):
    look(results(ENTRIES[name]))
