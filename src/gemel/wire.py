"""What goes over HTTP between the service and its clients, and how it becomes the library's own classes and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from gemel.core.schema import Candidate, Demonstration, Entity, Explanation, Link, Mention
from gemel.interchange.uris import entity_uri


class Wire(BaseModel):
    """A message. A field that isn't named is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WantedMention(Wire):
    """A mention to link.

    start, end: characters of the text, where the mention occurs in it more than once. candidates: ids to choose among;
    none: all. type: of the entities to choose among; "": any.
    """

    mention: str = Field(examples=["Jaguar"])
    start: int | None = Field(None, ge=0)
    end: int | None = Field(None, ge=0)
    candidates: tuple[str, ...] = ()
    type: str = ""

    def to_mention(self) -> Mention:
        """As the library has it."""
        return Mention(self.mention, self.start, self.end, None, self.candidates, self.type)


class LinkRequest(Wire):
    """A post to link.

    mentions: strings, or what more is known of them; None to have them found in the text. image: the bytes of an image
    file, base64. image_url: its address instead, for services that may fetch it. top_k: candidates wanted of each
    mention; None: all of the beam. explain: say why, which takes four times as long.
    """

    text: str = Field(examples=["Great shot of the Jaguar this morning"])
    mentions: tuple[WantedMention | str, ...] | None = None
    image: str | None = None
    image_url: str | None = None
    top_k: int | None = Field(None, ge=1)
    explain: bool = False

    def to_mentions(self) -> tuple[Mention, ...]:
        """As the library has them; none where they are to be found."""
        return tuple(Mention(one) if isinstance(one, str) else one.to_mention() for one in self.mentions or ())


class FoundCandidate(Wire):
    """An entity. score: mean log-probability per token. probability: the chance that it is the one meant."""

    entity_id: str
    name: str
    score: float
    probability: float

    def to_candidate(self) -> Candidate:
        """As the library has it."""
        return Candidate(self.entity_id, self.name, self.score, self.probability)


class ShownDemonstration(Wire):
    """A solved mention that the LLM was shown. image: whether with an image."""

    text: str
    mention: str
    name: str
    image: bool


class FoundExplanation(Wire):
    """What the link would have been otherwise, and what it was found with.

    without_image, without_demonstrations: candidates, best first; their probabilities are shares within the beam.
    demonstrations: the most relevant first. blind_score: of the best candidate without any image; None where the post
    has none.
    """

    without_image: tuple[FoundCandidate, ...]
    without_demonstrations: tuple[FoundCandidate, ...]
    demonstrations: tuple[ShownDemonstration, ...]
    blind_score: float | None


class FoundLink(Wire):
    """The answer for one mention.

    entity_id, name: of the entity; None where the answer is that the catalog lacks it (nil). candidates: best first, or
    what it would have been. nil_probability: the chance that the catalog lacks it. sure: whether links as probable had
    the wanted precision. image: "read" if the image was used, "none" if there was none. notes: what may be wrong with
    the request.
    """

    mention: str
    start: int | None
    end: int | None
    entity_id: str | None
    name: str | None
    candidates: tuple[FoundCandidate, ...] = Field(min_length=1)
    nil: bool
    nil_probability: float
    sure: bool
    image: str
    notes: tuple[str, ...]
    explanation: FoundExplanation | None = None

    def to_link(self) -> Link:
        """As the library has it, without the ids of the post and of what was asked of the mention."""
        return Link(
            "",
            Mention(self.mention, self.start, self.end),
            tuple(each.to_candidate() for each in self.candidates),
            self.image,
            self.notes,
            self.nil_probability,
            self.nil,
            self.sure,
        )

    def to_explanation(self) -> Explanation | None:
        """As the library has it; None if it was not asked for."""
        if self.explanation is None:
            return None
        found = self.explanation
        return Explanation(
            self.to_link(),
            tuple(each.to_candidate() for each in found.without_image),
            tuple(each.to_candidate() for each in found.without_demonstrations),
            tuple(Demonstration(**each.model_dump()) for each in found.demonstrations),
            found.blind_score,
        )


