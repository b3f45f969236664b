"""The class on one page: figures that are right, names that are text, nothing loaded from elsewhere."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from in4310.grading.class_page import (
    Accuracy,
    accuracies,
    accuracy_plot,
    class_page,
    distribution,
    hurdles,
)
from in4310.grading.marks import Mark, Override, Status
from in4310.judging.verdict import Diagnosis

AT = "2026-11-23T12:00:00+00:00"


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def marks(results):
    return [
        Mark("kari", status=Status.DONE, results=results(8, "kari"), late=True, shown="Kari N"),
        Mark("ola", status=Status.DONE, results=results(2, "ola"), overrides=(Override("1a", 5, "good reason", "anne", AT),)),
        Mark("per", status=Status.FAILED, error="an empty zip"),
        Mark("siv"),
    ]  # fmt: skip


def test_marks_overrides_and_those_without_a_mark_are_told(marks):
    page = class_page(marks, AT)
    text = " ".join(" ".join(Page(page).words).split())
    assert "4 students" in text
    assert "2 judged" in text
    assert "2 without a mark" in text
    assert "an empty zip" in text
    assert "1a: 5 points by anne: good reason" in text
    assert "8.5 points on average, of 10" in text
    links = [
        a["href"] for tag, a in Page(page).tags if tag == "a" and a.get("href", "").startswith("students/")
    ]
    assert "students/kari/index.html" in links
    assert not any("per" in link for link in links)


def test_figures_of_the_class(marks):
    judged = marks[:2]
    split, metrics = hurdles(judged)
    assert (split.id, split.lost, metrics.lost) == ("1a", 1, 0)
    assert split.share == pytest.approx((8 + 5) / 16)
    assert split.mistakes == [("The sets have the sizes asked for.", 1)]
    assert [a.who for a in accuracies(judged)] == ["kari", "ola"]
    assert (accuracies(judged)[0].value, accuracies(judged)[0].low, accuracies(judged)[0].high) == (
        0.9289,
        0.886,
        0.956,
    )


def test_mistakes_are_counted_in_the_students_words(results):
    def judged(who, places):
        record = results(8, who)
        check = record.requirements[0].checks[0]
        said = Diagnosis(names=["f1"], mistake="this is the F1 score", sentence=f"this is the F1 score{places}",
                         quality="q", mend="m")  # fmt: skip
        check.points, check.diagnoses = 0.0, [said]
        return Mark(who, status=Status.DONE, results=record)

    found = hurdles([judged("kari", "; see a.py:4"), judged("ola", "")])
    assert [h.mistakes for h in found if h.id == "1a"] == [[("this is the F1 score", 2)]]


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), max_size=60))
def test_every_mark_falls_into_one_bin(points):
    bins = distribution(points, 10)
    assert sum(bins) == len(points)
    assert bins[10] == sum(p >= 10 for p in points)
    assert bins[0] == sum(p < 1 for p in points)


def test_a_class_without_any_mark():
    assert "0 students" in class_page([], AT)
    assert "without a mark" in class_page([Mark("kari")], AT)
    assert distribution([0, 0], 0)[0] == 2


def ids(page):
    return [a["id"] for _, a in Page(page).tags if "id" in a]


def test_each_student_has_a_row_to_link_to_in_the_order_of_names(results):
    names = ["s10", "s2", "Åse", "se", "a b", "a-b"]
    page = class_page([Mark(who, status=Status.DONE, results=results(8, who)) for who in names], AT)
    assert len(set(ids(page))) == len(ids(page))
    rows = [i for i in ids(page) if i.startswith("s-")]
    assert len(rows) == len(names)
    assert [i for i in rows if i in ("s-s2", "s-s10", "s-se")] == ["s-s2", "s-s10", "s-se"]
    alone = class_page([Mark("Åse", status=Status.DONE, results=results(8, "Åse"))], AT)
    assert set(ids(alone)) & set(rows)  # the link stays right when others come and go


def test_who_has_no_mark_comes_first_and_a_shared_reason_is_told_once(marks):
    page = class_page([*marks, Mark("ada", status=Status.FAILED, error="an empty zip")], AT)
    assert page.count("an empty zip") == 1
    assert page.index("an empty zip") < page.index('id="distribution"') < page.index('id="students"')


def test_a_mark_by_hand_on_what_could_not_be_judged_is_a_mark():
    by_hand = Mark(
        "per", status=Status.FAILED, error="an empty zip", overrides=(Override("", 4, "seen", "anne", AT),)
    )
    page = class_page([by_hand], AT)
    assert "without a mark" not in page
    assert "an empty zip" not in page


@pytest.mark.parametrize(
    ("low", "ticks"),
    [(0.886, [1, 0.9, 0.8]), (0.3, [1, 0.8, 0.6, 0.4, 0.2]), (0, [1, 0.8, 0.6, 0.4, 0.2, 0])],
)
def test_the_plot_reaches_from_one_to_a_round_number_below_the_lowest(low, ticks):
    plot = accuracy_plot([Accuracy("ada", (low + 1) / 2, low, 1.0)])
    assert [value for value, _ in plot.ticks] == ticks
    assert plot.ticks[0][1] == 0
    assert plot.ticks[-1][1] == 100
    bottom, top = re.fullmatch(r"M0.5 ([\d.]+)V([\d.]+)", plot.intervals).groups()
    assert float(top) == 0
    assert float(bottom) == pytest.approx(100 * (1 - low) / (1 - ticks[-1]), abs=0.06)


def test_accuracies_of_a_large_class_are_two_paths():
    many = [Accuracy(f"s{i}", 0.8, 0.7, 0.9) for i in range(500)]
    plot = accuracy_plot(many)
    assert plot.many
    assert plot.intervals.count("M") == 1
    assert plot.dots.count("M") == 500


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J\u202e"


def test_names_and_comments_are_text(results):
    mark = Mark(HOSTILE, status=Status.DONE, results=results(2, HOSTILE), shown=HOSTILE,
                overrides=(Override("", 1, HOSTILE, HOSTILE, AT),))  # fmt: skip
    page = class_page([mark, Mark(HOSTILE + "2", status=Status.FAILED, error=HOSTILE)], AT)
    tags = Page(page).tags
    assert sum(tag == "script" for tag, _ in tags) == 1
    assert not any(tag == "img" for tag, _ in tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert "\x1b" not in page
    assert "\u202e" not in page


def test_nothing_is_loaded_from_elsewhere(marks):
    page = class_page(marks, AT)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    (policy,) = [
        a["content"] for tag, a in Page(page).tags if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert "default-src 'none'" in policy
    assert class_page(marks, AT) == page


def test_500_students_stay_small(results):
    many = [Mark(f"student{i:03}", status=Status.DONE, results=results(i % 9, f"s{i}")) for i in range(500)]
    assert len(class_page(many, AT).encode()) < 5_000_000
