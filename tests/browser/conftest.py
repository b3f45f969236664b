"""A real browser on every page: one for this folder, a fresh profile for each visit, and no network at all."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock

from browser import judged
from browser.pages import PAGES, fixtures_of
from in4310.reporting.assignment_page import render
from in4310.reporting.assignment_reading import read_assignment

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run")  # fmt: skip
SCREENSHOTS = Path(__file__).parents[2] / "reports" / "browser"  # unless IN4310_SCREENSHOTS names a folder

# Records made by hand that other rooms test with.
report_record = fixtures_of("reporting").results
hostile_record = fixtures_of("reporting").hostile


@pytest.fixture(scope="package")
def reference_report(reference, tmp_path_factory):
    place = tmp_path_factory.mktemp("reference")
    return judged.report_of(reference, place / "report")


@pytest.fixture(scope="package")
def faulty_report(reference, tmp_path_factory):
    place = tmp_path_factory.mktemp("faulty")
    return judged.report_of(judged.faulty(reference, place / "faulty"), place / "report")


@pytest.fixture(scope="package")
def assignment_report(reference):
    return render(read_assignment(reference))


@pytest.fixture(scope="package")
def attack_report(reference, tmp_path_factory):
    place = tmp_path_factory.mktemp("attack")
    return judged.report_of(judged.attack(reference, place / "attack"), place / "report")


# Not of the session: the loop in which Playwright waits would still be there for tests of asyncio elsewhere.
@pytest.fixture(scope="package")
def browser():
    api = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: python -m pip install 'in4310[browser]'"
    )
    found = os.environ.get("IN4310_CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(
            f"needs a browser: none of {', '.join(BROWSERS)} on the PATH, and IN4310_CHROMIUM is not set"
        )
    with api.sync_playwright() as playwright:
        # Chromium refuses its own sandbox to root.
        opened = playwright.chromium.launch(
            executable_path=found, chromium_sandbox=os.geteuid() != 0, args=list(QUIET)
        )
        yield opened
        opened.close()


@dataclass
class Strays:
    """What a page of ours must not do: ask the network, raise an error, break its policy, open a dialog."""

    seen: list[str] = field(default_factory=list)

    def watch(self, context):
        def answer(route):
            if route.request.url.startswith("file:"):
                route.continue_()
            else:
                self.seen.append(f"asked for {route.request.url}")
                route.abort()

        def dismiss(dialog):
            self.seen.append(f"opened a dialog: {dialog.message}")
            dialog.dismiss()

        context.route("**/*", answer)
        context.on("dialog", dismiss)
        context.on("weberror", lambda error: self.seen.append(f"raised {error.error}"))
        # A broken policy is told on the console, too.
        context.on(
            "console",
            lambda line: self.seen.append(f"{line.type}: {line.text}") if line.type == "error" else None,
        )


@pytest.fixture
def strays():
    """What a page did that it must not; whoever provokes it clears the list, else the test fails."""
    strays = Strays()
    yield strays.seen
    assert not strays.seen


@pytest.fixture
def page_file(request, tmp_path_factory):
    """The file of a page of the registry, made once for all processes of a run: page_file("report") -> Path."""
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "pages"

    def file(name):
        path = shared / name / "index.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(shared / f"{name}.lock"):
            if not path.exists():
                path.write_text(PAGES[name].build(request), encoding="utf-8")
        return path

    return file


@pytest.fixture
def visit(browser, page_file, strays):
    """Open a page of the registry, or a file: visit("report", "#r-1a", width=360, color_scheme="dark") -> Page.

    Everything but width and height goes to Playwright's new_context.
    """
    contexts = []

    def go(page, hash_="", width=1280, height=800, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        watch = Strays(strays)
        watch.watch(context)
        opened = context.new_page()
        opened.set_default_timeout(20_000)
        file = page if isinstance(page, Path) else page_file(page)
        opened.goto(file.as_uri() + hash_)
        if options.get("java_script_enabled", True):
            # What styles ask for is asked when the page is drawn, which may be after it was loaded.
            opened.evaluate(
                "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
            )
        return opened

    yield go
    for context in contexts:
        context.close()


@pytest.fixture
def screenshot():
    """Keep what the browser shows: screenshot(page, "report-dark")."""

    def take(page, name, whole=False):
        folder = Path(os.environ.get("IN4310_SCREENSHOTS") or SCREENSHOTS)
        folder.mkdir(parents=True, exist_ok=True)
        return page.screenshot(path=folder / f"{name}.png", full_page=whole)

    return take
