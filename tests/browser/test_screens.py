"""Pages on every screen: phones and wide ones, dark, forced colours, less motion, no scripts."""

import pytest

from browser.pages import each

pytestmark = pytest.mark.slow

OPEN_ALL = "document.querySelectorAll('details').forEach((one) => { one.open = true; })"
WIDER = """() => Array.from(document.body.querySelectorAll('*'))
  .filter((one) => !one.closest('.unseen, [hidden]') && one.getBoundingClientRect().right > innerWidth + 1)
  .slice(0, 5).map((one) => one.outerHTML.slice(0, 120))"""
# Texts that are not shown, but for those of controls that a script would bring to life.
UNREACHABLE = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const parent = walker.currentNode.parentElement;
    if (!text || parent.closest("script, style, dialog, [hidden]:has(button, input, select), button[hidden]")) continue;
    if (!parent.checkVisibility({ visibilityProperty: true })) found.push(text.slice(0, 80));
  }
  return found;
}"""
# The first colour behind an element that is not see-through.
GROUND = """(colour) => {
  const [r, g, b] = colour.match(/[0-9.]+/g).map((part) => { const v = part / 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}"""


@pytest.mark.parametrize("width", [360, 768, 1920])
@each()
def test_nothing_is_wider_than_the_screen(visit, screenshot, name, width):
    page = visit(name, width=width, height=1080)
    screenshot(page, f"{name}-{width}")
    page.evaluate(OPEN_ALL)
    page_width = page.evaluate("document.scrollingElement.scrollWidth")
    assert page_width <= width, page.evaluate(WIDER)


@each()
def test_dark_is_dark_and_light_is_light(visit, screenshot, name):
    luminance = {}
    for scheme in ("light", "dark"):
        page = visit(name, color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        luminance[scheme] = page.evaluate(GROUND, colour)
    assert luminance["dark"] < 0.05
    assert luminance["light"] > 0.8


@each()
def test_nothing_moves_for_those_who_asked_for_less_motion(visit, name):
    page = visit(name, reduced_motion="reduce")
    moving = page.evaluate(
        """() => Array.from(document.querySelectorAll('*')).filter((one) => {
             const style = getComputedStyle(one);
             const lasts = (text) => text.split(',').some((part) => parseFloat(part) > 0.01);
             return lasts(style.animationDuration) || lasts(style.transitionDuration) || style.scrollBehavior === 'smooth';
           }).length"""
    )
    assert moving == 0


@each()
def test_forced_colours_keep_the_verdicts_apart_from_the_ground(visit, screenshot, name):
    page = visit(name, forced_colors="active")
    screenshot(page, f"{name}-forced-colours")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    marks = page.evaluate(
        "Array.from(document.querySelectorAll('.mark')).map((one) => getComputedStyle(one).color)"
    )
    assert ground not in marks


@each()
def test_without_scripts_everything_can_be_read(visit, screenshot, name):
    page = visit(name, java_script_enabled=False)
    screenshot(page, f"{name}-no-scripts")
    for control in page.locator("button, input, select, textarea").all():
        assert not control.is_visible(), control.evaluate("one => one.outerHTML")
    # As a reader would: from the outside in, since what lies in a closed one cannot be clicked.
    while page.locator("details:not([open]) > summary").filter(visible=True).count():
        page.locator("details:not([open]) > summary").filter(visible=True).first.click()
    assert page.evaluate(UNREACHABLE) == []
