"""Versions and events as annotated git tags in GTO's form, which `gto` and `dvc artifacts` read.

gemel@v1.2.0        a version, on the commit whose dvc.lock holds its release
gemel#champion#7    the version of that commit became the champion; the number counts such tags
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gemel.registry.git import git
from gemel.registry.versions import ARTIFACT, PROMOTION, ROLLBACK, STAGE, Event, History, Version

FIRST = "v1.0.0"
PATTERNS = tuple(f"refs/tags/{ARTIFACT}{mark}*" for mark in "@#")
_FIELDS = ("%(refname:strip=2)", "%(*objectname)", "%(taggerdate:unix)", "%(contents)")


@dataclass(frozen=True)
class _Tag:
    """parsed: GTO's reading of its name. said: the lines of its last paragraph, `Key: value`."""

    commit: str
    seconds: int
    parsed: Mapping[str, Any]
    body: str
    said: Mapping[str, str]


def read_history(root: Path) -> History:
    """Read all tags of the registry, by one git command.

    A version that was registered without its digest, by GTO itself, can't be told apart from another and is left out;
    its name stays taken. So is one that GTO deregistered.
    """
    from gto.constants import Action

    tags = _read_tags(root)
    by_action = {action: [tag for tag in tags if tag.parsed["action"] is action] for action in Action}
    gone = {tag.parsed["version"] for tag in by_action[Action.DEREGISTER]}
    known = [_version(tag) for tag in by_action[Action.REGISTER]]
    known = [each for each in known if each.digest and each.name not in gone]
    names = {each.commit: each.name for each in known}
    assigned = [tag for tag in by_action[Action.ASSIGN] if tag.parsed["stage"] == STAGE and tag.commit in names]
    events = sorted((_event(tag, names[tag.commit]) for tag in assigned), key=lambda event: event.number)
    return History(
        versions=tuple(
            replace(each, events=tuple(event for event in events if event.version == each.name))
            for each in sorted(known, key=lambda each: _order(each.name), reverse=True)
        ),
        events=tuple(events),
        taken=tuple(tag.parsed["version"] for tag in by_action[Action.REGISTER]),
        counter=max((tag.parsed.get("counter", 0) for tag in tags), default=0),
        latest=max((tag.seconds for tag in tags), default=0),
    )


def add_version(root: Path, history: History, version: Version) -> Version:
    """Tag a version under the next free name; its own name and date are not looked at.

    Raises: RegistryError if git refuses.
    """
    seconds = _date(history)
    named = replace(version, name=_next_name(history.taken), created=_at(seconds))
    accuracy = "" if version.accuracy is None else f", accuracy on test {version.accuracy:.1%}"
    said = {"Digest": version.digest, "Run": version.run}
    said |= {} if version.accuracy is None else {"Accuracy": f"{version.accuracy:.6f}"}
    title = f"Release {named.folder} of {ARTIFACT}, {named.name}{accuracy}"
    _tag(root, f"{ARTIFACT}@{named.name}", version.commit, _message(title, version.note, said), seconds)
    return named


def add_event(root: Path, history: History, version: Version, kind: str, why: str) -> None:
    """Tag that a version became the champion. kind: PROMOTION or ROLLBACK.

    Raises: RegistryError if git refuses.
    """
    name = f"{ARTIFACT}#{STAGE}#{history.counter + 1}"
    message = _message(f"{version.name} is the {STAGE}", why, {"Kind": kind, "Version": version.name})
    _tag(root, name, version.commit, message, _date(history))


def _tag(root: Path, name: str, commit: str, message: str, seconds: int) -> None:
    # GTO's own writer takes the date from the clock, and GTO tells the champion by the dates.
    options = ("--annotate", "--no-sign", "--cleanup=verbatim", "--file=-")
    git(root, "tag", *options, name, commit, stdin=message, seconds=seconds)


def _date(history: History) -> int:
    """Now, yet behind all tags: GTO orders by dates, which are whole seconds, and a clock may go back."""
    return max(int(time.time()), history.latest + 1)


def _message(title: str, body: str, said: Mapping[str, str]) -> str:
    last = "\n".join(f"{key}: {value}" for key, value in said.items())
    return "\n\n".join(part for part in (title, body.strip(), last) if part) + "\n"


def _read_tags(root: Path) -> list[_Tag]:
    from gto.tag import parse_name

    printed = git(root, "for-each-ref", f"--format={'%00'.join(_FIELDS)}%00", *PATTERNS).split("\0")
    found = []
    for name, commit, seconds, message in zip(*(printed[start::4] for start in range(4)), strict=False):
        parsed = parse_name(name.lstrip("\n"), raise_on_fail=False)
        # A lightweight tag has no object of its own; GTO passes over it, too.
        if parsed and parsed["name"] == ARTIFACT and commit:
            paragraphs = message.rstrip().split("\n\n")
            said = dict(line.split(": ", 1) for line in paragraphs[-1].splitlines() if ": " in line)
            found.append(_Tag(commit, int(seconds), parsed, "\n\n".join(paragraphs[1:-1]), said))
    return found


def _version(tag: _Tag) -> Version:
    accuracy = tag.said.get("Accuracy")
    return Version(
        name=tag.parsed["version"],
        commit=tag.commit,
        digest=tag.said.get("Digest", ""),
        run=tag.said.get("Run", ""),
        created=_at(tag.seconds),
        accuracy=None if accuracy is None else float(accuracy),
        note=tag.body,
    )


def _event(tag: _Tag, version: str) -> Event:
    kind = ROLLBACK if tag.said.get("Kind") == ROLLBACK else PROMOTION
    return Event(kind, version, _at(tag.seconds), tag.body, tag.parsed.get("counter", 0))


def _next_name(taken: Sequence[str]) -> str:
    from gto.versions import SemVer

    highest = max(taken, key=_order, default=None)
    return FIRST if highest is None else str(SemVer(highest).bump(bump_minor=True).version)


def _order(name: str) -> Any:
    from gto.versions import SemVer

    return SemVer.parse(name)


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
