"""A student's report in the hand: the first screen, filters, keyboard, links into it."""

import pytest

ALL = ("passed", "warned", "failed", "not-run")


def inside(page, locator):
    """Whether an element lies wholly on the screen as it is now."""
    box, size = locator.bounding_box(), page.viewport_size
    return (
        box is not None
        and box["y"] >= 0
        and box["y"] + box["height"] <= size["height"]
        and box["x"] >= 0
        and box["x"] + box["width"] <= size["width"]
    )


def test_the_first_screen_has_the_mark_the_gaps_and_what_to_do_first(visit, screenshot):
    page = visit("report", width=1280, height=800)
    screenshot(page, "report-first-screen")
    assert page.locator(".score").inner_text().split() == ["4", "of", "13.5", "points"]
    assert inside(page, page.locator(".score"))
    first = page.locator("section.first")
    assert inside(page, first)
    assert "What to do first" in first.inner_text()
    assert "+6.5" in first.inner_text()
    assert "hand in eigenvalues.json" in first.inner_text().lower()
    assert inside(page, page.get_by_role("heading", name="What else stands in the way of full marks"))
    assert inside(page, page.locator(".gaps li .headline").first)
    assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("outcome", ALL)
def test_a_filter_leaves_only_checks_of_that_outcome(visit, report_record, outcome):
    page = visit("report")
    button = page.locator(f".filter [data-show={outcome}]")
    button.click()
    wanted = {
        c.name for r in report_record.requirements for c in r.checks if c.outcome.replace(" ", "-") == outcome
    }
    shown = {c.get_attribute("id") for c in page.locator(".check").filter(visible=True).all()}
    assert shown == {f"c-{name.replace('_', '-')}" for name in wanted}
    assert button.get_attribute("aria-pressed") == "true"
    assert str(len(wanted)) in page.locator(".filter [role=status]").inner_text()
    page.locator(".filter [data-show=all]").click()
    assert page.locator(".check").filter(visible=True).count() == sum(
        len(r.checks) for r in report_record.requirements
    )


def test_all_can_be_opened_and_closed_at_once(visit):
    page = visit("report")
    button = page.locator(".filter [data-open]")
    button.click()
    assert page.locator(".check:not([open])").count() == 0
    button.click()
    assert page.locator(".check[open]").count() == 0


def test_the_keyboard_reaches_everything_and_shows_where_it_is(visit):
    page = visit("report")
    page.keyboard.press("Tab")
    skip = page.locator(":focus")
    assert skip.get_attribute("class") == "skip"
    assert inside(page, skip)
    seen = []
    for _ in range(200):
        here = page.evaluate(
            """() => { const one = document.activeElement, style = getComputedStyle(one);
                 if (one === document.body) return null;
                 return { what: one.outerHTML.slice(0, 80), ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 }; }"""
        )
        if here is None:
            break
        assert here["ring"], here["what"]
        seen.append(here["what"])
        page.keyboard.press("Tab")
    reachable = page.locator("a[href], button, summary").filter(visible=True).count()
    assert len(seen) >= reachable  # and the tour has ended: nothing holds the focus
    assert len(seen) < 200


def test_the_keyboard_works_filters_and_opens_checks(visit):
    page = visit("report")
    page.locator(".filter [data-show=failed]").focus()
    page.keyboard.press("Space")
    assert page.locator(".check").filter(visible=True).count() == 1
    check = page.locator("#c-sizes")
    check.locator("> summary").focus()
    before = check.evaluate("one => one.open")
    page.keyboard.press("Enter")
    assert check.evaluate("one => one.open") is not before


def test_keys_filter_walk_and_can_be_turned_off(visit):
    page = visit("report", reduced_motion="reduce")
    page.keyboard.press("f")
    assert [c.get_attribute("id") for c in page.locator(".check").filter(visible=True).all()] == ["c-sizes"]
    page.keyboard.press("a")
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.closest('.check').id")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('.check').id") != first
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.closest('.check').id") == first
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog")
    assert dialog.is_visible()
    dialog.get_by_role("checkbox").uncheck()
    page.keyboard.press("Escape")
    assert not dialog.is_visible()
    page.keyboard.press("f")
    assert page.locator(".check").filter(visible=True).count() == page.locator(".check").count()


@pytest.mark.parametrize("target", ["c-covers", "c-eigenvalues", "r-3a"])
def test_a_link_leads_to_its_place_and_opens_it(visit, target):
    page = visit("report", f"#{target}", height=300, reduced_motion="reduce")
    place = page.locator(f"#{target}")
    assert place.evaluate("one => one.tagName !== 'DETAILS' || one.open")
    assert 0 <= place.bounding_box()["y"] < 300


def test_a_link_to_what_was_filtered_out_shows_it(visit):
    page = visit("report", "#show=failed")
    assert page.locator(".check").filter(visible=True).count() == 1
    page.evaluate("location.hash = 'c-covers'")
    page.locator("#c-covers").wait_for()
    assert page.locator("#c-covers").evaluate("one => one.open")


@pytest.mark.parametrize(
    "target", ["#nothing", "#", "#%", "#%E0%A4%A", "#<img src=x>", "#c-covers:target", "#show=nothing"]
)
def test_a_link_to_nothing_does_no_harm(visit, target):
    page = visit("report", target)
    assert page.evaluate("scrollY") == 0
    assert page.locator(".filter").is_visible()
    page.locator("[data-show=failed]").click()
    assert page.locator(".check").filter(visible=True).count() == 1
