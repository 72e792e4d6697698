"""What goes wrong on the page is said in a sentence, and nothing that was entered is lost."""

from __future__ import annotations

import pytest
from played_service import PlayedService
from visits import Opener, drag, link, linked

JAGUAR = "Great shot of the Jaguar this morning"


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ((400, {}, "image: not an image of JPEG, PNG"), "Image: not an image of JPEG, PNG. (request r9)"),
        ((429, {"Retry-After": "7"}, "busy"), "The service has too much to do just now. Try again in 7 seconds."),
        ((502, {}, None), "The service failed with status 502 and gave no reason. Try again later."),
    ],
)
def test_refusal_is_a_sentence(
    open_page: Opener, service: PlayedService, refusal: tuple[int, dict[str, str], str | None], words: str
) -> None:
    page = open_page()
    linked(page)
    service.refusals.append(refusal)
    link(page)
    assert page.inner_text("#error[role=alert]") == words
    assert page.inner_text("h3") == "Jaguar Cars"
    link(page)
    assert page.inner_text("#error") == ""


def test_network_that_is_down_is_said(open_page: Opener) -> None:
    page = open_page()
    page.fill("#text", JAGUAR)
    page.route("**/link", lambda route: route.abort())
    link(page)
    assert page.inner_text("#error").startswith("The service does not answer.")
    assert page.input_value("#text") == JAGUAR


def test_what_would_be_refused_is_not_sent(open_page: Opener, service: PlayedService) -> None:
    service.limits.update(text=40, mentions=1)
    page = open_page()
    for text, marked, words in (
        (" ", (), "There is no text to link."),
        ("😀" * 41, (), "The text has 41 characters, and the service takes 40 at most. Shorten it."),
        ("Jaguar and Mercury", ("Jaguar", "Mercury"), "2 mentions are marked, and the service takes 1 at most."),
    ):
        page.fill("#text", text)
        for mention in marked:
            drag(page, mention)
        link(page)
        assert words in page.inner_text("#error")
    assert service.linked == []


def test_new_request_ends_the_one_before(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    linked(page)
    before = page.locator("#cards").bounding_box()
    service.hold.clear()
    page.fill("#text", "Mercury")
    page.click("#link")
    page.wait_for_selector("#answers[aria-busy=true]")
    assert page.locator("#cards").bounding_box() == before
    with page.expect_event("requestfailed", lambda request: request.url.endswith("/link")):
        page.fill("#text", "A Kestrel")
        page.click("#link")
    service.hold.set()
    page.wait_for_selector("body:not(.working)")
    assert page.locator("h3").all_inner_texts() == ["Not in the catalog"]
    assert page.inner_text("#error") == ""


def test_token_is_asked_for_and_kept_for_the_tab(open_page: Opener, service: PlayedService) -> None:
    service.token = "s" * 16
    page = open_page()
    page.fill("#token-field", "wrong")
    page.keyboard.press("Enter")
    page.wait_for_selector("#token-words:has-text('does not accept that token')")
    page.fill("#token-field", service.token)
    page.keyboard.press("Enter")
    linked(page)
    assert page.evaluate("[Object.values(sessionStorage), localStorage.length, document.cookie]") == [["s" * 16], 0, ""]


def test_token_may_be_refused(open_page: Opener, service: PlayedService) -> None:
    service.token = "s" * 16
    page = open_page()
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#error:not(:empty)")
    assert page.inner_text("#error") == "Without its token the service answers nothing."
    service.token = ""
    linked(page)
    assert page.inner_text("#about").startswith("sample")
    assert page.inner_text("#error") == ""
