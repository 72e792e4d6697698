"""What became of a batch: written down, and its folders put away. Twice is once, and a kill loses nothing."""

from __future__ import annotations

import errno
import itertools
import shutil
from pathlib import Path

from gemel.core.drafts import draft_beside, put_in_place
from gemel.intake.batch import Batch, TakenFolder
from gemel.intake.candidates import Finding
from gemel.intake.ledger import RunOutcome, append_entries, locked, look_line, read_ledger, settled_line
from gemel.intake.places import Places, state_places
from gemel.intake.quarantine import put_in_quarantine

DONE = ".done"  # in the drop folder


def remember(batch: Batch, root: Path) -> None:
    """Keep what a look found: rows for the quarantine, what is dated in the future; put away the folders of which
    nothing is left to come in. For a batch that is empty this is all there is to do.

    root: the project's folder. Raises: GemelError if another process is at it; OSError if something can't be written.
    """
    places = state_places(root)
    with locked(places):
        _keep_findings(batch, places)
        for folder in batch.folders:
            if folder.spent:
                _put_away(folder, places, folder.refused_in, keep=batch.keep_done)


def settle(batch: Batch, root: Path, outcome: RunOutcome, run: str) -> None:
    """Say what became of a batch, after `remember`.

    promoted: its folders are moved to .done in the drop folder, or deleted. held: they stay, and are gathered again
    with newer ones. refused: its rows go to the quarantine, where a person may release them, and its folders to
    .gemel/intake/refused/RUN/. A folder with rows that wait for a later run stays.
    run: its id. Raises: as remember.
    """
    remember(batch, root)
    places = state_places(root)
    with locked(places):
        if outcome == "refused":
            why = f"the model trained with it in run {run} was refused"
            put_in_quarantine(places, [Finding(each, "refused", why) for each in (*batch.entities, *batch.rows)])
        if (batch.id, outcome, run) not in read_ledger(places).settled:
            append_entries(places.ledger, [settled_line(batch.id, outcome, run, batch.keys)])
        if outcome == "held":
            return
        for folder in batch.folders:
            if folder.complete and not folder.spent:
                _put_away(folder, places, run if outcome == "refused" else None, keep=batch.keep_done)


def tried(root: Path, batch_id: str) -> str | None:
    """The last run that held a batch of exactly this content; None if none did. root: the project's folder."""
    return read_ledger(state_places(root)).held.get(batch_id)


def _keep_findings(batch: Batch, places: Places) -> None:
    put_in_quarantine(places, (*batch.quarantined, *batch.rejected))
    looks = read_ledger(places).looks
    new = [look_line(*each) for each in batch.looks if looks.get(each[:2]) != each[2]]
    append_entries(places.ledger, new)


def _put_away(folder: TakenFolder, places: Places, refused_in: str | None, *, keep: bool) -> None:
    if not folder.path.exists():
        return
    if refused_in is not None:
        _move(folder.path, places.refused(refused_in, folder.source, folder.batch))
        return
    done = _move(folder.path, folder.path.parents[1] / DONE / folder.source / folder.batch)
    if not keep:
        # Moved first: half a folder that is being deleted must not be taken for a batch.
        shutil.rmtree(done)


def _move(source: Path, target: Path) -> Path:
    """Move a folder to where there is none yet, at one stroke. Returns: where it is now."""
    names = itertools.chain([target.name], (f"{target.name}-{number}" for number in itertools.count(2)))
    free = next(path for name in names if not (path := target.with_name(name)).exists())
    free.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(free)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        # To another disk: there as a whole before it goes here.
        with draft_beside(free) as draft:
            shutil.copytree(source, draft, dirs_exist_ok=True)
            put_in_place(draft, free)
        shutil.rmtree(source)
    return free
