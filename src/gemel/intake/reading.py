"""What lies ready to be looked at: whole batches, corrections, and rows that a person released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gemel.core.errors import DataError
from gemel.intake.candidates import Candidate, Finding, Found, Waiting
from gemel.intake.corrections import read_feedback
from gemel.intake.drop import DropFolder, drop_folders, read_batch
from gemel.intake.ledger import Ledger
from gemel.intake.places import Places
from gemel.intake.quarantine import Entry
from gemel.intake.settings import IntakeSettings
from gemel.intake.wholeness import Files, Look, NotWholeError, check_whole, files_of


@dataclass
class Read:
    """What was read. broken: rows that can't be used. whole: batches of the drop folder that were taken. said: all
    corrections, those too that later words replaced. looks: at batches that are dated in the future.
    """

    posts: list[Candidate] = field(default_factory=list)
    entities: list[Candidate] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    waiting: list[Waiting] = field(default_factory=list)
    whole: list[DropFolder] = field(default_factory=list)
    said: tuple[Candidate, ...] = ()
    looks: list[tuple[str, str, Look]] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Take in what a batch holds."""
        for each in found.candidates:
            (self.posts if each.kind == "post" else self.entities).append(each)
        self.broken += found.broken


def read_all(
    places: Places, settings: IntakeSettings, ledger: Ledger, quarantine: Mapping[str, Entry], now: float
) -> Read:
    """Read the whole batches of the drop folder, the feedback, and what a person released.

    now: seconds of the epoch.
    """
    read = Read()
    for folder in drop_folders(places.drop):
        if folder.fault is not None:
            read.waiting.append(Waiting(folder.source, folder.batch, folder.fault, stuck=True))
        else:
            _read_folder(read, folder, settings, ledger.looks.get((folder.source, folder.batch)), now)
    corrections, read.said = read_feedback(places.feedback)
    read.add(corrections)
    read.add(_released(places, quarantine, ledger, {each.key for each in (*read.posts, *read.entities)}))
    return read


def _read_folder(read: Read, folder: DropFolder, settings: IntakeSettings, former: Look | None, now: float) -> None:
    """Take in a batch, or the reason why it waits. former: the look that is remembered of it."""
    files: Files | None = None
    try:
        files = files_of(folder.path, settings.caps)
        check_whole(files, settle_seconds=settings.settle_seconds, former=former, now=now)
        read.add(read_batch(folder, files))
        read.whole.append(folder)
    except FileNotFoundError as error:
        why = f"{error.filename}: vanished while it was read; it is looked at again by the next run"
        read.waiting.append(Waiting(folder.source, folder.batch, why))
    except (DataError, OSError) as error:
        # What one source gives must not keep the others out.
        read.waiting.append(Waiting(folder.source, folder.batch, f"can't be read ({error}); mend it", stuck=True))
    except NotWholeError as error:
        read.waiting.append(Waiting(folder.source, folder.batch, str(error), error.stuck))
        if files is not None and (look := _look(files, former, now)):
            read.looks.append((folder.source, folder.batch, look))


def _look(files: Files, former: Look | None, now: float) -> Look | None:
    """The look to remember of a batch that is dated in the future; None if the one that is remembered still holds."""
    if files.newest <= now:
        return None
    if former is not None and former.seen == files.seen and former.time <= now:
        return None
    return Look(files.seen, now)


def _released(places: Places, quarantine: Mapping[str, Entry], ledger: Ledger, there: set[str]) -> Found:
    """Rows that a person released and whose batch is gone. there: keys of those that are read anyway."""
    keys = [key for key, state in ledger.states.items() if state == "released" and key not in there]
    return Found(tuple(quarantine[key].candidate(places) for key in keys if key in quarantine))
