"""The quarantine: rows that a person has to look at, and those that can never come in, with reason and image."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError, RequestError
from gemel.intake.candidates import Candidate, Finding, Picture, picture_of
from gemel.intake.ledger import Decision, Ledger, append_entries, decision_line, locked, read_entries, read_ledger
from gemel.intake.places import Places

MOST_SHOWN = 3


@dataclass(frozen=True)
class Entry:
    """A row in quarantine. key: that commands call it by. content: its line in the file. time: of its coming, UTC."""

    key: str
    content: dict[str, Any]

    @property
    def rule(self) -> str:
        """The rule that it breaks."""
        return str(self.content["rule"])

    @property
    def final(self) -> bool:
        """Whether it can never come in."""
        return bool(self.content["final"])

    def candidate(self, places: Places) -> Candidate:
        """The row, its image read from the quarantine."""
        said = self.content
        picture, fault = picture_of(places.images / said["image"]) if said["image"] else (None, None)
        if picture is not None and picture.sha256 != said["sha256"]:
            picture, fault = (
                None,
                f"{places.images / said['image']}: its SHA-256 is not {said['sha256']}; it was changed",
            )
        given = (said["kind"], said["source"], said["batch"], said["line"], said["row"])
        return Candidate(*given, picture=picture, stated=said["stated"], fault=fault, said=said["said"])


def read_quarantine(places: Places) -> dict[str, Entry]:
    """The rows in quarantine, by key; of two lines on one row the later one. Raises: DataError if a line is damaged."""
    entries: dict[str, Entry] = {}
    for number, line in enumerate(read_entries(places.quarantine), start=1):
        try:
            entries[line["key"]] = Entry(line["key"], line)
            _ = entries[line["key"]].rule, entries[line["key"]].final
        except KeyError as error:
            raise DataError(f"{places.quarantine} line {number}: no {error} in it; remove that line") from None
    return entries


def undecided(entries: dict[str, Entry], ledger: Ledger) -> list[Entry]:
    """The rows that a person may still decide on, in the order of their coming; also those that were released and have
    not come in yet. Those that can never come in are not among them.
    """
    gone = ("discarded", "promoted")
    return [each for each in entries.values() if not each.final and ledger.states.get(each.key) not in gone]


def put_in_quarantine(places: Places, findings: Iterable[Finding]) -> None:
    """Keep rows with the reason and the image; what is there for the same reason already is left. Hold the lock."""
    there = read_quarantine(places)
    new = {each.candidate.key: each for each in findings}
    fresh = [each for key, each in new.items() if key not in there or there[key].rule != each.rule]
    for each in fresh:
        if each.candidate.picture is not None:
            _keep_image(places.images, each.candidate.picture)
    append_entries(places.quarantine, [_line(each) for each in fresh])


def decide(places: Places, decision: Decision, keys: Sequence[str], *, run: str | None = None) -> int:
    """Say that rows are to come in, or never to.

    keys: of rows in quarantine. run: with them all rows that this run refused.
    Returns: how many rows that is.
    Raises: RequestError if a key or run is not known, or a row is to come in that can't.
    """
    with locked(places):
        entries, ledger = read_quarantine(places), read_ledger(places)
        refused = [key for key, found in ledger.refused_in.items() if run is not None and found == run]
        if run is not None and not refused:
            runs = ", ".join(sorted(set(ledger.refused_in.values()))) or "none"
            raise RequestError(f"no rows were refused in run {run!r}; runs with some: {runs}")
        for key in keys:
            _check(key, entries, decision)
        chosen = list(dict.fromkeys([*keys, *refused]))
        append_entries(places.ledger, [decision_line(decision, chosen)])
    return len(chosen)


def _check(key: str, entries: dict[str, Entry], decision: Decision) -> None:
    if key not in entries:
        near = ", ".join(get_close_matches(key, entries, MOST_SHOWN, cutoff=0.0)) or "there is none"
        raise RequestError(f"no row {key!r} in quarantine (nearest: {near}); `gemel intake list` shows all")
    if decision == "released" and entries[key].final:
        reason = entries[key].content["reason"]
        raise RequestError(f"row {key!r} can't come in: {reason}; mend it where it came from, and drop it again")


def _line(finding: Finding) -> dict[str, Any]:
    row = finding.candidate
    image = None if row.picture is None else _kept_name(row.picture)
    about = {"key": row.key, "kind": row.kind, "source": row.source, "batch": row.batch, "line": row.line}
    why = {"rule": finding.rule, "reason": finding.reason, "final": finding.final}
    return about | why | {"row": row.row, "image": image, "sha256": row.sha256, "stated": row.stated, "said": row.said}


def _kept_name(picture: Picture) -> str:
    return Path(picture.name).name


def _keep_image(folder: Path, picture: Picture) -> None:
    target = folder / _kept_name(picture)
    if target.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as draft:
        draft.unlink(missing_ok=True)
        try:
            # A second name takes no room. Who changes the file by the other one is found out by its SHA-256.
            os.link(picture.path, draft)
        except OSError:
            shutil.copyfile(picture.path, draft)
