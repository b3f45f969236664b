"""What leaves the repository: the README with links that lead somewhere, and everything in the sdist."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINK = re.compile(r"""\]\(([^)]+)\)|(?:src|href)="([^"]+)\"""")


def links(text):
    return [a or b for a, b in LINK.findall(text)]


def test_links_of_the_readme_lead_to_files_here_and_to_addresses_outside():
    here = (ROOT / "README.md").read_text(encoding="utf-8")
    relative = [link for link in links(here) if not link.startswith("http")]
    assert relative
    for link in relative:
        assert (ROOT / link.partition("#")[0]).exists(), link
    outside = here
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        outside = re.sub(rule["pattern"], rule["replacement"], outside)
    assert links(outside)
    assert [link for link in links(outside) if not link.startswith("https://")] == []
    assert "CONTRIBUTING.md" in outside


def test_the_sdist_leaves_nothing_out():
    assert "sdist" not in PROJECT["tool"]["hatch"]["build"]["targets"], "what git keeps is what is shipped"
