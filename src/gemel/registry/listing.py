"""The versions as rows for people."""

from __future__ import annotations

from pathlib import Path

from gemel.core.errors import ArtifactError
from gemel.registry.registry import Registry
from gemel.registry.versions import STAGE, Version


def list_releases(root: Path) -> tuple[list[tuple[str, ...]], str]:
    """Name, date, accuracy on test in %, commit, run and what there is to say of each version, the newest first.

    Of the champion's bundle every file is hashed; others are looked for. Returns: the rows, and what is wrong with the
    champion; empty if nothing is.
    """
    registry = Registry(root)
    try:
        champion, broken = registry.champion(), ""
    except ArtifactError as error:
        champion, broken = None, str(error)
    rows = [_row(version, _marks(registry, version, champion)) for version in registry.versions()]
    return rows, broken


def _row(version: Version, marks: str) -> tuple[str, ...]:
    accuracy = "" if version.accuracy is None else f"{100 * version.accuracy:.1f}"
    return version.name, f"{version.created:%Y-%m-%d %H:%M}", accuracy, version.commit[:12], version.run, marks


def _marks(registry: Registry, version: Version, champion: Version | None) -> str:
    found = [STAGE] if champion is not None and version.name == champion.name else []
    found += [] if registry.has_bundle(version) else ["bundle deleted"]
    last = version.events[-1:]
    found += [f"{event.kind} {event.at:%Y-%m-%d}: {event.why.splitlines()[0]}" for event in last if event.why]
    return ", ".join(found)
