"""How a person accepts a version of a data set, so that later ones are compared with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gemel.core.errors import DataError
from gemel.posts.checks import DRIFT_CHECKS
from gemel.posts.drift import Movement, compare
from gemel.posts.expectations import failed_checks
from gemel.posts.profile import PROFILE, Profile, read_profile

MOST_HISTORY = 20  # acceptances that the file tells of; git has the earlier ones


@dataclass(frozen=True)
class Acceptance:
    """What was accepted.

    source: the folder of the run whose profile it is. target: the file that was written. former: the profile that was
    accepted before, if any. changes: from it to the new one, largest first; empty without it.
    """

    source: Path
    target: Path
    profile: Profile
    former: Profile | None
    changes: tuple[Movement, ...]


def accepted_file(folder: Path, dataset: str) -> Path:
    """Where the accepted profile of a data set is."""
    return folder / f"{dataset}.json"


def read_accepted(folder: Path, dataset: str) -> Profile | None:
    """Read the accepted profile of a data set; None if no version was accepted yet.

    Raises: DataError if the file is damaged, of another format or of another data set.
    """
    path = accepted_file(folder, dataset)
    return _of_dataset(path, dataset)[0] if path.exists() else None


def accept(dataset: str, runs: tuple[Path, ...], folder: Path, *, reason: str) -> Acceptance:
    """Write the profile of a run as the accepted one of its data set, atomically.

    runs: folders of runs of the stage `posts`; the newest profile counts. folder: of the accepted profiles.
    reason: kept in the file's history, with the former profile's SHA-256 and the counts before and after.
    Raises: DataError if the reason is blank, no run has a profile, or the run broke checks that nobody can accept.
    """
    if not reason.strip():
        raise DataError('the reason is blank; say why this version is right, e.g. --reason "two new feeds since May"')
    # Not simply the one that was stopped: it stays behind when DVC restores an earlier version.
    run = max((run for run in runs if (run / PROFILE).exists()), key=_written, default=None)
    if run is None:
        raise DataError(f"no {PROFILE} in {' or '.join(map(str, runs))}; run `dvc repro posts` first")
    profile, _ = _of_dataset(run / PROFILE, dataset)
    broken = [name for name in failed_checks(run) if name not in DRIFT_CHECKS]
    if broken:
        raise DataError(f"{run}: this version failed {', '.join(broken)}; correct the data and run `dvc repro posts`")
    path = accepted_file(folder, dataset)
    former, more = _of_dataset(path, dataset) if path.exists() else (None, {})
    entry = {
        "reason": reason.strip(),
        "former_sha256": former.sha256 if former else None,
        "counts_before": former.counts if former else None,
        "counts_after": profile.counts,
    }
    profile.write(path, history=[*more.get("history", ()), entry][-MOST_HISTORY:])
    return Acceptance(run, path, profile, former, _ordered(compare(former, profile)) if former else ())


def _written(run: Path) -> float:
    return (run / PROFILE).stat().st_mtime


def _of_dataset(path: Path, dataset: str) -> tuple[Profile, dict[str, Any]]:
    profile, more = read_profile(path)
    if profile.dataset != dataset:
        raise DataError(
            f"{path}: expected the profile of data set {dataset!r}, found that of {profile.dataset!r}; "
            "run `dvc repro posts`"
        )
    return profile, more


def _ordered(changes: tuple[Movement, ...]) -> tuple[Movement, ...]:
    counts = tuple(change for change in changes if change.distance is None)
    moved = (change for change in changes if change.distance is not None)
    return *counts, *sorted(moved, key=lambda change: -(change.distance or 0.0))
