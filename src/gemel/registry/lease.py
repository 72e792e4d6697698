"""A lease: one holder at a time, who says who it is and until when, and can be told to have lost it.

Within a machine a holder is one as long as its process lives, whatever any clock says. Of another machine's holder
nothing but the expiry is known, which its heartbeat moves on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from gemel.core.drafts import whole_file
from gemel.registry import process
from gemel.registry.errors import LeaseError
from gemel.stages import PROGRESS

log = logging.getLogger(__name__)
RETRAINING = PROGRESS / "retraining.lock"  # whoever changes what a retraining reads or makes holds it
SECONDS = 300.0
BEATS = 5  # in the time of a lease, so that a few may fail
_GUARD_S = 30.0


class Holder(BaseModel):
    """Who holds a lease. boot: as process.boot_name. started: as process.start_of. token: of this lease alone.
    expires: UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str
    boot: str
    pid: int
    started: str
    run: str
    token: str
    expires: datetime

    def __str__(self) -> str:
        return f"run {self.run!r}, process {self.pid} on {self.host}, until {self.expires:%Y-%m-%d %H:%M:%S} UTC"

    def ended(self, now: datetime) -> str | None:
        """Why it holds the lease no more; None while it does."""
        if self.host == process.host_name() and self.boot == process.boot_name():
            return None if process.start_of(self.pid) == self.started else "its process is dead"
        return "it expired" if self.expires <= now else None


class Lease:
    """A lease that is held until `release`, or the end of a `with`; a thread renews it.

    taken_over: what became of the former holder, where there was one that had not released it; else empty.
    """

    def __init__(self, path: Path, run: str, seconds: float = SECONDS) -> None:
        """Take the lease.

        path: its file. run: what it is taken for. seconds: for which it holds without a heartbeat.
        Raises: LeaseError, naming who holds it and until when, or if it can't be written.
        """
        self._path, self._seconds = path, seconds
        self._guard = path.with_name(f".{path.name}.guard")
        self._me = Holder(
            host=process.host_name(),
            boot=process.boot_name(),
            pid=os.getpid(),
            started=process.own_start(),
            run=run,
            token=uuid.uuid4().hex,
            expires=_now(),
        )
        with self._in_words():
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._guarded():
                self.taken_over = self._former()
                self._write()
        if self.taken_over:
            log.warning(self.taken_over)
        self._over = threading.Event()
        threading.Thread(target=self._beat, name=f"lease {path.name}", daemon=True).start()

    def check(self) -> None:
        """See that the lease is still held, and renew it. Call it before whatever must not be done twice.

        Raises: LeaseError if it was released, or somebody took it over, and who; or if it can't be renewed.
        """
        with self._in_words():
            self._renew()

    def release(self) -> None:
        """Give it up; one that was lost is left to who holds it."""
        self._over.set()
        with self._in_words(), self._guarded():
            found = read_holder(self._path)
            if found is not None and found.token == self._me.token:
                self._path.unlink()

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _renew(self) -> None:
        with self._guarded():
            found = read_holder(self._path)
            if found is None or found.token != self._me.token:
                by = f"{found} holds it" if found else "nobody holds it"
                raise LeaseError(f"{self._path}: run {self._me.run!r} lost its lease, and {by}; start the run anew")
            self._write()

    def _former(self) -> str:
        """What is said of a former holder. Raises: LeaseError if it still holds the lease."""
        if not self._path.exists():
            return ""
        found = read_holder(self._path)
        if found is None:
            return f"{self._path}: unreadable, so nobody's; taken over"
        ended = found.ended(_now())
        if ended is None:
            raise LeaseError(f"{self._path}: held by {found}; wait for it to end, or end that process")
        return f"{self._path}: taken over from {found}: {ended}"

    def _write(self) -> None:
        self._me = self._me.model_copy(update={"expires": _now() + timedelta(seconds=self._seconds)})
        with whole_file(self._path) as draft, draft.open("w", encoding="utf-8") as file:
            file.write(self._me.model_dump_json())
            file.flush()
            os.fsync(file.fileno())

    def _beat(self) -> None:
        while not self._over.wait(self._seconds / BEATS):
            try:
                self._renew()
            except LeaseError as error:
                # It may have been released while this thread waited for the guard.
                if not self._over.is_set():
                    log.error(str(error))
                return
            # A full disk, say: the next one may find room, and check says whether the lease was lost meanwhile.
            except OSError as error:
                log.warning("%s: not renewed (%s)", self._path, error)

    @contextlib.contextmanager
    def _in_words(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise LeaseError(
                f"{self._path}: can't be written ({error}); free some space there, or see who may write"
            ) from error

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            with FileLock(self._guard, timeout=_GUARD_S):
                yield
        except Timeout:
            raise LeaseError(
                f"{self._guard}: locked for {_GUARD_S:g} s by a process that hangs; end it (`fuser {self._guard}`)"
            ) from None


def read_holder(path: Path) -> Holder | None:
    """Who a lease's file names, whether the lease still holds or not; None if there is no file, or none of a lease."""
    try:
        return Holder.model_validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def _now() -> datetime:
    return datetime.now(UTC)
