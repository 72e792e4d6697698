"""The one inference path: the command line, evaluation and the service all link through here."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from gemel.answerer import Answer, Answerer, Query
from gemel.bundle import Bundle, Stamp, read_whole, stamp_of
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import CANDIDATES
from gemel.confidence.judge import Judge, Judgement
from gemel.core.errors import ArtifactError, ImageError, RequestError
from gemel.core.images import read_image
from gemel.core.schema import Explanation, Link, Mention, Post
from gemel.core.settings import TOKENS_AT_ONCE, BackboneSettings
from gemel.entities.subset import TrieSubset
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.tower import Vectors
from gemel.frozen import LLM, VISION, FrozenModel, check_frozen
from gemel.llm.backbone import FrozenLLM
from gemel.llm.loading import load_llm
from gemel.llm.tokens import tokenizer_fingerprint
from gemel.mapper.mapper import load_mapper
from gemel.retrieval.choice import Chooser
from gemel.tasks.linking.demonstrations import DemonstrationBook, make_chooser

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGES_AT_ONCE = 32


@dataclass(frozen=True)
class Models:
    """The frozen models, which outlive a release.

    root: the folder that relative paths of models start from. backbone: their settings, with paths from root.
    device: a torch device. tokens_at_once: see RuntimeSettings. kept_bytes: see BeamSearch. recorded: as the release
    has them that they were loaded for.
    """

    root: Path
    backbone: BackboneSettings
    llm: FrozenLLM
    encoder: VisionEncoder
    device: str
    tokens_at_once: int
    kept_bytes: int = 0
    recorded: Mapping[str, FrozenModel] = field(default_factory=dict)


@dataclass(frozen=True)
class Opened:
    """All that comes from one release; a call to link uses one from its start to its end.

    bundle: what it was made from. chooser: its corpus is the answerer's book. judge: None for shares within the beam as
    probabilities. stamp: which release it is.
    """

    bundle: Bundle
    answerer: Answerer
    chooser: Chooser
    judge: Judge | None
    stamp: Stamp

    def link(self, asked: _Asked, answer: Answer, results: int | None) -> Link:
        """The link of a mention, its candidates with their chances."""
        found = Judgement(answer.candidates, nil_probability=0.0, nil=False, sure=False)
        if self.judge is not None:
            found = self.judge.judge(answer.candidates, asked.query.vector)
        return Link(
            asked.post.post_id,
            asked.query.mention,
            found.candidates[:results],
            asked.image,
            _notes(asked.post, asked.query.mention, answer),
            found.nil_probability,
            found.nil,
            found.sure,
        )


@dataclass(frozen=True)
class _Asked:
    """A mention of a post as a query. image: how reading the post's went, as in Link."""

    post: Post
    image: str
    query: Query


