"""Decision cards in a folder, written by the library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gate.slices import counted, decided

from gemel.gate.card import read_cards, spent_within_a_year, write_decision
from gemel.gate.decision import Decision, Provenance
from gemel.gate.frozen_posts import FrozenTest

NOW = datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
TEST = FrozenTest({"p1": "a1", "p2": "b2"}, {})


def provenance(run: str, days_ago: float = 0, **more: Any) -> Provenance:
    """What a decision was made on."""
    given: dict[str, Any] = {
        "champion": "c" * 64,
        "challenger": "d" * 64,
        "data_dvc": "77a6.dir",
        "test": TEST,
        "catalog": "e" * 64,
        "audit_left_out": None,
        "facts": {"batch": "b1", "mapper_start": "scratch", "intake": {"taken": 9, "quarantined": 2}},
    }
    return Provenance(run=run, time=NOW - timedelta(days=days_ago), **given | more)


def made(run: str, days_ago: float = 0, folder: Path | None = None, **more: Any) -> Decision:
    """A promotion. folder: of the decisions before, which its budget counts."""
    when = NOW - timedelta(days=days_ago)
    spent = None if folder is None else spent_within_a_year(read_cards(folder), when, TEST.fingerprint)
    return replace(decided(counted(fixed=9), spent=spent), provenance=provenance(run, days_ago, **more))


def write_runs(folder: Path, runs: Mapping[str, float]) -> None:
    """Write the cards of promotions, one after the other. runs: days ago, by id."""
    for run, days_ago in runs.items():
        write_decision(made(run, days_ago, folder), folder / run)
