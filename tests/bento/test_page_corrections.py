"""Corrections by the page: the right entity is searched and sent, and what becomes of it is said."""

from __future__ import annotations

import base64

import pytest
from played_service import PAGE, PlayedService
from playwright.sync_api import Page
from visits import Opener, link, linked

from gemel.wire import FeedbackRequest

JAGUAR = "Great shot of the Jaguar this morning"
EXAMPLE = PAGE / "example.png"


def opened(page: Page) -> None:
    """Link a post, and open the panel of its answer by keyboard."""
    linked(page)
    page.focus(".correction summary")
    page.keyboard.press("Enter")


def test_right_entity_is_found_and_sent_by_keyboard(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    page.set_input_files("#file", EXAMPLE)
    opened(page)
    page.keyboard.press("Tab")
    page.keyboard.type("jac")
    page.wait_for_selector("[role=option]:has-text('American football team from Florida')")
    page.keyboard.press("ArrowDown")
    assert page.locator("[role=option][aria-selected=true]").get_attribute("id") == page.get_attribute(
        "[role=combobox]", "aria-activedescendant"
    )
    page.keyboard.press("Enter")
    assert page.input_value("[role=combobox]") == "Jacksonville Jaguars (Q272223)"
    for words in ("", "seen at the stadium"):
        page.keyboard.press("Tab")
        page.keyboard.type(words)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector(".said.done")
    assert service.corrected == [
        FeedbackRequest(
            text=JAGUAR,
            mention="Jaguar",
            start=18,
            end=24,
            entity_id="Q272223",
            image=base64.b64encode(EXAMPLE.read_bytes()).decode(),
            answered="Q30055",
            comment="seen at the stadium",
        )
    ]


def test_correction_is_of_the_post_as_it_was_linked(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    opened(page)
    page.fill("#text", "another text")
    page.check("text=It is none of the catalog")
    page.click("text=Send the correction")
    page.wait_for_selector(".said.done")
    assert (service.corrected[0].text, service.corrected[0].entity_id) == (JAGUAR, None)
    assert "none of the catalog is meant. Correction c0ffee." in page.inner_text(".said")


def test_candidates_are_offered_first(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    opened(page)
    page.keyboard.press("Tab")
    names = page.locator("[role=option] .name").all_inner_texts()
    assert names == ["Jaguar", "Jacksonville Jaguars", "Mercury (planet)"]
    assert page.get_attribute("[role=combobox]", "aria-expanded") == "true"
    page.keyboard.press("Escape")
    assert not page.locator("[role=listbox]").is_visible()
    assert service.prefixes == []


def test_prefix_that_nothing_has_is_said(open_page: Opener) -> None:
    page = open_page()
    opened(page)
    page.keyboard.press("Tab")
    page.keyboard.type("qqq")
    page.wait_for_selector("[role=listbox] :text('No entity of the catalog begins with “qqq”.')")


def test_correction_without_an_entity_is_not_sent(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    opened(page)
    page.click("text=Send the correction")
    assert page.inner_text(".said.wrong").startswith("Choose the right entity from the list")
    assert page.evaluate("document.activeElement.role") == "combobox"
    assert service.corrected == []


@pytest.mark.parametrize(
    ("feedback", "known", "words"),
    [
        ("keep", False, "The correction is kept until somebody takes it over."),
        ("keep", True, "This correction was there already."),
        ("act", False, "The correction acts now: it is shown to the model with each new question."),
    ],
)
def test_what_becomes_of_a_correction_is_said(
    open_page: Opener, service: PlayedService, feedback: str, known: bool, words: str
) -> None:
    service.feedback, service.known = feedback, known
    page = open_page()
    opened(page)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.click("text=Send the correction")
    assert words in page.inner_text(".said.done")
    assert service.corrected[0].entity_id == "Q35694"


def test_correction_that_acts_can_be_tried(open_page: Opener, service: PlayedService) -> None:
    service.feedback = "act"
    page = open_page()
    opened(page)
    page.check("text=It is none of the catalog")
    page.click("text=Send the correction")
    page.click("text=Link again")
    page.wait_for_selector("body:not(.working)")
    assert len(service.linked) == 2


def test_service_that_takes_none_is_not_offered_any(open_page: Opener, service: PlayedService) -> None:
    service.feedback = "off"
    page = open_page()
    linked(page)
    assert page.locator(".correction").count() == 0


def test_refused_correction_says_why(open_page: Opener, service: PlayedService) -> None:
    page = open_page()
    opened(page)
    page.check("text=It is none of the catalog")
    service.token = "s" * 16
    page.click("text=Send the correction")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector(".said.wrong:has-text('Without its token')")
    service.token = ""
    page.click("text=Send the correction")
    page.wait_for_selector(".said.done")
    link(page)
