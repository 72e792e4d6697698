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
from gemel.core.errors import ArtifactError, ImageError, RequestError, ShapeError
from gemel.core.images import read_image
from gemel.core.schema import Candidate, Link, Mention, Post
from gemel.core.settings import TOKENS_AT_ONCE, BackboneSettings, LinkerSettings
from gemel.entities.catalog import Catalog
from gemel.entities.choices import Choices
from gemel.entities.subset import TrieSubset
from gemel.entities.trie import PackedTrie
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.tower import Vectors
from gemel.llm.backbone import FrozenLLM, load_llm
from gemel.llm.search import BeamSearch, Hypotheses
from gemel.llm.segments import Prompt, Segment
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.mapper import LinearMapper, load_mapper
from gemel.retrieval.choice import Chooser
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.demonstrations import DemonstrationBook, corpus_of
from gemel.tasks.linking.prompt import Prefix, build_prompt, query_segment

Sight = Literal["image", "caption", "nothing"]
IMAGES_AT_ONCE = 32


@dataclass(frozen=True)
class Query:
    """One mention, ready to link.

    vector: its image's vision vector (vision_dim,), or None. caption: a gold caption, for the upper bound.
    demonstrations: rows of the book, the most relevant first. among: the names to choose among; None: all.
    """

    mention: str
    text: str
    demonstrations: tuple[int, ...]
    vector: Vectors | None = None
    caption: str | None = None
    among: TrieSubset | None = None


