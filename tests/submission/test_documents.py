"""What a report in PDF states is read with its page; what nobody can place is not taken."""

import io

import pypdf
import pytest
from submission.written_pdf import pdf

from in4310.submission.answers import stated_of
from in4310.submission.documents import LETTERS, PAGES, pages_of, stated_in
from in4310.submission.folder import Submission
from in4310.submission.pieces import Hints
from in4310.submission.plain import NotPlain
from in4310.submission.reading import Readers
from in4310.submission.sandbox.worker import Answer, Sandbox

CLASSES = ("forest", "sea", "street")


def read(tmp_path, *pages):
    file = tmp_path / "report.pdf"
    file.write_bytes(pdf(*pages))
    figures, shares = stated_in(file, CLASSES)
    return {(" ".join(s.what), s.value, s.page) for s in (*figures, *shares)}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("Test accuracy: 0.934", ("test accuracy", 0.934)),
        ("Test accuracy = 93.4 %", ("test accuracy", 93.4)),
        ("We reached a test accuracy of 93.4% with this network.", ("test accuracy", 93.4)),
        ("The accuracy on the test set was 0,934.", ("test accuracy", 0.934)),
        ("It has an mAP of 0.912 on the validation set.", ("val map", 0.912)),
        ("Validation mAP is 0.912", ("val map", 0.912)),
        ("Testnøyaktigheten var 0,934.", ("test accuracy", 0.934)),
        ("Nøyaktigheten på testsettet er 93,4 %.", ("test accuracy", 93.4)),
        ("Test accuracy of sea: 0.95", ("test accuracy_per_class sea", 0.95)),
        ("layer1: 43.79 % non-positive values", ("layer1", 43.79)),
    ],
)
def test_forms_of_a_figure(tmp_path, line, what):
    assert read(tmp_path, ["A page before"], ["Results", line, "And so on."]) == {(*what, 2)}


def test_tables_whose_columns_only_blanks_part(tmp_path):
    assert read(tmp_path, ["Table 1: what we reached", "Set Accuracy mAP", "validation 0.901 95.2 %", "test 0.929 96.5 %"]) == {
        ("val accuracy", 0.901, 1), ("val map", 95.2, 1), ("test accuracy", 0.929, 1), ("test map", 96.5, 1),
    }  # fmt: skip
    assert read(tmp_path, ["Results on the test set:", "Class Accuracy AP", "sea 0.93 0.95", "street 0.88 0.91"]) == {
        ("test accuracy_per_class sea", 0.93, 1), ("test ap_per_class sea", 0.95, 1),
        ("test accuracy_per_class street", 0.88, 1), ("test ap_per_class street", 0.91, 1),
    }  # fmt: skip
    assert read(tmp_path, ["Setting Accuracy mAP", "adam 0.93 0.95", "sgd 0.88 0.91"]) == set()


@pytest.mark.parametrize(
    "lines",
    [
        ["The accuracy was 0.934."],  # of which set?
        ["The training accuracy was 0.99."],
        ["Our baseline has a test accuracy of 0.5."],
        [
            "Our baseline, which nobody tunes,",
            "and which is here to compare with,",
            "has a test accuracy of 0.5.",
        ],
        ["We expected a test accuracy of 0.95."],
        ["After epoch 3 the validation accuracy was 0.8."],
        ["Epoch 3: val accuracy: 0.8"],
        ["The test accuracy improved by 0.02 to a test accuracy of 0.9."],
        ["Test accuracy: 0.934", "Test accuracy: 0.871"],  # of which network?
        ["Test accuracy: 280/300"],
        ["The test set has 3000 images; accuracy and mAP follow."],
    ],
)
def test_what_nobody_can_place_is_not_taken(tmp_path, lines):
    assert read(tmp_path, lines) == set()


