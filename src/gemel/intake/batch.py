"""A batch: all that would come into a data set now, and what is said of the rest."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gemel.intake.candidates import Candidate, Finding, Picture, Waiting
from gemel.intake.corpus import Corpus, read_corpus
from gemel.intake.drop import DropFolder
from gemel.intake.ledger import Ledger, State, read_ledger
from gemel.intake.places import places_of
from gemel.intake.quarantine import Entry, read_quarantine
from gemel.intake.reading import Read, read_all
from gemel.intake.screening import Screen, Screened
from gemel.intake.settings import IntakeSettings
from gemel.intake.suspicion import SureAnswers, against_sure_answers, bursts
from gemel.intake.wholeness import Look
from gemel.posts.dataset import ENTITIES, POSTS


@dataclass(frozen=True)
class TakenFolder:
    """A batch of the drop folder that was read. spent: whether nothing of it comes in, now or later. complete: whether
    nothing of it waits for a later run. refused_in: the run that refused rows of it.
    """

    source: str
    batch: str
    path: Path
    spent: bool
    complete: bool
    refused_in: str | None


@dataclass(frozen=True)
class Batch:
    """What would come into a data set, decided row by row.

    id: SHA-256 of the content of all that would come in. rows: posts; entities: new ones. replaced: ids of corrections
    in the data set that give way to one that a person released. quarantined, rejected: rows found now; those that
    were found before stay in the quarantine. waiting: what is not taken yet. counts: rows by source and what became of
    them. looks: at batches that are dated in the future, to be remembered. keep_done: as in the settings.
    """

    id: str
    rows: tuple[Candidate, ...]
    entities: tuple[Candidate, ...]
    replaced: tuple[str, ...]
    quarantined: tuple[Finding, ...]
    rejected: tuple[Finding, ...]
    waiting: tuple[Waiting, ...]
    counts: Mapping[str, Mapping[str, int]]
    folders: tuple[TakenFolder, ...]
    looks: tuple[tuple[str, str, Look], ...]
    keep_done: bool

    @property
    def is_empty(self) -> bool:
        """Whether nothing comes in."""
        return not self.rows and not self.entities

    @property
    def images(self) -> tuple[Picture, ...]:
        """The images of the rows, each once."""
        return tuple({each.picture.name: each.picture for each in self.rows if each.picture is not None}.values())

    @property
    def keys(self) -> tuple[str, ...]:
        """Of all rows that come in."""
        return tuple(each.key for each in (*self.entities, *self.rows))

    @property
    def files(self) -> tuple[str, ...]:
        """The files of the data set that it changes or adds, by their path in its folder."""
        changed = [*([POSTS] if self.rows else []), *([ENTITIES] if self.entities else [])]
        return (*changed, *(each.name for each in self.images))


def gather(
    root: Path,
    data: Path,
    dataset: str,
    settings: IntakeSettings,
    sure_answers: SureAnswers | None = None,
    *,
    now: float | None = None,
) -> Batch:
    """Read the drop folder and the feedback, and decide on each row; nothing is written.

    root: the project's folder, with .gemel/. data: the folder of data sets. sure_answers: the champion's, None to do
    without. now: seconds of the epoch; None: the clock's.
    Raises: ConfigError if the configured drop folder is missing; DataError if the data set, the ledger or the
    quarantine can't be read.
    """
    places = places_of(root, settings)
    ledger, quarantine = read_ledger(places), read_quarantine(places)
    corpus = read_corpus(data / dataset)
    read = read_all(places, settings, ledger, quarantine, time.time() if now is None else now)
    held: dict[str, State] = {key: "quarantined" for key, each in quarantine.items() if not each.final}
    states = held | ledger.states
    rushed = bursts(read.said, settings.suspicion)
    suspected = {each.key: Finding(each, "burst", rushed[each.key]) for each in read.said if each.key in rushed}
    if sure_answers is not None:
        suspected = _against_answers(read.posts, corpus, settings, states, sure_answers) | suspected
    screened = Screen(corpus, settings, states, suspected).take([*read.entities, *read.posts])
    return _batch(read, screened, quarantine, ledger, settings)


def _against_answers(
    posts: Sequence[Candidate],
    corpus: Corpus,
    settings: IntakeSettings,
    states: Mapping[str, State],
    sure_answers: SureAnswers,
) -> dict[str, Finding]:
    watched = settings.suspicion.watched
    asked = [
        each
        for each in posts
        if each.source in watched
        and each.key not in states
        and len(each.row["mentions"]) == 1
        and each.id not in corpus.posts
    ]
    found = against_sure_answers(asked[: settings.caps.rows], corpus, settings.suspicion.known, sure_answers)
    return {each.candidate.key: each for each in found}


def _batch(
    read: Read, screened: Screened, quarantine: Mapping[str, Entry], ledger: Ledger, settings: IntakeSettings
) -> Batch:
    findings = [*read.broken, *screened.findings]
    new = [
        each for each in findings if (known := quarantine.get(each.candidate.key)) is None or known.rule != each.rule
    ]
    rows = tuple(each for each in screened.taken if each.kind == "post")
    entities = tuple(each for each in screened.taken if each.kind == "entity")
    return Batch(
        id=_identity(rows, entities, screened.replaced),
        rows=rows,
        entities=entities,
        replaced=tuple(screened.replaced),
        quarantined=tuple(each for each in new if not each.final),
        rejected=tuple(each for each in new if each.final),
        waiting=(*read.waiting, *screened.waiting()),
        counts=_counts(read.broken, screened),
        folders=_taken_folders(read.whole, screened, ledger),
        looks=tuple(read.looks),
        keep_done=settings.keep_done,
    )


def _identity(rows: Sequence[Candidate], entities: Sequence[Candidate], replaced: Sequence[str]) -> str:
    content = [[each.line_content for each in some] for some in (rows, entities)]
    text = json.dumps([*content, replaced], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def _counts(broken: Sequence[Finding], screened: Screened) -> dict[str, dict[str, int]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for each in broken:
        counts[each.candidate.source]["rejected"] += 1
    for candidate, outcome in screened.outcomes:
        counts[candidate.source][outcome] += 1
    return {source: dict(sorted(found.items())) for source, found in sorted(counts.items())}


def _taken_folders(folders: Sequence[DropFolder], screened: Screened, ledger: Ledger) -> tuple[TakenFolder, ...]:
    outcomes: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    refused: dict[tuple[str, str], str] = {}
    for row, outcome in screened.outcomes:
        place = (row.source, row.batch)
        outcomes[place].add(outcome)
        if row.key in ledger.refused_in:
            refused[place] = ledger.refused_in[row.key]
    found = []
    for each in folders:
        mine = outcomes[place := (each.source, each.batch)]
        spent, complete = not mine & {"taken", "later"}, "later" not in mine
        found.append(TakenFolder(*place, each.path, spent, complete, refused.get(place)))
    return tuple(found)
