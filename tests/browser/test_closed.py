"""Pages are closed: they load nothing, run nothing but their own script, and texts of submissions stay texts."""

import pytest
from pages import each

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
