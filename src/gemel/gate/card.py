"""Decision cards: what was decided, why, and on what, for programs (card.json) and for people (card.md).

decisions/RUN/card.json         the decision
decisions/RUN/card.md           the same for people
decisions/RUN/test_posts.json   the test posts that were asked, by id, each with its SHA-256
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gemel.core.errors import DataError
from gemel.gate.budget import YEAR, Spending, Spent, within_a_year
from gemel.gate.card_page import card_page
from gemel.gate.card_parts import MAPPER_STARTS, Card, card_of
from gemel.gate.decision import Decision, Outcome
from gemel.gate.frozen_posts import FrozenTest
from gemel.text_folder import write_texts

CARD, PAGE, TEST_POSTS = "card.json", "card.md", "test_posts.json"
RESTORE = "bring it back from git: without it the budget would seem larger than it is"


def write_decision(decision: Decision, folder: Path) -> None:
    """Write the card of a decision into a new folder, whole or not at all. folder: decisions/RUN.

    Raises: DataError if there is one already; GemelError if it can't be written.
    """
    if folder.exists():
        raise DataError(f"{folder}: there is a decision already, and none is ever replaced; give the run another id")
    card, made = card_of(decision), decision.provenance
    assert made is not None
    texts = {
        CARD: card.model_dump_json(indent=1) + "\n",
        PAGE: card_page(card),
        TEST_POSTS: json.dumps(dict(sorted(made.test.posts.items())), indent=0) + "\n",
    }
    write_texts(folder, texts)


def check_facts(facts: Mapping[str, Any], before: Sequence[Card]) -> None:
    """Refuse facts of a run that no card could be made of. before: the cards that are there.

    Raises: DataError if there is no id of the run, it has a card already, or mapper_start is another word.
    """
    run, start = facts.get("run"), facts.get("mapper_start")
    if not isinstance(run, str) or not run or Path(run).name != run:
        raise DataError(f"facts of the run: run: expected its id, found {run!r}")
    if any(card.run == run for card in before):
        raise DataError(f"there is a decision of run {run!r} already; give the run another id")
    if start not in (None, *MAPPER_STARTS):
        raise DataError(f"facts of the run: mapper_start: expected {' or '.join(MAPPER_STARTS)}, found {start!r}")


def read_cards(folder: Path) -> tuple[Card, ...]:
    """All cards of a folder of decisions, the oldest first; none where there is no folder.

    Raises: DataError if a card is missing that another one counted, or one is damaged: nothing is decided without it.
    """
    runs = sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []
    cards = tuple(sorted(map(_read_card, runs), key=lambda card: card.time))
    gone = sorted({run for card in cards[-1:] for run in card.alpha.runs_before} - {card.run for card in cards})
    if gone:
        raise DataError(
            f"{folder / gone[0] / CARD}: no such card, though that of {cards[-1].run} counted it; {RESTORE}"
        )
    return cards


def spent_within_a_year(cards: Sequence[Card], now: datetime, test: str) -> Spent:
    """What the decisions of the last 365 days spent. test: fingerprint of the test set in use."""
    spent = within_a_year((Spending(card.run, card.time, card.alpha.spent) for card in cards), now)
    reached = [
        accuracy
        for card in cards
        if card.data.test == test and card.time > now - YEAR
        for accuracy in (
            card.releases.champion_accuracy,
            card.releases.challenger_accuracy if card.outcome is Outcome.PROMOTE else None,
        )
        if accuracy is not None
    ]
    return Spent(spent, max(reached, default=None))


def asked_posts(folder: Path, cards: Sequence[Card], release: str) -> dict[str, str] | None:
    """The test posts that a champion was last decided on, as FrozenTest has them; None if no card knows the release.

    folder: of the cards. release: SHA-256 of its manifest.
    Raises: DataError if they are gone or damaged.
    """
    known = [card for card in cards if release in _champions(card)]
    if not known:
        return None
    path = folder / known[-1].run / TEST_POSTS
    try:
        posts = TypeAdapter(dict[str, str]).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise DataError(f"{path}: unreadable ({error}); bring it back from git") from None
    if FrozenTest(posts, {}).fingerprint != known[-1].data.test:
        raise DataError(f"{path}: was changed since it was written; bring it back from git")
    return posts


def _champions(card: Card) -> tuple[str | None, ...]:
    """The releases that were champions before or after a decision."""
    return card.releases.champion, card.releases.challenger if card.outcome is Outcome.PROMOTE else None


def _read_card(folder: Path) -> Card:
    path = folder / CARD
    try:
        card = Card.model_validate_json(path.read_bytes())
    except OSError:
        raise DataError(f"{path}: no such card; {RESTORE}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: damaged ({where}: {first['msg']}); {RESTORE}") from None
    if card.run != folder.name:
        raise DataError(f"{path}: is the card of run {card.run!r}; {RESTORE}")
    return card
