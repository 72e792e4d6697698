"""Solved mentions that are shown to the LLM, as one table and as segments of a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl

from gemel.core.errors import ArtifactError
from gemel.core.schema import Demonstration
from gemel.core.settings import DemonstrationSettings, Method, ShownNames
from gemel.llm.segments import Segment
from gemel.retrieval.choice import Chooser, Corpus
from gemel.retrieval.encoder import Vectors
from gemel.retrieval.images import ImageRanker
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.prompt import Encode, Prefix, demonstration_segment

CORPUS = "corpus.parquet"
CORPUS_SCHEMA = {
    "mention_id": pl.String,
    "mention": pl.String,
    "text": pl.String,
    "entity_id": pl.String,
    "name": pl.String,
    "image_sha256": pl.String,  # null where the post has no readable image
    "caption": pl.String,  # the gold caption, where the data set has one
}


def solved_mentions(mentions: pl.DataFrame, posts: pl.DataFrame, entities: pl.DataFrame, split: str) -> pl.DataFrame:
    """The linkable mentions of a split, in table order: columns of CORPUS_SCHEMA, and start as in the mentions.

    Mentions without an entity of the catalog (NIL) can't be demonstrated; the stage counts them.
    """
    of_posts = posts.select("post_id", "image_sha256", "caption")
    of_entities = entities.select("entity_id", "name")
    return (
        mentions.filter((pl.col("split") == split) & pl.col("in_kb"))
        .join(of_posts, on="post_id", how="left", maintain_order="left")
        .join(of_entities, on="entity_id", how="inner", maintain_order="left")
        .select(*CORPUS_SCHEMA, "start")
    )


def corpus_of(solved: pl.DataFrame) -> Corpus:
    """What retrieval needs of the solved mentions."""
    return Corpus(solved["mention"].to_list(), solved["text"].to_list(), solved["entity_id"].to_list())


def read_corpus(folder: Path) -> pl.DataFrame:
    """Read the table of solved mentions.

    Raises: ArtifactError if it is absent, damaged or has other columns.
    """
    path = folder / CORPUS
    try:
        return pl.read_parquet(path).select(*CORPUS_SCHEMA)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{path}: unreadable ({error}); run `dvc repro demonstrations`") from error


def make_chooser(
    solved: pl.DataFrame,
    settings: DemonstrationSettings,
    vectors: Mapping[str, Vectors],
    method: Method | None = None,
    device: str = "cpu",
) -> Chooser:
    """The one that chooses among solved mentions.

    vectors: image SHA-256 -> vision vector, for the images of the solved; looked at where images have a weight. method:
    in place of the linker's. device: of the sentence encoder.
    Raises: BackboneError if the sentence encoder can't be had.
    """
    method, corpus = method or settings.method, corpus_of(solved)
    strings = corpus.strings(settings.query)
    scorer = make_scorer(method, strings, seed=settings.seed, encoder=settings.encoder, device=device)
    images = None
    # Among random ones, those of like images would be no random ones.
    if settings.image_weight and method != "random":
        images = ImageRanker(image_vectors(solved["image_sha256"], vectors), settings.image_weight)
    return Chooser(corpus, scorer, settings.count, by=settings.query, diversity=settings.diversity, images=images)


def image_vectors(images: pl.Series, vectors: Mapping[str, Vectors]) -> list[Vectors | None]:
    """The vector of each image SHA-256; None where that is null."""
    return [None if sha256 is None else vectors[sha256] for sha256 in images.to_list()]


def chosen_path(folder: Path, method: str, without_image: bool = False) -> Path:
    """Where the choice of one method lies: mention_id, rows of the corpus (most relevant first)."""
    return folder / f"chosen_{method}{'_without_image' * without_image}.parquet"


def choose_for_all(
    mentions: pl.DataFrame, chooser: Chooser, images: Sequence[Vectors | None] | None = None
) -> pl.DataFrame:
    """Choose demonstrations for every mention, in table order: mention_id, rows.

    images: the vector of each mention's image, or None; None for all: the choice of posts without an image.
    """
    rows = chooser.choose_all(mentions["mention"].to_list(), mentions["text"].to_list(), images)
    return pl.DataFrame(
        {"mention_id": mentions["mention_id"], "rows": rows},
        schema={"mention_id": pl.String, "rows": pl.List(pl.Int32)},
    )


def read_chosen(folder: Path, method: str, without_image: bool = False) -> dict[str, tuple[int, ...]]:
    """Read the choice of one method: mention id -> rows of the corpus.

    without_image: what would be chosen if no mention's post had an image; the same where images have no weight.
    Raises: ArtifactError if it is absent or damaged.
    """
    path = chosen_path(folder, method, without_image)
    if without_image and not path.exists():
        path = chosen_path(folder, method)
    try:
        return {mention_id: tuple(rows) for mention_id, rows in pl.read_parquet(path).iter_rows()}
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ArtifactError(f"{path}: unreadable ({error}); run `dvc repro demonstrations`") from error


class DemonstrationBook:
    """Segments of solved mentions by row; each is tokenized once."""

    def __init__(self, solved: pl.DataFrame, encode: Encode, names: ShownNames = "alone") -> None:
        """names: see PromptSettings."""
        self.images: list[str | None] = solved["image_sha256"].to_list()
        self.captions: list[str | None] = solved["caption"].to_list()
        self._rows = solved.select("text", "mention", "name").rows()
        self._encode, self._names = encode, names
        self.token_ids = lru_cache(maxsize=100_000)(self._token_ids)

    def __len__(self) -> int:
        return len(self._rows)

    def shown(self, row: int) -> Demonstration:
        """One demonstration in words."""
        text, mention, name = self._rows[row]
        return Demonstration(text, mention, name, self.images[row] is not None)

    def segment(self, row: int, prefix: Prefix) -> Segment:
        """One demonstration behind the given prefix."""
        return Segment(self.token_ids(row), prefix)

    def _token_ids(self, row: int) -> tuple[int, ...]:
        text, mention, name = self._rows[row]
        return demonstration_segment(text, mention, name, None, self._encode, self._names).token_ids