class Linker:
    """Links the mentions of posts. Make one with `Linker.load`. Threads may share it.

    opened: what comes from the release in use; another one may take its place at any time.
    """

    def __init__(self, path: Path, models: Models, opened: Opened, *, watch: bool) -> None:
        """path: of the release, which watch has looked at whenever something is to be linked."""
        self._path, self._models, self.opened, self._watch = path, models, opened, watch
        self._refused: Stamp | None = None
        self._refreshing = Lock()

    @classmethod
    def load(
        cls,
        path: Path | str,
        *,
        root: Path | str = ".",
        device: str = "cpu",
        tokens_at_once: int = TOKENS_AT_ONCE,
        watch: bool = False,
        kept_bytes: int = 0,
    ) -> Linker:
        """Open a release bundle.

        root: the folder that relative paths of frozen models start from. device: a torch device. tokens_at_once: see
        RuntimeSettings. watch: take up a new release in the same folder when next something is to be linked.
        kept_bytes: for what was read of demonstrations that come again, see BeamSearch; a new release starts anew.
        Raises: ArtifactError if the bundle is absent, damaged or made with another tokenizer or other files of a local
        frozen model; BackboneError if a frozen model can't be had; ShapeError if the mapper is of another width.
        """
        bundle, stamp = read_whole(Path(path))
        backbone = rooted(bundle.settings.backbone, Path(root))
        if not bundle.embedded:
            # An embedded model is a file of the bundle, and hashed as such.
            check_frozen(Path(path), bundle.models, dataclasses.replace(bundle.settings, backbone=backbone))
        llm = load_llm(backbone.llm, device)
        _check_tokenizer(Path(path), bundle, llm)
        if backbone.notice:
            warnings.warn(backbone.notice, stacklevel=2)
        encoder = load_encoder(backbone.vision.model, backbone.vision.pretrained, device)
        models = Models(Path(root), backbone, llm, encoder, device, tokens_at_once, kept_bytes, bundle.models)
        return cls(Path(path), models, _opened(bundle, stamp, models), watch=watch)

    def refresh(self) -> bool:
        """Take up the release that now lies in the folder, if it is another one. The frozen models stay.

        What is being linked goes on with the release that it began with. A release that is damaged, or made for other
        frozen models, is refused with a warning, and the present one stays in use; so it does while the folder is
        absent, and while another thread takes up the new one.
        Returns: whether another release is in use now.
        """
        stamp = stamp_of(self._path)
        if stamp is None or stamp in (self.opened.stamp, self._refused):
            return False
        if not self._refreshing.acquire(blocking=False):
            return False
        try:
            self.opened = self.prepare(self._path)
        # Whatever is wrong with another release: no request may fail for it.
        except Exception as error:
            self._refused = stamp
            warnings.warn(f"the new release is not taken up, the former one stays in use: {error}", stacklevel=2)
            return False
        finally:
            self._refreshing.release()
        return True

    def prepare(self, path: Path, amend: Callable[[Bundle], Bundle] | None = None) -> Opened:
        """Open another release beside the one in use, with the same frozen models, and link a mention with it.

        To use it from then on, assign it to `opened`. amend: gives the bundle with what is to be otherwise.
        Raises: ArtifactError if it is absent, damaged, or made for other frozen models or another tokenizer; ShapeError
        if its mapper is of another width; BackboneError if the mention can't be linked.
        """
        bundle, stamp = read_whole(path)
        _check_backbone(path, bundle, self._models)
        _check_tokenizer(path, bundle, self._models.llm)
        opened = _opened(bundle if amend is None else amend(bundle), stamp, self._models)
        self._try_out(opened)
        return opened

    def preprocess(self, picture: Image) -> Tensor:
        """A decoded picture as the vision encoder reads it, (3, height, width): some hundred kilobytes."""
        return self._models.encoder.preprocess(picture)

    def encode(self, pictures: Sequence[Image]) -> list[Vectors]:
        """Vision vectors of decoded pictures, (vision_dim,) each."""
        return self.encode_pixels([self.preprocess(picture) for picture in pictures])

    def encode_pixels(self, pixels: Sequence[Tensor]) -> list[Vectors]:
        """Vision vectors of preprocessed pictures, (vision_dim,) each."""
        return list(self._models.encoder.encode_pixels(torch.stack(list(pixels)))) if pixels else []

    def _try_out(self, opened: Opened) -> None:
        """Link a mention with what a release holds, soft tokens and all."""
        name = opened.bundle.catalog.at(0).name
        (asked,) = self._ask(opened, [Post(name, (Mention(name),))])
        vector = next(iter(opened.bundle.vectors.values()), None)
        opened.answerer.answer([dataclasses.replace(asked.query, vector=vector)])

    def link(self, posts: Sequence[Post], results: int | None = None) -> list[Link]:
        """Link every mention of some posts, in order.

        A post without an image, or with one that can't be read, is linked by its text; the link says so.
        results: candidates that are wanted of each mention, at most num_beams, which is the default.
        Raises: RequestError if a text or a mention is empty, a mention is too long for the LLM, or it is to be chosen
        among what isn't there.
        """
        return list(self.link_stream(posts, results=results))

    def link_stream(
        self, posts: Iterable[Post], posts_at_once: int = 256, results: int | None = None
    ) -> Iterator[Link]:
        """Link posts as they come, a batch at a time; equal mentions of a batch have their demonstrations read once."""
        opened = self._latest()
        coming = iter(posts)
        while some := tuple(islice(coming, posts_at_once)):
            yield from self._link_some(opened, some, results)

    def explain(self, post: Post, results: int | None = None) -> list[Explanation]:
        """Link every mention of a post, and say why it was linked so. results, Raises: as link has them."""
        opened = self._latest()
        return [_explain(opened, asked, results) for asked in self._ask(opened, [post])]

    def _latest(self) -> Opened:
        """The release to use for what is to be linked now."""
        if self._watch:
            self.refresh()
        return self.opened

    def _link_some(self, opened: Opened, posts: Sequence[Post], results: int | None) -> Iterator[Link]:
        asked = self._ask(opened, posts)
        # A judgement needs more than the best candidate.
        searched = results if results is None or opened.judge is None else max(results, CANDIDATES)
        answers = opened.answerer.answer([each.query for each in asked], results=searched)
        for each, answer in zip(asked, answers, strict=True):
            yield opened.link(each, answer, results)

    def _ask(self, opened: Opened, posts: Sequence[Post]) -> list[_Asked]:
        for post in posts:
            check_post(post)
        # Pictures are decoded a few at a time: a hundred large ones would take gigabytes.
        parts = (posts[start : start + IMAGES_AT_ONCE] for start in range(0, len(posts), IMAGES_AT_ONCE))
        sights = [sight for part in parts for sight in self._read_images(part)]
        asked = [
            (post, mention, *sight) for post, sight in zip(posts, sights, strict=True) for mention in post.mentions
        ]
        chosen = opened.chooser.choose_all(
            [mention.text for _, mention, *_ in asked],
            [post.text for post, *_ in asked],
            [vector for _, _, vector, _ in asked],
        )
        return [
            _Asked(post, status, Query(mention, post.text, rows, vector, among=_among(opened, post, mention)))
            for (post, mention, vector, status), rows in zip(asked, chosen, strict=True)
        ]

    def _read_images(self, posts: Sequence[Post]) -> list[tuple[Vectors | None, str]]:
        """The vector of each post's image and how reading it went."""
        vectors: dict[int, Vectors] = {}
        pictures, statuses = {}, ["none"] * len(posts)
        for place, post in enumerate(posts):
            try:
                picture = _picture(post)
            except ImageError as error:
                statuses[place] = f"unreadable: {error}"
                continue
            if isinstance(picture, np.ndarray):
                vectors[place] = picture
            elif picture is not None:
                pictures[place] = picture
            statuses[place] = "none" if picture is None else "read"
        vectors |= dict(zip(pictures, self.encode(list(pictures.values())), strict=True))
        return [(vectors.get(place), status) for place, status in enumerate(statuses)]