@dataclass(frozen=True)
class Answer:
    """The candidates for one query, best first.

    left_out: how many demonstrations, the least relevant ones, the LLM's context had no room for.
    """

    candidates: tuple[Candidate, ...]
    left_out: int = 0


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
        tokens_at_once: int = TOKENS_AT_ONCE,
    ) -> None:
        """vectors: image SHA-256 -> vision vector, for the images of the book. tokens_at_once: see RuntimeSettings.

        Raises: ShapeError if the trie's longest name leaves no room for a prompt in the LLM's context.
        """
        self._llm, self._mapper, self._catalog = llm, mapper.to(llm.model.device), catalog
        self._book, self._vectors, self._settings = book, vectors, settings
        self.choices = Choices(catalog, trie)
        self._search = BeamSearch(
            llm.model,
            trie,
            eos_token_id=llm.eos_token_id,
            num_beams=settings.num_beams,
            tokens_at_once=tokens_at_once,
        )
        bos = llm.leading_ids(settings.backbone.llm.leading_bos)
        self._leading = (Segment(bos),) if bos else ()
        # The last token of a name is never read.
        self._room = llm.context - len(bos) - (trie.depth - 1)
        if self._room < 1:
            raise ShapeError(
                f"names of up to {trie.depth - 1} tokens leave no room for a prompt in the LLM's {llm.context} "
                "positions; shorten the longest names of the catalog, or choose another LLM"
            )

    def answer(self, queries: Sequence[Query], sight: Sight = "image", results: int | None = None) -> list[Answer]:
        """Answer each query. Those with the same demonstrations have them read once.

        sight: what stands before each segment: soft tokens of its image, its gold caption, or nothing. results:
        candidates that are wanted, at most num_beams, which is the default.
        Raises: ShapeError if a query alone is too long for the LLM.
        """
        with torch.inference_mode():
            soft = self._soft_tokens(queries) if sight == "image" else {}
        segments = [self._segments(query, sight, soft) for query in queries]
        found = self._search.find(
            self._prompts(queries, segments), among=[query.among for query in queries], results=results
        )
        return [
            Answer(self._candidates(hypotheses), len(query.demonstrations) + 1 - len(parts))
            for hypotheses, query, parts in zip(found, queries, segments, strict=True)
        ]

    def _prompts(self, queries: Sequence[Query], segments: Sequence[tuple[Segment, ...]]) -> list[Prompt]:
        """Prompts that hold one and the same context where the same demonstrations are shown."""
        contexts: dict[tuple[object, ...], tuple[Segment, ...]] = {}
        prompts = []
        for query, (*shown, asked) in zip(queries, segments, strict=True):
            context = contexts.setdefault((query.demonstrations, len(shown)), (*self._leading, *shown))
            prompts.append(Prompt((asked,), context))
        return prompts

    def _segments(self, query: Query, sight: Sight, soft: Mapping[object, Tensor]) -> tuple[Segment, ...]:
        rows = query.demonstrations
        shown = [
            self._book.segment(row, self._prefix(sight, self._book.images[row], self._book.captions[row], soft))
            for row in rows
        ]
        image = None if query.vector is None else id(query.vector)
        prefix = self._prefix(sight, image, query.caption, soft)
        asked = query_segment(query.text, query.mention, prefix, self._llm.encode)
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
    def load(
        cls, path: Path | str, *, root: Path | str = ".", device: str = "cpu", tokens_at_once: int = TOKENS_AT_ONCE
    ) -> Linker:
        """Open a release bundle.

        root: the folder that relative paths of frozen models start from. device: a torch device. tokens_at_once: see
        RuntimeSettings.
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
            tokens_at_once=tokens_at_once,
        )
        return cls(answerer, Chooser(corpus, scorer, chosen.count).choose, encoder)

    def link(self, posts: Sequence[Post], results: int | None = None) -> list[Link]:
        """Link every mention of some posts, in order.

        A post without an image, or with one that can't be read, is linked by its text; the link says so.
        results: candidates that are wanted of each mention, at most num_beams, which is the default; probabilities are
        shares among those that come back.
        Raises: RequestError if a text or a mention is empty, or a mention is to be chosen among what isn't there.
        """
        return list(self.link_stream(posts, results=results))

    def link_stream(
        self, posts: Iterable[Post], posts_at_once: int = 256, results: int | None = None
    ) -> Iterator[Link]:
        """Link posts as they come, a batch at a time; equal mentions of a batch have their demonstrations read once."""
        coming = iter(posts)
        while some := tuple(islice(coming, posts_at_once)):
            for post in some:
                check_post(post)
            # Pictures are decoded a few at a time: a hundred large ones would take gigabytes.
            parts = (some[start : start + IMAGES_AT_ONCE] for start in range(0, len(some), IMAGES_AT_ONCE))
            sights = [sight for part in parts for sight in self._read_images(part)]
            queries, heads = [], []
            for post, (vector, status) in zip(some, sights, strict=True):
                for mention in post.mentions:
                    rows = self._choose(mention.text, post.text)
                    among = self._answerer.choices.among(mention.candidates, mention.entity_type)
                    queries.append(Query(mention.text, post.text, rows, vector, among=among))
                    heads.append((post, mention, status))
            answers = self._answerer.answer(queries, results=results)
            for (post, mention, status), answer in zip(heads, answers, strict=True):
                yield Link(post.post_id, mention, answer.candidates, status, _notes(post, mention, answer.left_out))

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


def _notes(post: Post, mention: Mention, left_out: int) -> tuple[str, ...]:
    notes = []
    if mention.text not in post.text:
        notes.append(f"the mention {mention.text!r} does not occur in the text")
    if left_out:
        notes.append(f"demonstrations left out, as the LLM's context has no room for them: {left_out}")
    return tuple(notes)


def _check_tokenizer(path: Path, bundle: Bundle, llm: FrozenLLM) -> None:
    used = tokenizer_fingerprint(llm.tokenizer)
    if bundle.tokenizer_fingerprint != used:
        raise ArtifactError(
            f"{path}: its trie was built for tokenizer {bundle.tokenizer_fingerprint[:12]}, the LLM "
            f"{bundle.settings.backbone.llm.model} uses {used[:12]}; run `dvc repro entity_trie release`"
        )
