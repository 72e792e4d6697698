"""What the registry knows of its releases: versions, the events by which they became the champion, and their order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

ARTIFACT, STAGE = "gemel", "champion"
PROMOTION, ROLLBACK = "promotion", "rollback"
DIGITS = 16


@dataclass(frozen=True)
class Event:
    """A version became the champion. kind: PROMOTION or ROLLBACK. number: of its tag; they never go back, dates may."""

    kind: str
    version: str
    at: datetime
    why: str
    number: int


@dataclass(frozen=True)
class Version:
    """A registered release.

    name: v1.2.0. commit: that holds it in its dvc.lock. digest: SHA-256 of its manifest. run: that made it. created:
    when it was registered, UTC. accuracy: on test, between 0 and 1, if it was measured. events: by which it became the
    champion, the oldest first.
    """

    name: str
    commit: str
    digest: str
    run: str
    created: datetime
    accuracy: float | None = None
    note: str = ""
    events: tuple[Event, ...] = ()

    @property
    def folder(self) -> str:
        """Name of its bundle's folder."""
        return self.digest[:DIGITS]


@dataclass(frozen=True)
class History:
    """All that the tags say.

    versions: the newest first. events: the oldest first. taken: names that no new version may have. counter: the
    highest number of a tag. latest: date of the youngest tag, Unix time.
    """

    versions: tuple[Version, ...]
    events: tuple[Event, ...]
    taken: tuple[str, ...]
    counter: int
    latest: int

    def version(self, name: str) -> Version | None:
        """The version of a name; v1.2.0, 1.2.0 and gemel@v1.2.0 are the same."""
        plain = name.removeprefix(f"{ARTIFACT}@")
        return next((each for each in self.versions if each.name in (plain, f"v{plain}")), None)

    def of_folder(self, folder: str) -> Version | None:
        """The version of a bundle; of several, the one that became champion last."""
        found = [version for version in self.versions if version.folder == folder]
        return max(found, key=lambda version: version.events[-1].number if version.events else 0, default=None)

    def names_champion(self, version: Version) -> bool:
        """Whether a version is the last that became champion."""
        return bool(self.events) and self.events[-1].version == version.name

    def reigns(self) -> list[str]:
        """Names of the champions that rollbacks lead back through; the present one is the last."""
        stack: list[str] = []
        for event in self.events:
            if event.kind == ROLLBACK and event.version in stack:
                while stack[-1] != event.version:
                    stack.pop()
            elif stack[-1:] != [event.version]:
                stack.append(event.version)
        return stack

    def kept(self, keep: int) -> set[str]:
        """Bundles of those that were champion last, and of the newest version, which may be about to become it."""
        latest = list(dict.fromkeys(event.version for event in reversed(self.events)))
        names = {*latest[: max(keep, 1)], *(version.name for version in self.versions[:1])}
        return {version.folder for version in self.versions if version.name in names}
