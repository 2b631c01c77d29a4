"""Chromium for the pages: one for all tests, and a page that remembers what went wrong on it."""

import importlib.resources
from types import SimpleNamespace

import chromium as chromium_of_tests
import pytest


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium. Its absence is a failure, not a skip: a page that nobody opened is not tested."""
    from playwright.sync_api import sync_playwright

    path = chromium_of_tests.found()
    if path is None:
        pytest.fail(f"no Chromium: {chromium_of_tests.ADVICE}, or run: make browser", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


#: What axe-core finds wrong with a page, shadow trees included: rule, how bad, and the first elements.
AXE = """
async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
  .map(({ id, impact, nodes }) => [id, impact, nodes.slice(0, 5).map(({ html }) => html.slice(0, 200))])
"""


@pytest.fixture(scope="session")
def axe():
    """Run axe-core on a page as it stands."""
    source = (importlib.resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")

    def violations(page):
        page.evaluate(source)
        return page.evaluate(AXE)

    return violations


@pytest.fixture
def watched(chromium):
    """Open an address at a width: the page, what it logged as wrong, and the addresses that it asked for."""
    contexts = []

    def opened(address, width=1280, height=900, **settings):
        context = chromium.new_context(viewport={"width": width, "height": height}, **settings)
        contexts.append(context)
        page = context.new_page()
        seen = SimpleNamespace(page=page, problems=[], requests=[])
        page.on("console", lambda said: said.type in ("error", "warning") and seen.problems.append(said.text))
        page.on("pageerror", lambda error: seen.problems.append(str(error)))
        page.on("dialog", lambda dialog: (seen.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(address)
        return seen

    yield opened
    for context in contexts:
        context.close()
