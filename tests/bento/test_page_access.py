"""The page for all: by keyboard, by ear, in the dark, on a small screen, without motion."""

from __future__ import annotations

from itertools import pairwise

import pytest
from played_service import PlayedService
from playwright.sync_api import Page
from visits import PHONE, Opener, linked

ALL_KINDS = "Mercury, a Kestrel, جاكوار, a Saab and Llanfair"
# The least ratio of a text's colour to what is behind it, among all that is shown, and whose it is.
LEAST_CONTRAST = """() => {
    const parsed = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const over = ([r, g, b, a = 1], below) => [r, g, b].map((value, place) => a * value + (1 - a) * below[place]);
    const ground = (node) => (node ? over(parsed(getComputedStyle(node).backgroundColor), ground(node.parentElement))
        : [255, 255, 255]);
    const light = (colour) => colour.map((value) => value / 255)
        .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, place) => sum + value * [0.2126, 0.7152, 0.0722][place], 0);
    const ratio = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    const written = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
    const fields = [...document.querySelectorAll("[placeholder]")].map((node) => [node, "::placeholder"]);
    const texts = [...document.querySelectorAll("body *")].filter((node) => written(node) && node.checkVisibility()
        && !node.closest("#echo, .unseen, .skip")).map((node) => [node, null]);
    return [...texts, ...fields].map(([node, part]) => {
        const behind = ground(node), colour = over(parsed(getComputedStyle(node, part).color), behind);
        return [ratio(light(colour), light(behind)), `${node.tagName}.${node.className} ${node.textContent.trim()}`];
    }).sort((one, other) => one[0] - other[0])[0];
}"""
# What has the focus: a name for it, and whether that can be seen.
FOCUSED = """() => {
    const node = document.activeElement;
    if (node === document.body) return null;
    const drawn = (one) => one && getComputedStyle(one).outlineStyle !== "none" && getComputedStyle(one).outlineWidth;
    return [node.id || node.textContent.trim(), Boolean(drawn(node) || drawn(node.closest(".paper, #picture")))];
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def page(open_page: Opener) -> Page:
    """Answers of all kinds, all of it opened."""
    return unfolded(open_page())


def unfolded(page: Page) -> Page:
    """Answers with everything open that can be opened."""
    linked(page, ALL_KINDS)
    page.eval_on_selector_all("details", "all => all.forEach((each) => { each.open = true; })")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(open_page: Opener, scheme: str) -> None:
    page = unfolded(open_page(color_scheme=scheme))
    page.set_input_files("#file", {"name": "a.png", "mimeType": "image/png", "buffer": b"no image"})
    page.click("#mentions li:first-child button")
    page.focus(".correction [role=combobox]")
    page.keyboard.press("ArrowDown")
    ratio, where = page.evaluate(LEAST_CONTRAST)
    assert ratio >= 4.5, where


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_errors_and_questions_stand_out_from_their_ground(
    open_page: Opener, service: PlayedService, scheme: str
) -> None:
    page = open_page(color_scheme=scheme)
    page.click("#link")
    page.wait_for_selector("#error:not(:empty)")
    assert page.evaluate(LEAST_CONTRAST)[0] >= 4.5
    service.token = "s" * 16
    page.fill("#text", "Jaguar")
    page.click("#link")
    page.wait_for_selector("dialog[open]")
    assert page.evaluate(LEAST_CONTRAST)[0] >= 4.5


def test_schemes_differ(open_page: Opener) -> None:
    grounds = [
        open_page(color_scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    assert grounds == ["rgb(251, 251, 250)", "rgb(22, 24, 27)"]


def test_every_control_and_region_has_a_name(page: Page) -> None:
    page.focus(".correction [role=combobox]")
    controls = "input:visible, textarea:visible, button:visible, a:visible, [role=listbox]:visible"
    shown = page.locator(f"{controls}, article, main section[aria-labelledby]")
    assert shown.count() > 30
    assert [line for node in shown.all() if '"' not in (line := node.aria_snapshot().splitlines()[0])] == []


def test_headings_are_in_order(page: Page) -> None:
    levels = page.eval_on_selector_all(
        "h1, h2, h3, h4", "all => all.filter((h) => h.checkVisibility()).map((h) => +h.tagName[1])"
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_pictures_without_meaning_are_not_read(page: Page) -> None:
    assert page.get_by_role("img").count() == 0
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1


def test_keyboard_reaches_everything_and_leaves_again(open_page: Opener) -> None:
    page = open_page()
    linked(page)
    page.focus(".skip")
    reached = []
    while len(reached) < 40:
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        reached.append(focused)
    asked = ["text", "find", "Jaguar18–24", "file", "type", "explain", "link", "clear", "try an example"]
    answered = ["Q30055 ↗", "Shown to the model: 2 solved mentions", "This is wrong"]
    assert [name for name, _ in reached] == asked + answered
    assert [name for name, seen in reached if not seen] == []


def test_skip_link_leads_to_the_text(open_page: Opener) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "text"


def test_focus_stays_near_when_a_mention_is_taken_back(open_page: Opener) -> None:
    page = open_page()
    page.click(".actions .example")
    page.wait_for_selector(".card")
    page.focus("#mentions button")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "text"


def test_answer_is_announced(open_page: Opener) -> None:
    page = open_page()
    linked(page, "Mercury over a Kestrel")
    assert (
        page.inner_text("#said[role=status]")
        == "Mercury: Mercury (planet), 62.0 %. Kestrel: not in the catalog, 67.0 %"
    )


@pytest.mark.parametrize("size", [PHONE, {"width": 320, "height": 640}, {"width": 900, "height": 700}])
def test_nothing_is_wider_than_the_screen(open_page: Opener, size: dict[str, int]) -> None:
    page = open_page(size)
    assert page.evaluate(OVERFLOW) == 0
    page.set_input_files("#file", {"name": f"{'long' * 40}.png", "mimeType": "image/png", "buffer": b"no image"})
    page.fill("#type", "long" * 40)
    unfolded(page)
    page.locator(".correction [role=combobox]").last.fill("Ll")
    page.wait_for_selector("[role=option]:has-text('Llanfair')")
    assert page.evaluate(OVERFLOW) == 0
    page.fill("#text", f"{'Jaguar' * 80} https://example.org/{'a' * 300}")
    assert page.evaluate(OVERFLOW) == 0


def test_answer_comes_into_view_on_a_small_screen(open_page: Opener) -> None:
    page = open_page(PHONE, reduced_motion="reduce")
    linked(page)
    assert page.locator("#answers").bounding_box()["y"] < PHONE["height"] / 2  # type: ignore[index]


def test_nothing_moves_where_motion_is_unwanted(open_page: Opener, service: PlayedService) -> None:
    service.hold.clear()
    for motion, names in (("no-preference", "pass"), ("reduce", "none")):
        page = open_page(reduced_motion=motion)
        page.fill("#text", "Jaguar")
        page.click("#link")
        page.wait_for_selector(".working")
        assert page.evaluate("getComputedStyle(document.querySelector('.progress'), '::before').animationName") == names
