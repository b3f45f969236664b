"""The audit sample: its size, its bound, who can draw it again, and what it lets through."""

import hashlib
import hmac
import secrets
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from in4310.judging.audit import FULL, Audit, bound, draw, is_random
from in4310.judging.data import hints
from in4310.judging.evidence import Evidence
from in4310.judging.preprocessing import as_shares, infer
from in4310.judging.verdict import Outcome
from in4310.options import look_at_secret
from in4310.solution import scores
from in4310.solution.images import Preprocessing, load_images
from in4310.submission.files import digest_of
from in4310.submission.folder import Submission


@given(
    st.integers(1, 300),
    st.integers(1, 3000),
    st.binary(min_size=16, max_size=20).map(lambda b: b.hex().encode()),
)
def test_samples_are_rows_each_once_and_the_same_again(rows, count, secret):
    audit = draw(rows, secret, "digest")
    sample = audit.sample("test", count)
    assert len(sample) == (rows if count > 2 * rows else count)
    assert sorted(set(sample.tolist())) == sample.tolist()
    assert sample.max() < count
    np.testing.assert_array_equal(sample, draw(rows, secret, "digest").sample("test", count))


def test_nobody_without_the_secret_draws_the_same():
    ours = draw(128, b"secret", "submission").sample("test", 3000)
    for other in (
        draw(128, b"guess", "submission"),
        draw(128, b"secret", "another submission"),
        draw(128, None, "submission"),
    ):
        assert other.sample("test", 3000).tolist() != ours.tolist()
    assert draw(128, None, "a").seed != draw(128, None, "a").seed
    assert draw(128, b"secret", "submission").replayable
    assert not draw(128, None, "submission").replayable


def test_each_set_has_a_draw_of_its_own_and_half_of_a_set_is_no_sample():
    audit = draw(128, b"secret", "submission")
    assert audit.sample("val", 3000).tolist() != audit.sample("test", 3000).tolist()
    assert len(draw(128, None, "submission").sample("test", 3000)) == 128
    assert len(audit.sample("test", 257)) == 128
    assert audit.sample("test", 256).tolist() == list(range(256))
    assert audit.sample("test", 256).dtype == audit.sample("test", 3000).dtype == np.int64
    assert len(draw(128, None, "a").seed) == 32
    assert draw(0, b"secret", "a") is FULL


def test_of_nothing_checked_nothing_is_known():
    assert bound(0, 10) == 1.0
    assert bound(11, 10) == 0.0


def test_every_row_is_drawn_about_as_often():
    counts = np.zeros(300)
    for i in range(400):
        counts[draw(100, b"s", str(i)).sample("test", 300)] += 1
    # 400 draws of a third: 133 expected, standard deviation 9.4; the largest of 300 stays within five of them.
    assert np.abs(counts - 400 / 3).max() < 5 * 9.4


@given(st.integers(1, 500))
def test_the_bound_is_what_a_sample_of_right_rows_leaves_possible(rows):
    share = bound(rows, 10**9)
    assert (1 - share) ** rows == pytest.approx(0.05)
    assert bound(rows, rows) == 0.0


def test_the_bound_of_the_stock_editions():
    assert bound(128, 3000) == pytest.approx(0.0231, abs=1e-4)
    assert FULL.sample("test", 5000).tolist() == list(range(5000))


class Altered(Submission):
    """The reference with some rows of its test scores altered in memory."""

    def __init__(self, folder, given, rows):
        super().__init__(folder, given)
        self._rows = rows

    @property
    def scores(self):
        found = np.array(self.candidate("scores").value, dtype=np.float64)
        found[self._rows] = np.roll(found[self._rows], 1, axis=1)
        return found


def test_altered_rows_outside_the_sample_pass_and_inside_fail(reference, edition, data, run_check):
    audit = Audit(60, b"\1" * 32)
    sample = audit.sample("test", 211)
    outside = sorted(set(range(211)) - set(sample.tolist()))
    for rows, outcome in (([], Outcome.PASSED), (outside[:2], Outcome.PASSED), ([sample[5]], Outcome.FAILED)):
        evidence = Evidence(Altered(reference, hints(edition, data), rows), data, edition, audit=audit)
        judge = run_check("scores_reproduce", evidence)
        assert judge.outcome is outcome
        if outcome is Outcome.PASSED:
            assert "60 of 211 rows computed again" in judge.findings[0].found
            assert "4.9%" in judge.findings[0].found
    full = Evidence(Altered(reference, hints(edition, data), outside[:2]), data, edition)
    assert run_check("scores_reproduce", full).outcome is Outcome.FAILED


