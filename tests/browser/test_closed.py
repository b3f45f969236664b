"""Pages are closed: they load nothing, run nothing but their own script, and texts of submissions stay texts."""

import pytest

from browser.pages import each

pytestmark = pytest.mark.slow


@each()
def test_asks_for_nothing_and_breaks_no_policy(visit, name):
    visit(name)


@each()
def test_a_script_put_into_it_does_not_run(visit, page_file, strays, tmp_path, name):
    text = page_file(name).read_text()
    attacked = tmp_path / "attacked.html"
    attacked.write_text(
        text.replace(
            "</main>", "<script>window.attacked = 1</script><img src=x onerror='window.attacked = 2'></main>"
        )
    )
    assert attacked.read_text() != text
    page = visit(attacked)
    assert page.evaluate("window.attacked") is None
    refused = [line for line in strays if "Content Security Policy" in line]
    assert len(refused) >= 2  # the script and the picture
    assert strays == refused
    strays.clear()


@pytest.mark.parametrize("name", ["report-hostile", "report-attack"])
def test_hostile_texts_are_read_as_text(visit, name):
    """No dialog opened, nothing was asked for (the visit would tell), and who reads the page sees what was written."""
    page = visit(name)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert page.locator("script").count() == 1
    assert page.locator("img[src=x]").count() == 0
    text = page.locator("body").inner_text()
    assert "<script>alert(" in text
    assert "onerror=alert(" in text
    assert "\u202e" not in text
    assert "⟨U+202E⟩" in text
