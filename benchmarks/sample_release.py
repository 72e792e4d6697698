"""New posts of the sample world, and its linker, whose release can be exchanged; for benchmarks over `make repro`."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable
from pathlib import Path

from gemel.answerer import Answerer
from gemel.bundle import Bundle, read_bundle
from gemel.core.schema import Post
from gemel.features.encoder import load_encoder
from gemel.llm.loading import load_llm
from gemel.mapper.mapper import load_mapper
from gemel.posts.requests import parse_request
from gemel.predictor import Linker
from gemel.retrieval.choice import Chooser
from gemel.retrieval.scorers import make_scorer
from gemel.tasks.linking.demonstrations import DemonstrationBook, corpus_of
from sample.dataset import Draft, write_post
from sample.world import Inhabitant


class NewPosts:
    """Draws posts as the data set's were drawn, from another seed; never a text of the data set, never one twice."""

    def __init__(self, folder: Path, taken: Iterable[str], seed: int) -> None:
        """folder: for the pictures. taken: texts of the data set."""
        (folder / "images").mkdir(parents=True)
        self._folder, self._texts, self._rng, self._count = folder, set(taken), random.Random(seed), 0

    def of(self, who: Iterable[Inhabitant]) -> list[Post]:
        """A post about each; the gold entity is the mention's."""
        posts = []
        for one in who:
            draft = Draft(one.mention, one.kind, one)
            row = write_post(self._count, "test", draft, self._texts, self._folder, self._rng)
            posts.append(parse_request(row, str(row["id"]), self._folder))
            self._count += 1
        return posts

    def by_popularity(self, who: list[Inhabitant], count: int) -> list[Post]:
        """Posts about some of them, the better known ones more often."""
        return self.of(self._rng.choices(who, [one.popularity for one in who], k=count))


class FrozenModels:
    """The frozen models of a release, loaded once."""

    def __init__(self, bundle: Bundle) -> None:
        backbone = bundle.settings.backbone
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self.llm = load_llm(backbone.llm)
        self.encoder = load_encoder(backbone.vision.model, backbone.vision.pretrained)

    def linker(self, release: Path) -> Linker:
        """A linker of the release that lies there now."""
        bundle, llm = read_bundle(release), self.llm
        settings = bundle.settings
        chosen, corpus = settings.demonstrations, corpus_of(bundle.demonstrations)
        answerer = Answerer(
            llm=llm,
            mapper=load_mapper(bundle.mapper, vision_dim=self.encoder.width, llm_dim=llm.width),
            catalog=bundle.catalog,
            trie=bundle.trie,
            book=DemonstrationBook(bundle.demonstrations, llm.encode, settings.prompt.names),
            vectors=bundle.vectors,
            settings=settings,
        )
        scorer = make_scorer(chosen.method, corpus.mentions, seed=chosen.seed, encoder=chosen.encoder, device="cpu")
        return Linker(answerer, Chooser(corpus, scorer, chosen.count), self.encoder)
