"""The teacher's pages in the hand: sorting, filters, links to a student's row and report, a head that stays."""

import pytest

from in4310.grading.class_page import class_page
from in4310.grading.marks import Mark, Status


def names(page):
    return [row.get_attribute("id") for row in page.locator("#all tbody tr").filter(visible=True).all()]


def points(page):
    values = page.locator("#all tbody .total").evaluate_all(
        "cells => cells.map((cell) => Number(cell.dataset.value))"
    )
    return list(values)


def test_who_has_no_mark_and_why_is_on_the_first_screen(visit, screenshot):
    page = visit("class", width=1280, height=800)
    screenshot(page, "class-first-screen")
    reason = page.get_by_role("rowheader", name="an empty zip").bounding_box()
    assert reason["y"] + reason["height"] < 800
    assert "student005" in page.locator("#without + .wide").inner_text()


@pytest.mark.parametrize("key", [None, "Enter", "Space"])
def test_a_column_sorts_by_click_and_by_keyboard_and_says_so(visit, key):
    page = visit("class")
    head = page.get_by_role("columnheader", name="Points", exact=True).last
    assert names(page) == sorted(names(page))  # as it comes
    assert page.locator("#all th[aria-sort]").inner_text().strip().startswith("Student")

    def press():
        button = head.get_by_role("button")
        if key is None:
            button.click()
        else:
            button.focus()
            page.keyboard.press(key)

    press()
    assert points(page) == sorted(points(page))
    assert head.get_attribute("aria-sort") == "ascending"
    press()
    assert points(page) == sorted(points(page), reverse=True)
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#all th[aria-sort]").count() == 1


def test_without_scripts_rows_come_by_name(visit):
    page = visit("class", java_script_enabled=False)
    assert names(page) == sorted(names(page))
    assert len(names(page)) == 7


def test_students_are_found_by_text_by_group_and_by_requirement(visit):
    page = visit("class")
    page.get_by_label("Find").fill("øvrebø")
    assert names(page) == ["s-student001"]
    assert page.locator(".search [role=status]").inner_text() == "1 of 7 students"
    page.get_by_label("Find").fill("")
    page.locator("[data-show=none]").click()
    assert names(page) == ["s-student005"]
    page.locator("[data-show=by-hand]").click()
    assert names(page) == ["s-student003"]
    page.locator("[data-show='']").click()
    page.get_by_label("Who lost points in").select_option("1a")
    shown = names(page)
    lost = page.locator("#all tbody tr").evaluate_all(
        """rows => rows.filter((row) => { const cell = row.querySelector("[data-label='1a']");
             return cell && cell.classList.contains("lost"); }).map((row) => row.id)"""
    )
    assert shown == lost
    assert 0 < len(shown) < 7


def test_a_link_leads_to_a_student_even_when_filtered_out(visit):
    page = visit("class", "#s-student006", height=400, reduced_motion="reduce")
    assert 0 <= page.locator("#s-student006").bounding_box()["y"] < 400
    page.locator("[data-show=none]").click()
    assert "s-student006" not in names(page)
    page.evaluate("location.hash = ''")
    page.evaluate("location.hash = 's-student006'")
    page.locator("#s-student006").wait_for()


@pytest.mark.parametrize("target", ["#s-nobody", "#%", "#<b>"])
def test_a_link_to_nobody_does_no_harm(visit, target):
    page = visit("class", target)
    assert len(names(page)) == 7
    assert page.evaluate("scrollY") == 0


def test_names_and_marks_lead_into_the_reports(visit):
    page = visit("class")
    row = page.locator("#s-student000")
    assert (
        row.get_by_role("link", name="student000", exact=True).get_attribute("href")
        == "students/student000/index.html"
    )
    assert row.locator(".r a").first.get_attribute("href") == "students/student000/index.html#r-1a"
    assert page.locator("#s-student005 a[href^='students']").count() == 0  # there is no report


def test_the_head_of_the_table_stays_on_the_screen(visit, screenshot):
    page = visit("class", height=500, reduced_motion="reduce")
    page.locator("#all tbody tr").last.scroll_into_view_if_needed()
    screenshot(page, "class-scrolled")
    head = page.locator("#all thead th").first.bounding_box()
    assert -1 <= head["y"] < 500


def test_names_of_students_do_nothing(visit, tmp_path):
    evil = "<img src=x onerror=alert(1)><script>alert(2)</script>\u202e"
    file = tmp_path / "index.html"
    file.write_text(class_page([Mark(evil, status=Status.FAILED, error=evil, shown=evil)], "now"))
    page = visit(file)
    assert page.locator("img").count() == 0
    assert "<script>alert(2)</script>" in page.locator("#all").inner_text()


def test_a_pair_leads_to_its_evidence(visit):
    page = visit("likeness", height=400, reduced_motion="reduce")
    page.get_by_role("link", name="per and ørjan").click()
    assert 0 <= page.get_by_role("heading", name="per and ørjan").bounding_box()["y"] < 400
