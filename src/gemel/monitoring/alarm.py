"""The alarm that asks for a retraining: one file, `.gemel/monitoring/alarm.json`.

It is opened once; what is found while it is open is added to it. The retraining that answers it closes it. What was
closed stays in the file.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError, GemelError

FOLDER, ALARM, LOCK = Path(".gemel/monitoring"), "alarm.json", ".alarm.lock"
FORMAT = 1
# Seconds. Whoever holds the lock writes one small file.
PATIENCE = 20.0


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cause(_Frozen):
    """A feature that moved. report: name of the period's report. distance, threshold, words: as in it."""

    report: str
    feature: str
    distance: float
    threshold: float
    words: str


class Alarm(_Frozen):
    """opened: when. causes: by what, the oldest first. closed, run: when and by which retraining; None while open."""

    opened: AwareDatetime
    causes: tuple[Cause, ...]
    closed: AwareDatetime | None = None
    run: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features, each once."""
        return tuple(dict.fromkeys(cause.feature for cause in self.causes))

    @property
    def reports(self) -> tuple[str, ...]:
        """Names of the reports, each once."""
        return tuple(dict.fromkeys(cause.report for cause in self.causes))


class _File(_Frozen):
    format: int = FORMAT
    open: Alarm | None = None
    closed: tuple[Alarm, ...] = ()


def read_alarm(root: Path) -> Alarm | None:
    """The alarm that is open; None if none is. root: of the project.

    Raises: DataError if the file is damaged.
    """
    return _read(root).open


def past_alarms(root: Path) -> tuple[Alarm, ...]:
    """Those that were closed, the oldest first. Raises: as read_alarm."""
    return _read(root).closed


def raise_alarm(root: Path, causes: Sequence[Cause], now: datetime | None = None) -> Alarm | None:
    """Open the alarm, or add to it what it lacks; a cause that it has of the same report is replaced.

    A report that a closed alarm names was answered, and opens no other.
    Returns: the alarm, None if none is open.
    Raises: DataError if the file is damaged; GemelError if it stays locked.
    """
    with _locked(root):
        found = _read(root)
        answered = {report for alarm in found.closed for report in alarm.reports}
        new = {(cause.report, cause.feature): cause for cause in causes if cause.report not in answered}
        if not new:
            return found.open
        before = found.open or Alarm(opened=now or datetime.now(UTC), causes=())
        kept = [cause for cause in before.causes if (cause.report, cause.feature) not in new]
        alarm = before.model_copy(update={"causes": (*kept, *new.values())})
        _write(root, _File(open=alarm, closed=found.closed))
        return alarm


def close_alarm(root: Path, run: str, now: datetime | None = None) -> Alarm | None:
    """Close the alarm that is open. run: id of the retraining that answered it.

    Returns: the closed alarm, None if none was open.
    Raises: DataError if the file is damaged; GemelError if it stays locked.
    """
    if not (root / FOLDER / ALARM).is_file():
        return None
    with _locked(root):
        found = _read(root)
        if found.open is None:
            return None
        alarm = found.open.model_copy(update={"closed": now or datetime.now(UTC), "run": run})
        _write(root, _File(closed=(*found.closed, alarm)))
        return alarm


def _read(root: Path) -> _File:
    path = root / FOLDER / ALARM
    advice = "move it away to begin without an alarm, or restore it"
    try:
        found = _File.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return _File()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: damaged ({where}: {first['msg']}); {advice}") from error
    if found.format != FORMAT:
        raise DataError(f"{path}: expected format {FORMAT}, found {found.format}; {advice}")
    return found


def _write(root: Path, content: _File) -> None:
    with whole_file(root / FOLDER / ALARM) as draft:
        draft.write_text(content.model_dump_json(indent=1) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / FOLDER / LOCK, timeout=PATIENCE):
            yield
    except Timeout:
        raise GemelError(
            f"{root / FOLDER / ALARM}: locked by another process for {PATIENCE:.0f} s; see what holds it and try again"
        ) from None
