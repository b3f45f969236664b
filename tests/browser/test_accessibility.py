"""axe-core finds no violation of WCAG 2.2, level AA, on any page, whatever the screen."""

import pytest

from browser.pages import each

pytestmark = pytest.mark.slow
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@pytest.fixture
def violations():
    """What axe-core says of a page as it is shown now: a line for each element at fault."""
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright",
        reason="needs axe-playwright-python: python -m pip install 'in4310[browser]'",
    ).Axe()

    def look(page):
        asked = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations"]}
        response = axe.run(page, options=asked).response
        return [
            f"{rule['id']}: {node['target']}: {rule['help']} ({rule['helpUrl']})"
            for rule in response["violations"]
            for node in rule["nodes"]
        ]

    return look


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@each()
def test_axe_finds_nothing(visit, violations, screenshot, name, width, scheme):
    page = visit(name, width=width, color_scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found = violations(page)
    screenshot(page, f"{name}-{width}-{scheme}")
    assert not found, "\n".join(found)


def test_axe_is_asked_for_every_level_up_to_22_aa(visit, violations, tmp_path):
    """What has faults of each level is told of: a picture without words, grey on grey, a target too small."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<!doctype html><html lang=en><title>Bad</title><style>p { color: #bbb } a { display: inline-block; font-size: 8px }</style>"
        "<main><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='><p>grey words<p><a href='#a'>one</a><a href='#b'>two</a></main>"
    )
    told = "\n".join(violations(visit(bad)))
    for rule in ("image-alt", "color-contrast", "target-size"):
        assert f"{rule}: [" in told
