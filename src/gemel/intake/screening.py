"""The rules: what may come in, what a person has to look at, and what never may."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from gemel.core.errors import ImageError
from gemel.core.images import decode_image, read_bytes
from gemel.intake.candidates import FINAL, LASTING, Candidate, Finding, Waiting
from gemel.intake.corpus import Corpus
from gemel.intake.ledger import State
from gemel.intake.lines import content_of, words_of
from gemel.intake.rules import ENTITY_RULES, POST_RULES, Facts
from gemel.intake.settings import FEEDBACK_SOURCE, IntakeSettings
from gemel.intake.suspicion import AlikeTexts, contradicted

# held_back: in quarantine since an earlier look. removed: came in once, and was taken out of the data set since.
Outcome = Literal["taken", "known", "later", "quarantined", "rejected", "held_back", "discarded", "removed"]


@dataclass
class Screened:
    """What became of rows. taken: those that come in, in their order. replaced: ids of corrections in the data set that
    give way to one that a person released. outcomes: of each row, by place.
    """

    taken: list[Candidate] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    later: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    replaced: list[str] = field(default_factory=list)
    outcomes: list[tuple[Candidate, Outcome]] = field(default_factory=list)

    def waiting(self) -> list[Waiting]:
        """What was put off, a line for each batch and reason."""
        return [
            Waiting(source, batch, f"{count} rows: {why}") for (source, batch, why), count in sorted(self.later.items())
        ]


class Screen:
    """Holds rows to the rules, one after another; each that is taken joins the corpus."""

    def __init__(
        self,
        corpus: Corpus,
        settings: IntakeSettings,
        states: Mapping[str, State],
        suspected: Mapping[str, Finding],
    ) -> None:
        """states: of rows by key. suspected: findings by key that need more than the row itself."""
        self.corpus, self.settings, self.states, self.suspected = corpus, settings, states, suspected
        self.found = Screened()
        self._rows: Counter[tuple[str, str]] = Counter()
        self._seen: set[str] = set()
        alike = AlikeTexts(settings.suspicion.alike, settings.suspicion.most_alike)
        self._facts = Facts(corpus, settings, alike)
        for post in corpus.posts.values():
            if post.source in settings.suspicion.watched:
                self._facts.alike.add(post)

    def take(self, candidates: Iterable[Candidate]) -> Screened:
        """Decide on each row; entities have to come before the posts that name them."""
        for candidate in candidates:
            if candidate.key in self._seen:
                self.found.outcomes.append((candidate, "known"))
            else:
                self._seen.add(candidate.key)
                self.found.outcomes.append((candidate, self._decided(candidate)))
        return self.found

    def _decided(self, candidate: Candidate) -> Outcome:
        state = self.states.get(candidate.key)
        if state == "discarded":
            return "discarded"
        if self._is_known(candidate):
            return "known"
        if state == "promoted":
            # Somebody took it out again: it must not come back because its file is still there.
            return "removed"
        if state in ("refused", "quarantined"):
            return "held_back"
        placed = self._with_split(candidate)
        finding = self._finding(placed, lifted=state == "released")
        if finding is not None:
            self.found.findings.append(replace(finding, candidate=candidate))
            return "rejected" if finding.final else "quarantined"
        if why := self._put_off(placed):
            self.found.later[candidate.source, candidate.batch, why] += 1
            return "later"
        if why := _image_fault(candidate):
            self.found.findings.append(Finding(candidate, "image", why))
            return "rejected"
        self._join(placed, released=state == "released")
        return "taken"

    def _finding(self, candidate: Candidate, *, lifted: bool) -> Finding | None:
        """The first rule that a row breaks. lifted: whether a person overruled suspicions."""
        for rule, check in POST_RULES if candidate.kind == "post" else ENTITY_RULES:
            if (rule in FINAL or rule in LASTING or not lifted) and (why := check(self._facts, candidate)):
                return Finding(candidate, rule, why)
        return None if lifted else self.suspected.get(candidate.key)

    def _is_known(self, candidate: Candidate) -> bool:
        if candidate.kind == "entity":
            return self.corpus.entities.get(candidate.id) == candidate.row
        if self.corpus.same(candidate) is not None:
            return True
        known = self.corpus.posts.get(candidate.id)
        if known is None:
            return False
        return content_of(known.row, self.corpus.sha256(known)) == content_of(candidate.row, candidate.sha256)

    def _with_split(self, candidate: Candidate) -> Candidate:
        """The row with the split that it goes to; one that states none may go to dev, by its text."""
        if candidate.kind == "entity" or candidate.stated or candidate.source == FEEDBACK_SOURCE:
            return candidate
        words = words_of(candidate.row["text"])
        drawn = int(hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:8], 16) / 2**32
        if drawn >= self.settings.dev_share or words in self.corpus.by_words:
            return candidate
        if candidate.picture is not None and self.corpus.showing(candidate.picture):
            return candidate
        return replace(candidate, row={**candidate.row, "split": "dev"})

    def _put_off(self, candidate: Candidate) -> str | None:
        """Why a row has to wait for a later run."""
        caps, source = self.settings.caps, candidate.source
        if candidate.kind == "entity":
            most, what = caps.entities, "entities"
        else:
            most, what = caps.rows, "rows"
            if any(each["entity"] in self._facts.put_off for each in candidate.row["mentions"]):
                return "they name entities that have to wait themselves"
        if self._rows[source, candidate.kind] >= most:
            if candidate.kind == "entity":
                self._facts.put_off.add(candidate.id)
            return f"no more than {most} {what} of one source come in at a time (intake.caps.{what})"
        return None if candidate.kind == "entity" else self._share_fault(candidate)

    def _share_fault(self, candidate: Candidate) -> str | None:
        share, new = self.settings.caps.share, len(candidate.row["mentions"])
        theirs, total = self.corpus.mentions[candidate.source] + new, self.corpus.mentions.total() + new
        if share < 1 and candidate.row["split"] == "train" and theirs > share * total:
            return f"the source would have more than {share:.0%} of all training mentions (intake.caps.share)"
        return None

    def _join(self, candidate: Candidate, *, released: bool) -> None:
        if candidate.kind == "post" and released:
            self._replace(candidate)
        post = self.corpus.join(candidate)
        if post is not None and candidate.source in self.settings.suspicion.watched:
            self._facts.alike.add(post)
        self._rows[candidate.source, candidate.kind] += 1
        self.found.taken.append(candidate)

    def _replace(self, candidate: Candidate) -> None:
        """Let an earlier correction of the same question give way to the one that a person released."""
        found = contradicted(candidate, self.corpus)
        if found and found[0].source == candidate.source == FEEDBACK_SOURCE:
            self.found.replaced.append(found[0].id)


def _image_fault(candidate: Candidate) -> str | None:
    """Why an image can't be decoded. Looked at last: nothing else costs as much."""
    if candidate.picture is None:
        return None
    try:
        decode_image(read_bytes(candidate.picture.path), str(candidate.picture.path))
    except ImageError as error:
        return str(error)
    return None
