"""The one inference path: the command line, evaluation and the service all link through here."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from gemel.bundle import Bundle, read_bundle
from gemel.core.errors import ArtifactError, ImageError, RequestError
from gemel.core.images import read_image
from gemel.core.schema import Candidate, Link, Mention, Post
from gemel.core.settings import BackboneSettings, LinkerSettings
from gemel.entities.catalog import Catalog
from gemel.entities.trie import PackedTrie
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.tower import Vectors
from gemel.llm.backbone import FrozenLLM, load_llm
from gemel.llm.search import Hypotheses, beam_search
from gemel.llm.segments import embed_segments
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.mapper import LinearMapper, load_mapper
from gemel.retrieval.choice import Chooser
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.demonstrations import DemonstrationBook, corpus_of
from gemel.tasks.linking.prompt import Prefix, Prompt, build_prompt, query_segment

Sight = Literal["image", "caption", "nothing"]


@dataclass(frozen=True)
class Query:
    """One mention, ready to link.

    vector: its image's vision vector (vision_dim,), or None. caption: a gold caption, for the upper bound.
    demonstrations: rows of the book, the most relevant first.
    """

    mention: Mention
    text: str
    demonstrations: tuple[int, ...]
    vector: Vectors | None = None
    caption: str | None = None


@dataclass(frozen=True)
class Answer:
    """The candidates for one query, best first.

    left_out: how many demonstrations, the least relevant ones, the LLM's context had no room for. kept_characters: how
    many of the text it had room for; None where it had room for all.
    """

    candidates: tuple[Candidate, ...]
    left_out: int = 0
    kept_characters: int | None = None


class Answerer:
    """Answers queries: prompt, soft tokens, search."""

    def __init__(
        self,
        llm: FrozenLLM,
        mapper: LinearMapper,
        catalog: Catalog,
        trie: PackedTrie,
        book: DemonstrationBook,
        vectors: Mapping[str, Vectors],
        settings: LinkerSettings,
    ) -> None:
        """vectors: image SHA-256 -> vision vector, for the images of the book."""
        self._llm, self._mapper, self._catalog, self._trie = llm, mapper.to(llm.model.device), catalog, trie
        self._book, self._vectors, self._settings = book, vectors, settings
        self._bos = llm.leading_ids(settings.backbone.llm.leading_bos)
        # The last token of a name is never read.
        self._room = llm.context - len(self._bos) - (trie.depth - 1)

    def answer(self, queries: Sequence[Query], sight: Sight = "image") -> list[Answer]:
        """Answer each query.

        sight: what stands before each segment: soft tokens of its image, its gold caption, or nothing.
        Raises: RequestError if the question for a mention doesn't fit the LLM, even without any text.
        """
        with torch.inference_mode():
            soft = self._soft_tokens(queries) if sight == "image" else {}
            segments = [self._segments(query, sight, soft) for query in queries]
            prompts = [embed_segments(parts, self._llm.embedding, self._bos) for parts in segments]
        found = beam_search(
            self._llm.model,
            prompts,
            self._trie,
            eos_token_id=self._llm.eos_token_id,
            num_beams=self._settings.num_beams,
        )
        return [
            Answer(self._candidates(hypotheses), len(query.demonstrations) + 1 - len(parts), parts[-1].kept_characters)
            for hypotheses, query, parts in zip(found, queries, segments, strict=True)
        ]

    def _segments(self, query: Query, sight: Sight, soft: Mapping[object, Tensor]) -> Prompt:
        rows = query.demonstrations
        shown = [
            self._book.segment(row, self._prefix(sight, self._book.images[row], self._book.captions[row], soft))
            for row in rows
        ]
        image = None if query.vector is None else id(query.vector)
        prefix = self._prefix(sight, image, query.caption, soft)
        asked = query_segment(query.text, query.mention, prefix, self._llm.encode, self._room)
        return build_prompt(shown, asked, self._room)

    def _prefix(self, sight: Sight, image: object, caption: str | None, soft: Mapping[object, Tensor]) -> Prefix:
        if sight == "caption":
            return None if caption is None else tuple(self._llm.encode(f" {caption}"))
        return soft.get(image)

    def _soft_tokens(self, queries: Sequence[Query]) -> dict[object, Tensor]:
        """Soft tokens of every image in sight, by image SHA-256 or by the id of a query's vector.

        The key None stands for a missing image; without an entry its prefix is left out.
        """
        wanted: dict[object, Vectors] = {}
        for query in queries:
            if query.vector is not None:
                wanted[id(query.vector)] = query.vector
            for sha256 in (self._book.images[row] for row in query.demonstrations):
                if sha256 is not None:
                    wanted[sha256] = self._vectors[sha256]
        if self._settings.missing_image == "zero_vector":
            wanted[None] = np.zeros(self._mapper.vision_dim, dtype=np.float32)
        if not wanted:
            return {}
        images = torch.from_numpy(np.stack(list(wanted.values()))).to(self._llm.model.device)
        return dict(zip(wanted, self._mapper(images), strict=True))

    def _candidates(self, hypotheses: Hypotheses) -> tuple[Candidate, ...]:
        shares = torch.tensor(hypotheses.scores, dtype=torch.float64).softmax(0).tolist()
        entities = [self._catalog.at(index) for index in hypotheses.name_indices]
        return tuple(
            Candidate(entity.entity_id, entity.name, score, share)
            for entity, score, share in zip(entities, hypotheses.scores, shares, strict=True)
        )


class Linker:
    """Links the mentions of posts. Make one with `Linker.load`."""

    def __init__(
        self, answerer: Answerer, choose: Callable[[str, str], tuple[int, ...]], encoder: VisionEncoder
    ) -> None:
        """choose: mention, text -> rows of the answerer's book."""
        self._answerer, self._choose, self._encoder = answerer, choose, encoder

    @classmethod
    def load(cls, path: Path | str, *, root: Path | str = ".", device: str = "cpu") -> Linker:
        """Open a release bundle.

        root: the folder that relative paths of frozen models start from. device: a torch device.
        Raises: ArtifactError if the bundle is absent, damaged or made with another tokenizer; BackboneError if a frozen
        model can't be had; ShapeError if the mapper is of another width.
        """
        bundle = read_bundle(Path(path))
        settings = dataclasses.replace(bundle.settings, backbone=rooted(bundle.settings.backbone, Path(root)))
        names = settings.backbone.llm
        llm = load_llm(names.model, names.revision, dtype=names.dtype, device=device)
        _check_tokenizer(Path(path), bundle, llm)
        if settings.backbone.notice:
            warnings.warn(settings.backbone.notice, stacklevel=2)
        chosen = settings.demonstrations
        corpus = corpus_of(bundle.demonstrations)
        scorer = make_scorer(chosen.method, corpus.mentions, seed=chosen.seed, encoder=chosen.encoder, device=device)
        vision = settings.backbone.vision
        encoder = load_encoder(vision.model, vision.pretrained, device)
        answerer = Answerer(
            llm=llm,
            mapper=load_mapper(bundle.mapper, vision_dim=encoder.width, llm_dim=llm.width),
            catalog=bundle.catalog,
            trie=bundle.trie,
            book=DemonstrationBook(bundle.demonstrations, llm.encode),
            vectors=bundle.vectors,
            settings=settings,
        )
        return cls(answerer, Chooser(corpus, scorer, chosen.count).choose, encoder)

    def link(self, posts: Sequence[Post]) -> list[Link]:
        """Link every mention of some posts, in order.

        A post without an image, or with one that can't be read, is linked by its text; the link says so.
        Raises: RequestError if a text or a mention is empty, or a mention is too long for the LLM.
        """
        return list(self.link_stream(posts))

    def link_stream(self, posts: Iterable[Post], posts_at_once: int = 32) -> Iterator[Link]:
        """Link posts as they come, a batch at a time."""
        coming = iter(posts)
        while some := tuple(islice(coming, posts_at_once)):
            for post in some:
                check_post(post)
            sights = self._read_images(some)
            queries, heads = [], []
            for post, (vector, status) in zip(some, sights, strict=True):
                for mention in post.mentions:
                    rows = self._choose(mention.text, post.text)
                    queries.append(Query(mention, post.text, rows, vector))
                    heads.append((post, mention, status))
            for (post, mention, status), answer in zip(heads, self._answerer.answer(queries), strict=True):
                yield Link(post.post_id, mention, answer.candidates, status, _notes(post, mention, answer))

    def _read_images(self, posts: Sequence[Post]) -> list[tuple[Vectors | None, str]]:
        """The vector of each post's image and how reading it went."""
        images, places, statuses = [], [], ["none"] * len(posts)
        for place, post in enumerate(posts):
            if post.image is None:
                continue
            try:
                images.append(read_image(post.image))
            except ImageError as error:
                statuses[place] = f"unreadable: {error}"
            else:
                places.append(place)
                statuses[place] = "read"
        encoded = dict(zip(places, self._encoder.encode(images), strict=True)) if images else {}
        return [(encoded.get(place), status) for place, status in enumerate(statuses)]


