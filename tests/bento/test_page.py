"""A visit: a post is written, marked, linked and read."""

from __future__ import annotations

import base64

import pytest
from played_answers import MARKUP
from played_service import PAGE, PlayedService
from playwright.sync_api import Page
from visits import Opener, drag, link, linked

from gemel.wire import WantedMention

JAGUAR = "Great shot of the Jaguar this morning"
EXAMPLE = PAGE / "example.png"


@pytest.fixture
def page(open_page: Opener) -> Page:
    """The page in a wide window."""
    return open_page()


def test_selected_words_are_sent_with_their_characters(page: Page, service: PlayedService) -> None:
    text = "Dawn 😀😀\nand the Jaguar, again"
    page.fill("#text", text)
    drag(page, "Jaguar")
    assert page.inner_text("#mentions") == "Jaguar\n16–22"
    link(page)
    (asked,) = service.linked
    assert asked.text == text
    assert asked.mentions == (WantedMention(mention="Jaguar", start=16, end=22),)


def test_words_are_selected_by_keyboard(page: Page, service: PlayedService) -> None:
    page.fill("#text", JAGUAR)
    page.focus("#text")
    page.keyboard.press("Control+Home")
    for _ in range(3):
        page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Shift+Control+ArrowRight")
    assert page.inner_text("#mentions") == "the\n14–17"
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".card")
    assert service.linked[0].mentions == (WantedMention(mention="the", start=14, end=17),)


def test_words_are_selected_by_finger(open_page: Opener) -> None:
    page = open_page(has_touch=True)
    page.fill("#text", JAGUAR)
    page.tap("#text")
    page.eval_on_selector("#text", "(field) => field.setSelectionRange(17, 25)")
    page.wait_for_selector("#mentions :text('18–24')")


def test_marks_move_with_the_text_and_go_when_it_changes(page: Page) -> None:
    page.fill("#text", JAGUAR)
    drag(page, "Jaguar")
    page.focus("#text")
    page.keyboard.press("Control+Home")
    page.keyboard.type("A ")
    assert page.inner_text("#mentions") == "Jaguar\n20–26"
    assert page.inner_text("#echo mark") == "Jaguar"
    for _ in range(21):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Delete")
    assert page.locator("#mentions li").count() == 0


def test_found_mention_is_linked_when_pressed(page: Page, service: PlayedService) -> None:
    page.fill("#text", "Mercury over the Jaguar")
    page.click("#find")
    page.click("#mentions button:has-text('Jaguar')")
    link(page)
    assert service.linked[0].mentions is None
    assert service.linked[1].mentions == (WantedMention(mention="Jaguar", start=17, end=23),)


def test_each_mention_that_is_found_has_its_card(page: Page, service: PlayedService) -> None:
    linked(page, "Mercury over the Jaguar")
    assert page.locator("h3").all_inner_texts() == ["Mercury (planet)", "Jaguar Cars"]
    assert page.inner_text("#took").startswith("2 mentions · ")
    assert service.linked[0].mentions is None


def test_text_without_mentions_says_so(page: Page) -> None:
    page.fill("#text", "nothing of note")
    link(page)
    assert "No mention was found in the text." in page.inner_text("#cards")


def test_type_is_asked_of_mentions_marked_or_found(page: Page, service: PlayedService) -> None:
    page.fill("#type", "car")
    linked(page, "Mercury over the Jaguar")
    assert [one.type for one in service.linked[1].mentions or () if isinstance(one, WantedMention)] == ["car", "car"]


def test_card_tells_the_answer_and_its_reasons(page: Page) -> None:
    page.fill("#text", JAGUAR)
    page.set_input_files("#file", EXAMPLE)
    link(page)
    said = page.inner_text(".card")
    for words in (
        "Jaguar\ncharacters 18–24\nsure",
        "98.7 %\nvery likely",
        "British luxury car maker",
        "The image changed the answer: by the text alone it would be Jaguar.",
        "The image raised the score of Jaguar Cars by 0.34, to 0.00.",
    ):
        assert words in said
    assert page.get_attribute(".facts a", "href") == "http://www.wikidata.org/entity/Q30055"
    names = [".compared > :not(.blind) .name", ".compared > .blind .name"]
    assert [page.locator(name).all_inner_texts() for name in names] == [
        ["Jaguar Cars", "Jaguar", "Jacksonville Jaguars", "Mercury (planet)", "not in the catalog"],
        ["Jaguar", "Jaguar Cars", "Jacksonville Jaguars"],
    ]
    assert page.inner_text("#took").endswith(" s · release 7b02e0f1")
    page.click("text=Shown to the model: 2 solved mentions")
    assert "Great shot of the Jaguar yesterday\n→ Jaguar Cars with an image" in page.inner_text(".demonstrations")


def test_bars_are_as_long_as_the_chances(page: Page) -> None:
    linked(page)
    widths = page.eval_on_selector_all(".bars i", "bars => bars.map((bar) => bar.style.width)")
    assert widths == ["62%", "24%", "5%", "1%", "8%"]


def test_reasons_are_asked_only_if_wanted(page: Page, service: PlayedService) -> None:
    page.uncheck("#explain")
    linked(page)
    assert not service.linked[0].explain
    assert page.locator("details:not(.correction)").count() == 0


def test_answer_that_the_catalog_lacks_it_says_its_chance(page: Page) -> None:
    linked(page, "A Kestrel at noon")
    assert page.inner_text("h3") == "Not in the catalog"
    assert page.inner_text(".card .chip") == "NIL"
    assert "The closest is Jaguar Cars." in page.inner_text(".about")
    assert page.inner_text(".chance b") == "67.0 %"
    page.set_input_files("#file", EXAMPLE)
    link(page)
    assert "Without the image the closest entity would be Jaguar." in page.inner_text(".change")


def test_example_is_one_click(page: Page, service: PlayedService) -> None:
    page.click("#cards .example")
    page.wait_for_selector(".card")
    (asked,) = service.linked
    assert asked.mentions == (WantedMention(mention="Jaguar", start=18, end=24),)
    assert base64.b64decode(asked.image or "") == EXAMPLE.read_bytes()


def test_clear_brings_the_first_page_back(page: Page) -> None:
    page.click(".actions .example")
    page.wait_for_selector(".card")
    page.click("#clear")
    assert page.input_value("#text") == ""
    assert page.inner_text("#file-name") == ""
    assert page.locator("#mentions li, .card").count() == 0
    assert page.locator("#cards .example").is_visible()


def test_any_text_is_shown_as_it_is(page: Page) -> None:
    linked(page, f"A Saab {MARKUP}")
    assert page.inner_text("h3") == MARKUP
    assert page.inner_text(".facts").splitlines() == ["<i>car</i>", "x:1"]
    assert page.locator(".facts a").count() == 0
    assert page.title() == "gemel: which one is meant?"
    page.click("text=Shown to the model")
    assert MARKUP in page.inner_text(".demonstrations")
    assert page.locator("#cards img, #cards script").count() == 0


def test_text_from_right_to_left_keeps_its_direction(page: Page, service: PlayedService) -> None:
    page.fill("#text", "صورة جاكوار اليوم")
    drag(page, "جاكوار")
    link(page)
    assert service.linked[0].mentions == (WantedMention(mention="جاكوار", start=5, end=11),)
    assert page.eval_on_selector("#text", "(field) => field.matches(':dir(rtl)')")