def test_one_figure_in_two_forms_is_one_and_stands_where_it_stands_first(tmp_path):
    assert read(tmp_path, ["Test accuracy: 93.4 %"], ["A test accuracy of 0.934."]) == {
        ("test accuracy", 93.4, 1)
    }


def test_the_text_of_the_assignment_is_no_report(tmp_path):
    (tmp_path / "oblig.pdf").write_bytes(
        pdf(["You should train.", "You must hand in before the deadline, in Devilry.", "Test accuracy: 0.9"])
    )
    with pytest.raises(ValueError, match="text of an assignment"):
        stated_in(tmp_path / "oblig.pdf", CLASSES)


def locked():
    writer, out = pypdf.PdfWriter(clone_from=io.BytesIO(pdf(["Test accuracy: 0.9"]))), io.BytesIO()
    writer.encrypt("secret", algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "EmptyFileError"), (b"%PDF-1.4\n", "no PDF"), (b"\0" * 9000, "no PDF"), (pdf(["a"])[:300], "no PDF"),
     (locked(), "locked by a password")],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(tmp_path, content, said):
    (tmp_path / "report.pdf").write_bytes(content)
    with pytest.raises(ValueError, match=said) as error:
        stated_in(tmp_path / "report.pdf", CLASSES)
    assert "\n" not in str(error.value)


def test_a_page_without_text_and_one_that_is_drawn_cost_themselves(tmp_path):
    drawn = ["0 0 m 9 9 l S" * 500] * 100
    assert read(tmp_path, [], ["Test accuracy: 0.934"], drawn, ["Test mAP: 0.96"]) == {
        ("test accuracy", 0.934, 2), ("test map", 0.96, 4),
    }  # fmt: skip
    assert pages_of(tmp_path / "report.pdf")[2] == ""


def test_a_page_that_cannot_be_read_costs_itself(tmp_path, monkeypatch):
    read_page = pypdf.PageObject.extract_text

    def fails(page):
        if page.page_number == 0:
            raise KeyError("/Font")
        return read_page(page)

    monkeypatch.setattr(pypdf.PageObject, "extract_text", fails)
    assert read(tmp_path, ["Test mAP: 0.96"], ["Test accuracy: 0.934"]) == {("test accuracy", 0.934, 2)}


def test_pages_and_letters_are_bounded(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf(*[["x"]] * (PAGES + 5)))
    assert len(pages_of(tmp_path / "a.pdf")) == PAGES
    (tmp_path / "b.pdf").write_bytes(pdf(*[["y" * 1000] * 100] * 5))
    assert sum(map(len, pages_of(tmp_path / "b.pdf"))) == LETTERS


def test_it_is_read_behind_the_walls_and_a_broken_one_costs_itself(tmp_path):
    (tmp_path / "report.pdf").write_bytes(pdf(["Test accuracy: 0.934"]))
    (tmp_path / "appendix.pdf").write_bytes(b"%PDF-1.4 broken")
    with Sandbox() as sandbox, Readers(sandbox, tmp_path) as readers:
        submission = Submission(tmp_path, Hints(CLASSES), readers)
        ((file, figures, shares),) = submission.stated
        assert (file, [(s.what, s.value, s.page) for s in figures], shares) == (
            "report.pdf", [(("test", "accuracy"), 0.934, 1)], [],
        )  # fmt: skip
        assert any("appendix.pdf: is no PDF whose text can be read" in note for note in submission.notes)


@pytest.mark.parametrize(
    "told",
    [
        None, [], [[]], [[], [], []], [[[["test", "map"], 1, 1]], []], [[[["test"], 1.0, 1]], []], [[], [[["a", "b"], 1.0, 1]]],
        [[[["test", 1], 1.0, 1]], []], [[[["test", "map"], 1.0, 0]], []], [[[["test", "map"], 1.0]], []],
        [[[["test", "map"], {"": "float", "v": "nan"}, 1]], []],
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(told):
    with pytest.raises(NotPlain):
        stated_of(Answer(told, {}))
