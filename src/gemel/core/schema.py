"""The things that gemel speaks about: posts, mentions, entities, links."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

Split = Literal["train", "dev", "test"]
SPLITS: tuple[Split, ...] = ("train", "dev", "test")


@dataclass(frozen=True)
class Mention:
    """A string in a post that stands for an entity.

    start, end: character offsets into the post's text, or None where the mention does not occur in it.
    entity_id: the gold entity; None where there is none (NIL) or where it isn't known.
    candidates: ids of the entities to choose among; empty: all of the catalog. entity_type: type of those to choose
    among; "": any. Both together: candidates of that type.
    """

    text: str
    start: int | None = None
    end: int | None = None
    entity_id: str | None = None
    candidates: tuple[str, ...] = ()
    entity_type: str = ""


@dataclass(frozen=True)
class Post:
    """A text, at most one image, and the mentions to link.

    image: path of an image file, or None. A post without a readable image is linked by its text alone. picture: the
    image itself, for who has no file: decoded as core.images does, or its vision vector, (vision_dim,).
    """

    text: str
    mentions: tuple[Mention, ...]
    image: Path | None = None
    post_id: str = ""
    picture: Image | npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Entity:
    """A thing of the knowledge base.

    name: the unique string that the LLM generates. label: the name before it was told apart from equal ones.
    popularity: any non-negative count; larger is better known. title: of its Wikipedia article. year: of its beginning
    (birth, founding, publication), negative before Christ. language: of label, aliases and description. These three
    help to name it; the catalog's table has the name alone.
    """

    entity_id: str
    name: str
    label: str = ""
    description: str = ""
    entity_type: str = ""
    aliases: tuple[str, ...] = ()
    popularity: float = 0.0
    title: str = ""
    year: int | None = None
    language: str = ""


@dataclass(frozen=True)
class Candidate:
    """An entity that the search arrived at.

    score: mean log-probability per generated token, natural logarithm, and what the images of entities add to it, where
    beams are re-scored. probability: share within the beam; of a Link's candidates, the chance that this is the entity.
    """

    entity_id: str
    name: str
    score: float
    probability: float


@dataclass(frozen=True)
class Link:
    """The answer for one mention: candidates, best first, and what was used to find them.

    image: "read" if soft tokens of the post's image were used, else why not ("none", "unreadable: …").
    nil_probability: the chance that the catalog lacks the entity. nil: whether that is the answer; the candidates then
    are what it would have been. sure: whether links as probable as this one had the wanted precision on dev.
    """

    post_id: str
    mention: Mention
    candidates: tuple[Candidate, ...]
    image: str = "none"
    notes: tuple[str, ...] = field(default=())
    nil_probability: float = 0.0
    nil: bool = False
    sure: bool = False

    @property
    def best(self) -> Candidate:
        """The candidate with the highest score."""
        return self.candidates[0]

    @property
    def answer(self) -> Candidate | None:
        """The best candidate, or None where the answer is that the catalog lacks the entity (NIL)."""
        return None if self.nil else self.best


@dataclass(frozen=True)
class Demonstration:
    """A solved mention that the LLM was shown. image: whether with soft tokens of its post's image."""

    text: str
    mention: str
    name: str
    image: bool


@dataclass(frozen=True)
class Explanation:
    """A link with what it would have been otherwise.

    without_image: the candidates where no image is shown, neither the post's nor those of demonstrations.
    without_demonstrations: where none is shown. Their probabilities are shares within the beam.
    demonstrations: those shown, the most relevant first.
    blind_score: the score that the best candidate of the link has without any image; None where the post has none.
    """

    link: Link
    without_image: tuple[Candidate, ...]
    without_demonstrations: tuple[Candidate, ...]
    demonstrations: tuple[Demonstration, ...]
    blind_score: float | None

    @property
    def image_moved(self) -> float | None:
        """How much the images raised the score of the best candidate; None where the post has none."""
        return None if self.blind_score is None else self.link.best.score - self.blind_score