class LinkReply(Wire):
    """The answers for a post's mentions, in order. release: first digits of the hash of the release that answered."""

    links: tuple[FoundLink, ...]
    release: str
    request_id: str


class BatchRequest(Wire):
    """Posts to link."""

    posts: tuple[LinkRequest, ...] = Field(min_length=1)


class BatchItem(Wire):
    """One post's answer: links, or the reason why there are none.

    release: that linked it, "" where none did; posts of a batch have different ones if they are exchanged meanwhile.
    """

    links: tuple[FoundLink, ...] = ()
    error: str | None = None
    release: str = ""


class BatchReply(Wire):
    """One result for each post, in order. release: in use when the last was answered."""

    results: tuple[BatchItem, ...]
    release: str
    request_id: str


class FoundEntity(Wire):
    """An entity of the catalog. url: its page, where the id is one of Wikidata's or Wikipedia's."""

    entity_id: str
    name: str
    label: str
    description: str
    type: str
    aliases: tuple[str, ...]
    popularity: float
    url: str | None


class EntitiesReply(Wire):
    """Entities whose name, label or alias begins so, the best known first."""

    entities: tuple[FoundEntity, ...]


class FeedbackRequest(Wire):
    """A person's correction.

    entity_id: the right entity; None: it is none of the catalog. answered: id that the service had answered. image: as
    in LinkRequest; its address is not taken.
    """

    text: str = Field(examples=["Great shot of the Jaguar this morning"])
    mention: str = Field(examples=["Jaguar"])
    start: int | None = Field(None, ge=0)
    end: int | None = Field(None, ge=0)
    entity_id: str | None = Field(examples=["Q30055"])
    image: str | None = None
    answered: str | None = None
    comment: str = ""


class FeedbackReply(Wire):
    """id: of the correction. known: whether it was there already. acts: whether it is shown as a demonstration now."""

    id: str
    known: bool
    acts: bool


class ServiceInfo(Wire):
    """What is served.

    release: first digits of its hash. dataset, accuracy: what it was trained and measured on, accuracy by split.
    notice: what to know of its models. entities: how many. feedback: off, keep or act. limits: of a request, by name.
    """

    release: str
    dataset: str
    accuracy: dict[str, float]
    notice: str
    entities: int
    feedback: str
    token_needed: bool
    limits: dict[str, int]


class ErrorReply(Wire):
    """Why a request was refused: what, where, what was found, what to do next."""

    error: str
    request_id: str


def found_link(link: Link, explanation: Explanation | None = None, top_k: int | None = None) -> FoundLink:
    """A link as it is sent, with at most top_k candidates; None: all."""
    return FoundLink(
        mention=link.mention.text,
        start=link.mention.start,
        end=link.mention.end,
        entity_id=None if link.answer is None else link.answer.entity_id,
        name=None if link.answer is None else link.answer.name,
        candidates=_candidates(link.candidates, top_k),
        nil=link.nil,
        nil_probability=link.nil_probability,
        sure=link.sure,
        image=link.image,
        notes=link.notes,
        explanation=None if explanation is None else _explanation(explanation, top_k),
    )


def found_entity(entity: Entity) -> FoundEntity:
    """An entity as it is sent."""
    return FoundEntity(
        entity_id=entity.entity_id,
        name=entity.name,
        label=entity.label,
        description=entity.description,
        type=entity.entity_type,
        aliases=entity.aliases,
        popularity=entity.popularity,
        url=_page(entity.entity_id),
    )


def _page(entity_id: str) -> str | None:
    uri = entity_uri(entity_id, "")
    return uri if uri.startswith("http") else None


def _explanation(explanation: Explanation, top_k: int | None) -> FoundExplanation:
    return FoundExplanation(
        without_image=_candidates(explanation.without_image, top_k),
        without_demonstrations=_candidates(explanation.without_demonstrations, top_k),
        demonstrations=tuple(ShownDemonstration(**asdict(each)) for each in explanation.demonstrations),
        blind_score=explanation.blind_score,
    )


def _candidates(found: Sequence[Candidate], top_k: int | None) -> tuple[FoundCandidate, ...]:
    fields: list[dict[str, Any]] = [asdict(each) for each in found[:top_k]]
    return tuple(FoundCandidate(**each) for each in fields)
