"""The pages in a real browser: offline, quiet, searched, filtered, used by keyboard, and with thousands of errors."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gemel.report.comparable import Side
from gemel.report.compare import Words, compare
from gemel.report.comparison_page import comparison_page
from gemel.report.page import run_page
from gemel.report.rendering import write_page
from report.synthetic_run import ENTITIES, RIGHT, WRONG, Asked, make_run

MERCURY = Asked("Mercury at dawn", "Mercury", "Q3", ("Q4", "Q3"), blind="Q3")
ZURICH = Asked("Grüezi Zürich </script><!-- 😀", "Zürich", "Q4", ("Q3", "Q1"), status="unreadable")
ARABIC = Asked("صورة جاكوار اليوم", "جاكوار", "Q2", ("Q1", "Q2"))
SOME = (WRONG, MERCURY, ZURICH, ARABIC, RIGHT, RIGHT)
SHOWN = "article"

Opener = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Opener]:
    """Opens HTML from a file; at the end nothing but that file was asked for, and the console said nothing."""
    said: list[str] = []
    asked_for: list[str] = []
    context = browser.new_context()

    def opened(html: str, **options: Any) -> Any:
        path = tmp_path / "page.html"
        write_page(path, html)
        page = context.new_page()
        page.set_viewport_size(options.pop("size", {"width": 1280, "height": 900}))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked_for.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    context.close()
    assert said == []
    assert {url.split(":")[0] for url in asked_for} <= {"file", "data"}
    assert sum(url.startswith("file:") for url in asked_for) == 1


@pytest.fixture
def page(open_page: Opener, tmp_path: Path) -> Any:
    """The page of four errors and two right answers, in test."""
    return open_page(run_page(make_run(tmp_path / "run", SOME)).html)


def ids(page: Any) -> list[str]:
    """The mentions that are shown."""
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")
    found: list[str] = page.eval_on_selector_all(SHOWN, "cards => cards.map((card) => card.dataset.id)")
    return found


def test_errors_are_shown_first_and_all_on_demand(page: Any) -> None:
    assert set(ids(page)) == {"m0", "m1", "m2", "m3"}
    assert page.inner_text("#count") == "4 of 7 graded mentions"
    page.select_option("#outcome", "")
    page.select_option("#split", "")
    assert len(ids(page)) == 7
    assert set(ids(page)[:4]) == {"m0", "m1", "m2", "m3"}


def test_search_narrows_without_accents_and_case(page: Any) -> None:
    page.fill("#search", "zurich grue")
    assert ids(page) == ["m2"]
    page.fill("#search", "nothing has this")
    assert ids(page) == []
    assert "Nothing matches" in page.inner_text("#cards")
    page.fill("#search", "Q3")
    assert set(ids(page)) == {"m0", "m1", "m2"}


@pytest.mark.parametrize(
    ("control", "value", "left"),
    [
        ("outcome", "off beam", {"m2"}),
        ("outcome", "on beam", {"m0", "m1", "m3"}),
        ("outcome", "right", {"m4", "m5"}),
        ("split", "dev", set()),
        ("type", "planet", {"m1"}),
        ("status", "unreadable", {"m2"}),
        ("tag", "right only without the image", {"m1", "m3"}),
    ],
)
def test_filter_leaves_what_it_says(page: Any, control: str, value: str, left: set[str]) -> None:
    page.select_option(f"#{control}", value)
    assert set(ids(page)) == left


@pytest.mark.parametrize(("control", "value", "left"), [("mention", "merc", ["m1"]), ("entity", "zür", ["m1", "m2"])])
def test_mention_and_entity_filter_by_their_words(page: Any, control: str, value: str, left: list[str]) -> None:
    page.fill(f"#{control}", value)
    assert sorted(ids(page)) == left
    page.click("button[type=reset]")
    assert len(ids(page)) == 4


def test_any_text_is_shown_as_it_is(page: Any) -> None:
    page.fill("#search", "grüezi")
    assert ids(page) == ["m2"]
    assert page.inner_text(f"{SHOWN} .post") == ZURICH.text
    assert page.inner_text(f"{SHOWN} mark") == "Zürich"
    page.fill("#search", "اليوم")
    assert ids(page) == ["m3"]
    assert page.inner_text(f"{SHOWN} mark") == "جاكوار"
    assert page.evaluate("getComputedStyle(document.querySelector('article .post')).direction") == "rtl"


def test_card_opens_its_demonstrations_and_neighbours(page: Any) -> None:
    page.fill("#search", "morning")
    ids(page)
    page.click("text=demonstrations (2)")
    page.wait_for_selector(f"{SHOWN} ol")
    assert "A new Jaguar → Jaguar Cars (without image)" in page.inner_text(SHOWN)
    page.click("text=neighbours in the trie")
    page.wait_for_selector(f"{SHOWN} details dl")
    assert "near Jaguar Cars\nJaguar (animal) 7" in page.inner_text(SHOWN)


def test_keyboard_reaches_the_search_the_cards_and_their_details(page: Any) -> None:
    page.keyboard.press("/")
    page.keyboard.type("jaguar")
    assert len(ids(page)) == 3
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.dataset.id") == ids(page)[1]
    page.keyboard.press("Enter")
    assert page.locator(f"{SHOWN}:focus details[open]").count() == 2
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.id") == ids(page)[0]


def test_confusion_leads_to_its_errors(page: Any) -> None:
    page.click("button[data-mention='Mercury']")
    page.wait_for_function("document.getElementById('mention').value === 'Mercury'")
    assert ids(page) == ["m1"]


def test_run_without_errors_shows_all(open_page: Opener, tmp_path: Path) -> None:
    page = open_page(run_page(make_run(tmp_path / "run", [RIGHT, RIGHT])).html)
    assert len(ids(page)) == 2
    page.click("button[type=reset]")
    assert len(ids(page)) == 2


def test_narrow_screen_does_not_scroll_sideways(open_page: Opener, tmp_path: Path) -> None:
    long = replace(WRONG, text="Jaguar" * 80)
    page = open_page(run_page(make_run(tmp_path / "run", [long])).html, size={"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_thousands_of_errors_are_shown_a_page_at_a_time(open_page: Opener, tmp_path: Path) -> None:
    many = [replace(WRONG, text=f"Jaguar number {place} today") for place in range(5_000)]
    page = open_page(run_page(make_run(tmp_path / "run", many)).html)
    assert len(ids(page)) == 50
    assert page.inner_text("#page") == "page 1 of 100"
    page.keyboard.press("n")
    assert page.inner_text("#page") == "page 2 of 100"
    page.keyboard.press("/")
    page.keyboard.type("number 499")
    assert len(ids(page)) == 15
    assert page.inner_text("#count") == "15 of 5001 graded mentions"


def test_comparison_lists_what_changed(open_page: Opener, tmp_path: Path) -> None:
    a, b = (
        Side(name, make_run(tmp_path / name, asked).evaluation, None)
        for name, asked in (("a", [WRONG, RIGHT, MERCURY]), ("b", [RIGHT, WRONG, MERCURY]))
    )
    names = {entity.entity_id: entity.name for entity in ENTITIES}
    words = Words({f"m{place}": ("Jaguar", f"A Jaguar {place}", 2) for place in range(4)}, names)
    page = open_page(comparison_page(compare(a, b, words)))
    assert "inside the noise" in page.inner_text(".headline")
    assert ids(page) == ["m0", "m1"]
    page.select_option("#outcome", "broken")
    assert ids(page) == ["m1"]
    assert "A\n✓ Jaguar Cars" in page.inner_text(SHOWN)
    page.click("button[type=reset]")
    page.fill("#search", "jaguar 0")
    assert ids(page) == ["m0"]
