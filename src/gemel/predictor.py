"""The one inference path: the command line, evaluation and the service all link through here."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from gemel.answerer import Answer, Answerer, Query
from gemel.bundle import Bundle, read_bundle
from gemel.core.errors import ArtifactError, ImageError, RequestError
from gemel.core.images import read_image
from gemel.core.schema import Link, Mention, Post
from gemel.core.settings import TOKENS_AT_ONCE, BackboneSettings
from gemel.entities.subset import TrieSubset
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.tower import Vectors
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.mapper import load_mapper
from gemel.retrieval.choice import Chooser
from gemel.tasks.linking.demonstrations import DemonstrationBook, make_chooser
from gemel.tasks.linking.rescoring import EntityImages

IMAGES_AT_ONCE = 32


class Linker:
    """Links the mentions of posts. Make one with `Linker.load`."""

    def __init__(self, answerer: Answerer, chooser: Chooser, encoder: VisionEncoder) -> None:
        """chooser: its corpus is the answerer's book."""
        self._answerer, self._chooser, self._encoder = answerer, chooser, encoder

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
        llm = load_llm(settings.backbone.llm, device)
        _check_tokenizer(Path(path), bundle, llm)
        if settings.backbone.notice:
            warnings.warn(settings.backbone.notice, stacklevel=2)
        chooser = make_chooser(bundle.demonstrations, settings.demonstrations, bundle.vectors, device=device)
        vision = settings.backbone.vision
        encoder = load_encoder(vision.model, vision.pretrained, device)
        answerer = Answerer(
            llm=llm,
            mapper=load_mapper(bundle.mapper, vision_dim=encoder.width, llm_dim=llm.width),
            catalog=bundle.catalog,
            trie=bundle.trie,
            book=DemonstrationBook(bundle.demonstrations, llm.encode, settings.prompt.names),
            vectors=bundle.vectors,
            settings=settings,
            tokens_at_once=tokens_at_once,
            entity_images=EntityImages(bundle.demonstrations, bundle.vectors) if settings.rescoring else None,
        )
        return cls(answerer, chooser, encoder)

    def link(self, posts: Sequence[Post], results: int | None = None) -> list[Link]:
        """Link every mention of some posts, in order.

        A post without an image, or with one that can't be read, is linked by its text; the link says so.
        results: candidates that are wanted of each mention, at most num_beams, which is the default; probabilities are
        shares among those that come back.
        Raises: RequestError if a text or a mention is empty, a mention is too long for the LLM, or it is to be chosen
        among what isn't there.
        """
        return list(self.link_stream(posts, results=results))

    def link_stream(
        self, posts: Iterable[Post], posts_at_once: int = 256, results: int | None = None
    ) -> Iterator[Link]:
        """Link posts as they come, a batch at a time; equal mentions of a batch have their demonstrations read once."""
        coming = iter(posts)
        while some := tuple(islice(coming, posts_at_once)):
            yield from self._link_some(some, results)

    def _link_some(self, posts: Sequence[Post], results: int | None) -> Iterator[Link]:
        for post in posts:
            check_post(post)
        # Pictures are decoded a few at a time: a hundred large ones would take gigabytes.
        parts = (posts[start : start + IMAGES_AT_ONCE] for start in range(0, len(posts), IMAGES_AT_ONCE))
        sights = [sight for part in parts for sight in self._read_images(part)]
        asked = [
            (post, mention, *sight) for post, sight in zip(posts, sights, strict=True) for mention in post.mentions
        ]
        chosen = self._chooser.choose_all(
            [mention.text for _, mention, *_ in asked],
            [post.text for post, *_ in asked],
            [vector for _, _, vector, _ in asked],
        )
        queries = [
            Query(mention, post.text, rows, vector, among=self._among(post, mention))
            for (post, mention, vector, _), rows in zip(asked, chosen, strict=True)
        ]
        answers = self._answerer.answer(queries, results=results)
        for (post, mention, _, status), answer in zip(asked, answers, strict=True):
            yield Link(post.post_id, mention, answer.candidates, status, _notes(post, mention, answer))

    def _among(self, post: Post, mention: Mention) -> TrieSubset | None:
        try:
            return self._answerer.choices.among(mention.candidates, mention.entity_type)
        except RequestError as error:
            raise RequestError(f"{_title(post)}: {error}") from None

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
    family, local, folder = vision.partition("local-dir:")
    if local:
        vision = f"{family}{local}{root / folder}"
    return dataclasses.replace(
        backbone,
        llm=dataclasses.replace(backbone.llm, model=llm),
        vision=dataclasses.replace(backbone.vision, model=vision),
    )


def check_post(post: Post) -> None:
    """Refuse what can't be linked.

    Raises: RequestError, naming the post, if it has no text, no mention, an empty mention, or broken Unicode.
    """
    name = _title(post)
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


def _title(post: Post) -> str:
    return f"post {post.post_id!r}" if post.post_id else "the post"


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
