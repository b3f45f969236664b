"""500 students: small, soon on the screen, with few pictures. Times are shown beside a page with nothing on it."""

import statistics

import pytest

pytestmark = pytest.mark.slow
BYTES = 5_000_000
ROUNDS = 3
TIMES = """() => { const load = performance.getEntriesByType('navigation')[0];
  const paint = performance.getEntriesByType('paint').find((entry) => entry.name === 'first-contentful-paint');
  return { load: load.loadEventEnd, paint: paint ? paint.startTime : load.loadEventEnd }; }"""


def measured(visit, page):
    opened = visit(page)
    opened.wait_for_function("performance.getEntriesByType('navigation')[0].loadEventEnd > 0")
    opened.wait_for_function("performance.getEntriesByType('paint').length > 1")
    times = opened.evaluate(TIMES)
    opened.context.close()
    return times


def test_500_students_open_beside_a_page_of_nothing(visit, page_file, tmp_path, record_property, capsys):
    size = page_file("class-500").stat().st_size
    bare = tmp_path / "bare.html"
    bare.write_text("<!doctype html><title>Bare</title><p>one line")
    measured(visit, bare)  # the first of all pages pays for the browser's start
    rounds = [(measured(visit, bare), measured(visit, "class-500")) for _ in range(ROUNDS)]
    found = {
        kind: (statistics.median(b[kind] for b, _ in rounds), statistics.median(c[kind] for _, c in rounds))
        for kind in ("load", "paint")
    }
    record_property("bytes", size)
    with capsys.disabled():
        print(f"\nclass page of 500 students: {size / 1e6:.2f} MB")
        for kind, (without, with_500) in found.items():
            record_property(kind, with_500)
            print(
                f"  {kind}: {with_500:.0f} ms, {with_500 / without:.1f} times a page of one line ({without:.0f} ms)"
            )
    assert size < BYTES


def test_pictures_of_500_students_are_bounded(visit):
    page = visit("class-500")
    assert page.locator("img").count() == 0
    assert page.locator("figure").count() == 3
    assert page.locator("figure path, .bins rect").count() < 50


def test_500_students_are_sorted_and_filtered(visit):
    page = visit("class-500")
    page.locator("#all thead").get_by_role("button", name="Points").click()
    values = page.locator("#all .total").evaluate_all(
        "cells => cells.map((cell) => Number(cell.dataset.value))"
    )
    assert len(values) == 500
    assert values == sorted(values)
    page.get_by_label("Find").fill("student499")
    assert page.locator("#all tbody tr").filter(visible=True).count() == 1