def rooted(backbone: BackboneSettings, root: Path) -> BackboneSettings:
    """The same models, with the paths of local ones starting from root."""
    llm, vision = backbone.llm.model, backbone.vision.model
    if (root / llm).is_dir():
        llm = str(root / llm)
    if vision.startswith("local-dir:"):
        vision = f"local-dir:{root / vision.removeprefix('local-dir:')}"
    return dataclasses.replace(
        backbone,
        llm=dataclasses.replace(backbone.llm, model=llm),
        vision=dataclasses.replace(backbone.vision, model=vision),
    )


def check_post(post: Post) -> None:
    """Refuse what can't be linked.

    Raises: RequestError, naming the post, if it has no text, no mention, an empty mention, or broken Unicode.
    """
    name = f"post {post.post_id!r}" if post.post_id else "the post"
    if not post.text.strip():
        raise RequestError(f"{name}: its text is empty; give the sentence that the mention stands in")
    if not post.mentions:
        raise RequestError(f"{name}: has no mention; say which string of the text to link")
    if any(not mention.text.strip() for mention in post.mentions):
        raise RequestError(f"{name}: a mention is empty; say which string of the text to link")
    try:
        "".join([post.text, *(mention.text for mention in post.mentions)]).encode()
    except UnicodeEncodeError:
        raise RequestError(f"{name}: holds a lone surrogate, which is no character; repair the encoding") from None


def _notes(post: Post, mention: Mention, answer: Answer) -> tuple[str, ...]:
    notes = []
    if mention.text not in post.text:
        notes.append(f"the mention {mention.text!r} does not occur in the text")
    if answer.left_out:
        notes.append(f"demonstrations left out, as the LLM's context has no room for them: {answer.left_out}")
    if answer.kept_characters is not None:
        kept = f"{answer.kept_characters} of {len(post.text)} characters"
        notes.append(f"the text was cut to {kept}, as the LLM's context has no room for more")
    return tuple(notes)


def _check_tokenizer(path: Path, bundle: Bundle, llm: FrozenLLM) -> None:
    used = tokenizer_fingerprint(llm.tokenizer)
    if bundle.tokenizer_fingerprint != used:
        raise ArtifactError(
            f"{path}: its trie was built for tokenizer {bundle.tokenizer_fingerprint[:12]}, the LLM "
            f"{bundle.settings.backbone.llm.model} uses {used[:12]}; run `dvc repro entity_trie release`"
        )
