"""What makes a row suspicious: rules that a person may overrule."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gemel.core.schema import Mention, Post
from gemel.intake.candidates import Candidate, Finding
from gemel.intake.corpus import Corpus, KnownPost
from gemel.intake.lines import string_of, words_of
from gemel.intake.settings import SuspicionSettings

# Of each post's one mention the entity that a linker is sure of; None where it isn't sure, or answers NIL.
SureAnswers = Callable[[Sequence[Post]], Sequence[str | None]]
MOST_ASKED = 20  # known posts of a string that the linker is asked about


def contradicted(candidate: Candidate, corpus: Corpus) -> tuple[KnownPost, str] | None:
    """The known post of the same question that a row answers otherwise, and what the two say.

    One question: the same mention string with the same image, or in the same text where neither has an image.
    """
    words = words_of(candidate.row["text"])
    if candidate.picture is not None:
        posts = corpus.showing(candidate.picture)
    else:
        posts = [post for post in corpus.by_words.get(words, ()) if post.image is None]
    for post in posts:
        for known in post.row["mentions"]:
            for mention in candidate.row["mentions"]:
                if string_of(known) != string_of(mention) or (post.words == words and _apart(known, mention)):
                    continue
                if _entity(known, corpus) != _entity(mention, corpus):
                    said = f"{mention['mention']!r} is {_entity(mention, corpus)}, but in {post.id!r} of the same"
                    same = "image" if candidate.picture is not None else "text"
                    return post, f"{said} {same} {_entity(known, corpus)}"
    return None


def unheard_type(candidate: Candidate, corpus: Corpus, known: int) -> str | None:
    """Say of which type an entity is that neither known mentions of the string nor entities of that name have.

    known: mentions of the string from which on their types speak.
    """
    for mention in candidate.row["mentions"]:
        string = string_of(mention)
        kind = corpus.kind(mention["entity"]) if mention["entity"] is not None else ""
        seen = corpus.kinds.get(string)
        if not kind or seen is None or seen.total() < known or seen[kind]:
            continue
        if not corpus.bears(kind, string):
            types = ", ".join(sorted(filter(None, seen))) or "of no known type"
            return (
                f"{mention['entity']} is of type {kind!r}, but {mention['mention']!r} was {types} in {seen.total()} "
                f"known mentions, and no {kind} bears the name"
            )
    return None


def bursts(said: Sequence[Candidate], settings: SuspicionSettings) -> dict[str, str]:
    """Keys of corrections that came in a burst, with the reason. said: all that was said, not the last words alone."""
    groups: defaultdict[tuple[str, str], list[tuple[float, str]]] = defaultdict(list)
    for each in said:
        for mention in each.row["mentions"]:
            if each.said is not None:
                groups[string_of(mention), mention["entity"] or "no entity"].append((each.said, each.key))
    found: dict[str, str] = {}
    for (string, entity), times in groups.items():
        times.sort()
        inside: dict[str, None] = {}
        for at in range(len(times) - settings.burst_count + 1):
            window = times[at : at + settings.burst_count]
            if window[-1][0] - window[0][0] <= settings.burst_seconds:
                inside |= dict.fromkeys(key for _, key in window)
        why = f"{string!r} was corrected to {entity} {settings.burst_count} times or more within"
        found |= dict.fromkeys(inside, f"{why} {settings.burst_seconds:g} s ({len(inside)} corrections)")
    return found


@dataclass
class AlikeTexts:
    """Texts of one source about one mention string and entity, held to how alike they may be."""

    alike: float
    most: int
    _texts: defaultdict[tuple[str, str, str | None], list[tuple[str, frozenset[str]]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def repeated(self, candidate: Candidate) -> str | None:
        """Say which texts a row repeats with small edits, if they are as many as may come in."""
        triples = _triples(candidate.row["text"])
        for group in _groups(candidate.source, candidate.row):
            like = [id_ for id_, other in self._texts[group] if _likeness(triples, other) >= self.alike]
            if len(like) >= self.most:
                return f"its text is that of {', '.join(like[: self.most])} with small edits, for the same entity"
        return None

    def add(self, post: KnownPost) -> None:
        """Count a text in."""
        for group in _groups(post.source, post.row):
            self._texts[group].append((post.id, _triples(post.row["text"])))


def against_sure_answers(
    rows: Sequence[Candidate], corpus: Corpus, known: int, sure_answers: SureAnswers
) -> list[Finding]:
    """Find rows that a linker contradicts which is sure, and is right on all known posts of the mention string.

    rows: of one mention each. known: posts of a string that it must be right on at least.
    """
    posts = [_post(each.row, _first(each), None if each.picture is None else each.picture.path) for each in rows]
    answers = sure_answers(posts) if posts else ()
    right: dict[str, int] = {}
    findings = []
    for row, answer in zip(rows, answers, strict=True):
        mention = _first(row)
        if answer is None or answer == _entity(mention, corpus):
            continue
        string = string_of(mention)
        if string not in right:
            right[string] = _right(string, corpus, sure_answers)
        if right[string] >= known:
            said = f"{mention['mention']!r} is {_entity(mention, corpus)}, but the linker is sure of {answer}"
            findings.append(Finding(row, "sure", f"{said}, and right on all {right[string]} known posts of it"))
    return findings


def _right(string: str, corpus: Corpus, sure_answers: SureAnswers) -> int:
    """How many known posts of a string a linker is sure and right on; 0 if it is not on any one."""
    known = [
        (post, mention)
        for post in corpus.by_string.get(string, ())
        for mention in post.row["mentions"]
        if string_of(mention) == string and mention["entity"] is not None
    ][-MOST_ASKED:]
    posts = [_post(post.row, mention, post.image and corpus.folder / post.image) for post, mention in known]
    answers = sure_answers(posts) if posts else ()
    same = [answer == _entity(each, corpus) for answer, (_, each) in zip(answers, known, strict=True)]
    return len(same) if all(same) else 0


def _first(candidate: Candidate) -> Mapping[str, Any]:
    first: Mapping[str, Any] = candidate.row["mentions"][0]
    return first


def _post(row: Mapping[str, Any], mention: Mapping[str, Any], image: Path | str | None) -> Post:
    asked = Mention(mention["mention"], mention.get("start"), mention.get("end"))
    return Post(row["text"], (asked,), Path(image) if image else None, row["id"])


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    places = (one.get("start"), other.get("start"))
    return None not in places and places[0] != places[1]


def _entity(mention: Mapping[str, Any], corpus: Corpus) -> str:
    return "no entity" if mention["entity"] is None else corpus.living(mention["entity"])


def _groups(source: str, row: Mapping[str, Any]) -> set[tuple[str, str, str | None]]:
    return {(source, string_of(each), each["entity"]) for each in row["mentions"]}


def _triples(text: str) -> frozenset[str]:
    words = f" {words_of(text)} "
    return frozenset(words[at : at + 3] for at in range(max(1, len(words) - 2)))


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)
