"""The documentation opens from the file system: every page, its search, and no request that leaves the machine."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from documents import DOCS
from playwright.sync_api import Browser, Page

# README.md and benchmarks/RESULTS.md are pages of the site, too.
PAGES = [
    *sorted(path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")),
    "index",
    "results/benchmarks",
]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1400, "height": 900}
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Complaints(list[str]):
    """What went wrong while a page was open."""

    def __init__(self, page: Page) -> None:
        page.on("request", lambda request: self._add("request", request.url, not _is_local(request.url)))
        page.on("requestfailed", lambda request: self._add("failed", request.url, True))
        page.on("console", lambda message: self._add("console", message.text, message.type in ("error", "warning")))
        page.on("pageerror", lambda error: self._add("error", str(error), True))

    def _add(self, kind: str, words: str, wrong: bool) -> None:
        if wrong:
            self.append(f"{kind}: {words}")


class Loaded(HTMLParser):
    """Addresses that a page makes a browser load."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        loaded = given.get("src") or (given.get("href") if tag == "link" else None)
        if loaded:
            self.addresses.append(loaded)


def _is_local(address: str) -> bool:
    return address.startswith(("file:", "data:", "blob:", "about:"))


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK)
    yield context.new_page()
    context.close()


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        found = Loaded()
        found.feed(path.read_text())
        # 404.html is for servers alone, and has addresses from their root.
        assert not [address for address in found.addresses if re.match(r"(?:[a-z]+:)?//", address)], path


def test_every_page_is_in_the_navigation(site: Path) -> None:
    navigation = re.search(
        r'<nav class="md-nav md-nav--primary".*?</nav>\s*</div>', (site / "index.html").read_text(), re.S
    )
    assert navigation is not None
    linked = set(re.findall(r'href="([^"#:]+)\.html', navigation[0]))
    assert linked == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_without_a_network(page: Page, site: Path, name: str) -> None:
    complaints = Complaints(page)
    page.goto(f"file://{site}/{name}.html")
    page.wait_for_load_state("networkidle")
    assert page.locator("h1").first.is_visible()
    assert not complaints
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        assert page.evaluate(OVERFLOW) <= 0, f"wider than {size['width']} pixels"


def test_search_finds_a_word(page: Page, site: Path) -> None:
    complaints = Complaints(page)
    page.goto(f"file://{site}/index.html")
    page.locator(".md-search__input").click()
    page.locator(".md-search__input").press_sequentially("drift")
    first = page.locator(".md-search-result__link").first
    first.wait_for(timeout=30_000)
    found = [link.get_attribute("href") or "" for link in page.locator(".md-search-result__link").all()]
    assert any("stages/posts.html" in address for address in found)
    assert not complaints
