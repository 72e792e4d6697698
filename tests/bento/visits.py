"""Visits to the page of the played service, which end with a look at what the page did beside what was asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from played_service import PlayedService, played_service
from playwright.sync_api import Browser, ConsoleMessage, Page

Opener = Callable[..., Page]
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 360, "height": 740}
# Chromium says so of each 4xx and 5xx.
REFUSED = "Failed to load resource:"
# From the left edge of some words of the text, by the copy in which they are marked, to their right one.
PLACE = """(words) => {
    const walker = document.createTreeWalker(document.getElementById("echo"), NodeFilter.SHOW_TEXT);
    const range = document.createRange();
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const at = node.data.indexOf(words);
        if (at < 0) continue;
        range.setStart(node, at);
        range.setEnd(node, at + words.length);
        const { left, right, top, bottom } = range.getBoundingClientRect();
        return [left + 1, right - 1, (top + bottom) / 2];
    }
}"""


@pytest.fixture
def service() -> Iterator[PlayedService]:
    """A played service, to be told how it behaves before the page is opened."""
    with played_service() as playing:
        yield playing


@pytest.fixture
def open_page(browser: Browser, service: PlayedService) -> Iterator[Opener]:
    """Opens the page. At the end no host but the service was asked, and the console had no error, nor the policy's."""
    said: list[str] = []
    hosts: set[str] = set()
    contexts = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSED):
            said.append(message.text)

    def opened(size: dict[str, int] = DESK, **options: Any) -> Page:
        contexts.append(context := browser.new_context(viewport=size, **options))
        page = context.new_page()
        page.on("console", heard)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.goto(service.address)
        if not service.token:
            page.wait_for_selector("#about:not(:empty)")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert said == []
    assert hosts - {""} <= {urlsplit(service.address).netloc}


def drag(page: Page, words: str) -> None:
    """Select words of the text with the mouse."""
    left, right, middle = page.evaluate(PLACE, words)
    page.mouse.move(left, middle)
    page.mouse.down()
    page.mouse.move((left + right) / 2, middle)
    page.mouse.move(right, middle)
    page.mouse.up()
    page.wait_for_selector(f"#mentions [aria-pressed=true]:has-text('{words}')")


def link(page: Page) -> None:
    """Press Link, and wait until it is done."""
    page.click("#link")
    page.wait_for_selector("body:not(.working)")


def linked(page: Page, text: str = "Great shot of the Jaguar this morning") -> None:
    """Link all that is found in a text."""
    page.fill("#text", text)
    link(page)
    page.wait_for_selector(".card")