def _opened(bundle: Bundle, stamp: Stamp, models: Models) -> Opened:
    settings = dataclasses.replace(bundle.settings, backbone=models.backbone)
    llm, images = models.llm, EntityImages(bundle.demonstrations, bundle.vectors)
    answerer = Answerer(
        llm=llm,
        mapper=load_mapper(bundle.mapper, vision_dim=models.encoder.width, llm_dim=llm.width),
        catalog=bundle.catalog,
        trie=bundle.trie,
        book=DemonstrationBook(bundle.demonstrations, llm.encode, settings.prompt.names),
        vectors=bundle.vectors,
        settings=settings,
        tokens_at_once=models.tokens_at_once,
        entity_images=images,
        kept_bytes=models.kept_bytes,
    )
    chooser = make_chooser(bundle.demonstrations, settings.demonstrations, bundle.vectors, device=models.device)
    judge = None if bundle.calibrator is None else Judge(bundle.calibrator, images)
    return Opened(bundle, answerer, chooser, judge, stamp)


def _explain(opened: Opened, asked: _Asked, results: int | None) -> Explanation:
    query, answerer = asked.query, opened.answerer
    (answer,) = answerer.answer([query])
    link = opened.link(asked, answer, results)
    alone, unseen = dataclasses.replace(query, demonstrations=()), dataclasses.replace(query, vector=None)
    best = dataclasses.replace(unseen, among=answerer.choices.among((link.best.entity_id,)))
    (blind, blind_best), (unaided,) = answerer.answer([unseen, best], "nothing"), answerer.answer([alone])
    return Explanation(
        link,
        blind.candidates[:results],
        unaided.candidates[:results],
        answerer.shown(query, answer),
        None if query.vector is None else blind_best.candidates[0].score,
    )


def _picture(post: Post) -> Image | Vectors | None:
    if post.picture is not None or post.image is None:
        return post.picture
    return read_image(post.image)


def _among(opened: Opened, post: Post, mention: Mention) -> TrieSubset | None:
    try:
        return opened.answerer.choices.among(mention.candidates, mention.entity_type)
    except RequestError as error:
        raise RequestError(f"{_title(post)}: {error}") from None


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


def _check_backbone(path: Path, bundle: Bundle, models: Models) -> None:
    """Refuse a release for other frozen models than are loaded. Files of equal content are equal, wherever they lie."""
    wanted, loaded = rooted(bundle.settings.backbone, models.root), models.backbone
    llm, vision = loaded.llm, loaded.vision
    # A sentence encoder comes with each release anew.
    for what in (LLM, VISION):
        new, old = bundle.models.get(what), models.recorded.get(what)
        if new is None or old is None or new.sha256 is None or old.sha256 is None:
            continue
        if new.sha256 != old.sha256:
            raise ArtifactError(f"{path}: made for other files of {new.name} than were loaded; start the linker anew")
        if what == LLM:
            llm = dataclasses.replace(llm, model=wanted.llm.model, revision=wanted.llm.revision)
        else:
            vision = wanted.vision
    if (wanted.llm, wanted.vision) != (llm, vision):
        raise ArtifactError(
            f"{path}: made for the LLM {wanted.llm.model} and the encoder {wanted.vision.model} with these settings, "
            f"loaded are {loaded.llm.model} and {loaded.vision.model}; start the linker anew"
        )


def _check_tokenizer(path: Path, bundle: Bundle, llm: FrozenLLM) -> None:
    used = tokenizer_fingerprint(llm.tokenizer)
    if bundle.tokenizer_fingerprint != used:
        raise ArtifactError(
            f"{path}: its trie was built for tokenizer {bundle.tokenizer_fingerprint[:12]}, the LLM "
            f"{bundle.settings.backbone.llm.model} uses {used[:12]}; run `dvc repro entity_trie release`"
        )