def test_figures_are_judged_by_scores_only_where_the_sample_is_right(reference, edition, data):
    audit = Audit(60, b"\1" * 32)
    wrong = Evidence(Altered(reference, hints(edition, data), slice(None)), data, edition, audit=audit)
    right = Evidence(Submission(reference, hints(edition, data)), data, edition)
    assert wrong.recomputed("test").accuracy == right.recomputed("test").accuracy
    assert wrong.measured("test").accuracy == right.recomputed("test").accuracy  # not by what is refuted
    assert wrong.handed_in("test").argmax(axis=1).tolist() != right.handed_in("test").argmax(axis=1).tolist()


PREPROCESSINGS = [
    Preprocessing(size=64, resize=64),
    Preprocessing(size=96, resize=96, mean=(0, 0, 0), std=(1, 1, 1)),
    Preprocessing(size=150, resize=150, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
    Preprocessing(size=224, resize=256),
    Preprocessing(size=64, resize=64, antialias=False),
    Preprocessing(size=128, resize=128, interpolation="bicubic"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    "used", PREPROCESSINGS, ids=lambda p: f"{p.size}-{p.resize}-{p.interpolation}-{p.mean[0]}"
)
def test_the_preprocessing_that_gives_the_scores_is_found(reference, edition, data, used):
    evidence = Evidence(Submission(reference), data, edition)
    paths = evidence.split["test"][:40]
    loaded, _ = load_images(data.root, paths, data.labels, evidence.classes, used)
    made = scores.predict(evidence.model, loaded, used).astype(np.float64)
    found = infer(evidence.model, made, paths, data.root, data.labels, evidence.classes)
    assert found.fits
    assert found.preprocessing == used
    assert found.difference < 1e-3


@pytest.mark.parametrize(
    "form",
    [
        np.log,
        lambda p: np.log(p) + 3,
        lambda p: 100 * p,
        lambda p: 255 * p,
        lambda p: p.astype(np.float16).astype(float),
    ],
    ids=("log-softmax", "logits", "per cent", "bytes", "half precision"),
)
def test_scores_of_another_form_tell_the_preprocessing_too(reference, edition, data, form):
    """Else all usual ones are tried in vain, and then mistakes for two minutes, with the wrong one."""
    evidence = Evidence(Submission(reference), data, edition)
    paths, used = evidence.split["test"][:20], PREPROCESSINGS[0]
    loaded, _ = load_images(data.root, paths, data.labels, evidence.classes, used)
    made = scores.predict(evidence.model, loaded, used).astype(np.float64)
    found = infer(
        evidence.model, form(np.maximum(made, 1e-12)), paths, data.root, data.labels, evidence.classes
    )
    assert found.fits
    assert found.preprocessing == used


@given(arrays(float, st.tuples(st.integers(0, 5), st.integers(2, 4)), elements=st.floats(-50, 50)))
def test_any_numbers_become_shares_of_one(values):
    shares = as_shares(values)
    assert shares.shape == values.shape
    assert np.allclose(shares.sum(axis=1), 1, atol=0.05)
    assert np.allclose(as_shares(shares), shares, atol=0.05)


def test_a_shuffled_loader_does_not_hide_the_preprocessing(reference, edition, data):
    evidence = Evidence(Submission(reference), data, edition)
    paths, used = evidence.split["test"][:40], PREPROCESSINGS[1]
    loaded, _ = load_images(data.root, paths, data.labels, evidence.classes, used)
    made = scores.predict(evidence.model, loaded, used).astype(np.float64)
    order = np.random.RandomState(0).permutation(len(paths))
    found = infer(evidence.model, made[order], paths, data.root, data.labels, evidence.classes)
    assert found.shuffled
    assert found.preprocessing == used


def test_a_wrong_preprocessing_costs_two_images(reference, edition, data, monkeypatch):
    evidence = Evidence(Submission(reference), data, edition)
    paths, used = evidence.split["test"][:40], PREPROCESSINGS[1]
    loaded, _ = load_images(data.root, paths, data.labels, evidence.classes, used)
    made = scores.predict(evidence.model, loaded, used).astype(np.float64)
    predict, seen = scores.predict, []

    def counted(model, images, preprocessing):
        seen.append((len(images), preprocessing))
        return predict(model, images, preprocessing)

    monkeypatch.setattr(scores, "predict", counted)
    found = infer(evidence.model, made, paths, data.root, data.labels, evidence.classes)
    assert found.preprocessing == used
    assert [p for n, p in seen if n > 2] == [used], "only the right one is tried on more"
    assert len(seen) > 5


@pytest.mark.slow
def test_no_preprocessing_is_claimed_where_none_fits(reference, edition, data):
    evidence = Evidence(Submission(reference), data, edition)
    paths = evidence.split["test"][:20]
    invented = np.random.RandomState(0).dirichlet(np.ones(6), 20)
    found = infer(evidence.model, invented, paths, data.root, data.labels, evidence.classes)
    assert not found.fits
    assert "assumed" in found.how


def test_a_word_as_the_secret_is_dear_to_guess_and_said_to_be_weak():
    """A2: a guess must cost scrypt: the seed is not the word's own HMAC. 128 random bits need none of it."""
    word, random = b"correct horse battery staple", secrets.token_hex(16).encode()
    plain = {s: hmac.new(s, b"digest", hashlib.sha256).digest() for s in (word, random)}
    assert draw(128, word, "digest").seed != plain[word]
    assert draw(128, random, "digest").seed == plain[random]
    assert not is_random(word)
    assert is_random(random)


@given(st.binary(min_size=1, max_size=5).map(lambda b: (b * 16)[:16].hex()) | st.integers(0, 9).map(lambda i: f"{i:032}")
       | st.sampled_from(["0123456789abcdef" * 2, "00112233445566778899aabbccddeeff", bytes(range(16)).hex(), "f" * 31, "", "hemmelig"]))  # fmt: skip
def test_what_repeats_or_counts_is_not_random(secret):
    assert not is_random(secret.encode())


@given(st.binary(min_size=16, max_size=16).filter(lambda b: len(set(b)) > 12))
def test_what_is_drawn_is_random(secret):
    assert is_random(secret.hex().encode())


def test_a_secret_that_could_be_guessed_is_said_once(monkeypatch, capsys):
    for secret, lines in (("in4310", 1), ("0" * 32, 1), (secrets.token_hex(16), 0), ("", 0)):
        monkeypatch.setenv("IN4310_SECRET", secret)
        look_at_secret()
        said = capsys.readouterr().err
        assert len(said.splitlines()) == lines
        assert not secret or secret not in said


PLACES = ["a.npy", "b.npy", "sub/a.npy", "sub/deep/a.npy"]
TARGETS = [*PLACES, "sub", "sub/deep", ".", "link", "other", "sub/link", "missing", "/etc/passwd", "../beside", "x/../a.npy"]  # fmt: skip


def made(folder, links):
    """Four files that differ and links to any places, in circles and to the outside too."""
    (folder / "sub" / "deep").mkdir(parents=True)
    for i, place in enumerate(PLACES):
        (folder / place).write_text(str(i))
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return folder


def read(folder):
    """What the judge sees under each name that may be one of a link."""
    submission = Submission(folder)
    names = [f"{start}{name}" for start in ("", "link/", "sub/link/") for name in (*PLACES, "link", "other")]
    return {name: inside and (folder / inside).is_file() and (folder / inside).read_text() for name in names
            for inside in [submission.inside(name)]}  # fmt: skip


LINKS = st.dictionaries(st.sampled_from(["link", "other", "sub/link"]), st.sampled_from(TARGETS))


@given(LINKS, LINKS)
def test_what_is_read_otherwise_has_another_digest(first, second):
    """A1: whatever links lead to; and the same once more has the same."""
    with tempfile.TemporaryDirectory() as home:
        one, two, again = (made(Path(home, str(i)), links) for i, links in enumerate((first, second, first)))
        assert digest_of(one) == digest_of(again) == Submission(one).digest
        if read(one) != read(two):
            assert digest_of(one) != digest_of(two)


def test_swapping_what_a_link_leads_to_draws_another_sample(tmp_path):
    for i, target in enumerate(("a.npy", "b.npy")):
        made(tmp_path / str(i), {"scores_test.npy": target})
    digests = [Submission(tmp_path / str(i)).digest for i in (0, 1)]
    assert draw(128, b"secret", digests[0]).seed != draw(128, b"secret", digests[1]).seed
