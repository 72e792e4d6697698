"""The ledger: what became of batches and rows. Lines are appended; one that a kill tore counts as never written."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from filelock import FileLock, Timeout

from gemel.core.errors import DataError, GemelError
from gemel.intake.places import Places
from gemel.intake.wholeness import Look
from gemel.line_file import LineFile
from gemel.posts.data_folder import json_line

# Of a row: what the last run, or a person, said of it.
State = Literal["released", "discarded", "refused", "promoted", "quarantined"]
RunOutcome = Literal["promoted", "held", "refused"]
Decision = Literal["released", "discarded"]
# Seconds. An append takes milliseconds, the moving of a batch to another disk minutes.
PATIENCE = 120.0


@dataclass
class Ledger:
    """What the lines come to.

    states: of rows by key. refused_in: the run that refused a row, by key. settled: batch id, outcome and run of what
    was settled. held: the last run that held a batch, by its id. looks: by source and batch. fetched: the batch that
    a listing of a source became, by both.
    """

    states: dict[str, State] = field(default_factory=dict)
    refused_in: dict[str, str] = field(default_factory=dict)
    settled: set[tuple[str, str, str]] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)
    looks: dict[tuple[str, str], Look] = field(default_factory=dict)
    fetched: dict[tuple[str, str], str] = field(default_factory=dict)

    def take(self, line: Mapping[str, Any]) -> None:
        """Count a line in. Raises: KeyError if it lacks something."""
        match line["what"]:
            case "settled":
                self._settle(line)
            case "released" | "discarded":
                self.states |= dict.fromkeys(line["keys"], line["what"])
            case "look":
                self.looks[line["source"], line["batch"]] = Look(line["seen"], line["at"])
            case "fetched":
                self.fetched[line["source"], line["listing"]] = line["batch"]

    def _settle(self, line: Mapping[str, Any]) -> None:
        outcome, run = line["outcome"], line["run"]
        self.settled.add((line["batch"], outcome, run))
        if outcome == "held":
            self.held[line["batch"]] = run
            return
        self.states |= dict.fromkeys(line["keys"], outcome)
        if outcome == "refused":
            self.refused_in |= dict.fromkeys(line["keys"], run)


def read_ledger(places: Places) -> Ledger:
    """Read the ledger; it is empty where there is none yet. Raises: DataError as read_entries."""
    ledger = Ledger()
    for number, line in enumerate(read_entries(places.ledger), start=1):
        try:
            ledger.take(line)
        except KeyError as error:
            raise DataError(f"{places.ledger} line {number}: no {error} in it; {_mend(number)}") from None
    return ledger


def settled_line(batch: str, outcome: RunOutcome, run: str, keys: Sequence[str]) -> dict[str, Any]:
    """What became of a batch. keys: of its rows."""
    return {"what": "settled", "batch": batch, "outcome": outcome, "run": run, "keys": list(keys)}


def decision_line(decision: Decision, keys: Sequence[str]) -> dict[str, Any]:
    """What a person said of quarantined rows."""
    return {"what": decision, "keys": list(keys)}


def look_line(source: str, batch: str, look: Look) -> dict[str, Any]:
    """What was seen of a batch that is dated in the future."""
    return {"what": "look", "source": source, "batch": batch, "seen": look.seen, "at": look.time}


def fetched_line(source: str, listing: str, batch: str) -> dict[str, Any]:
    """What was fetched. listing: SHA-256 of names and hashes of what the source holds."""
    return {"what": "fetched", "source": source, "listing": listing, "batch": batch}


def read_entries(path: Path) -> list[dict[str, Any]]:
    """The objects of a file of JSON lines; none where it is absent.

    Raises: DataError, naming the line, if a whole line holds none.
    """
    entries = []
    for number, (_, content) in enumerate(LineFile(path).read_on(), start=1):
        try:
            entry = json.loads(content)
        except ValueError as error:
            raise DataError(f"{path} line {number}: damaged ({error}); {_mend(number)}") from None
        if not isinstance(entry, dict):
            raise DataError(f"{path} line {number}: it holds no object; {_mend(number)}")
        entries.append(entry)
    return entries


def append_entries(path: Path, entries: Sequence[Mapping[str, Any]]) -> None:
    """Append lines, with the time (UTC), in place of a torn one; they are on the disk then. Hold the lock."""
    if not entries:
        return
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lines = LineFile(path)
    lines.read_on()
    lines.append("".join(json_line({**entry, "time": now}) for entry in entries).encode("utf-8", "replace"))


@contextlib.contextmanager
def locked(places: Places) -> Iterator[None]:
    """Alone with the ledger and the quarantine.

    Raises: GemelError if another process keeps them locked.
    """
    places.intake.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(places.intake / ".lock", timeout=PATIENCE):
            yield
    except Timeout:
        raise GemelError(
            f"{places.intake}: locked by another process for {PATIENCE:.0f} s; wait for it and try again"
        ) from None


def _mend(number: int) -> str:
    return f"remove that line (`sed -i {number}d`) or get the file from a backup; what it said is then not known"
