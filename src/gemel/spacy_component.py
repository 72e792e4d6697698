"""The spaCy pipeline component "gemel": links the entities that a pipeline found, with the document's image.

`nlp.add_pipe("gemel", config={"release": "artifacts/release"})`, after what sets doc.ents. The path of the image goes
into `doc._.image`; the id of the entity comes out in `ent.kb_id_`, "NIL" where the catalog lacks it, as spaCy's own
linker has it; all candidates in `ent._.gemel_candidates`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

from spacy.language import Language
from spacy.tokens import Doc, Span
from spacy.util import minibatch

from gemel.core.schema import Link, Mention, Post
from gemel.core.settings import RuntimeSettings
from gemel.predictor import Linker

NIL = "NIL"
# Documents that are linked together, where the caller names no number.
AT_ONCE = 64

if not Doc.has_extension("image"):
    Doc.set_extension("image", default=None)
if not Span.has_extension("gemel_candidates"):
    Span.set_extension("gemel_candidates", default=None)


class GemelComponent:
    """Fills kb_id_ and gemel_candidates of each entity of a document; the spans and their labels stay as they are."""

    def __init__(self, linker: Linker, candidates: int | None) -> None:
        """candidates: that are wanted of each entity; None: as many as the release searches for."""
        self._linker, self._candidates = linker, candidates

    def __call__(self, doc: Doc) -> Doc:
        """Link the entities of one document."""
        (linked,) = self.pipe([doc])
        return linked

    def pipe(self, docs: Iterable[Doc], *, batch_size: int = AT_ONCE) -> Iterator[Doc]:
        """Link documents, some at a time, in their order; those without entities pass through.

        Raises: RequestError if an entity is too long for the LLM, or nothing but white space.
        """
        for batch in minibatch(docs, batch_size):
            with_entities = [doc for doc in batch if doc.ents]
            links = iter(self._linker.link([_post(doc) for doc in with_entities], self._candidates))
            for doc in with_entities:
                for entity in doc.ents:
                    _fill(entity, next(links))
            yield from batch


@Language.factory(  # type: ignore[untyped-decorator]
    "gemel",
    assigns=["doc.ents", "token.ent_kb_id", "span._.gemel_candidates"],
    requires=["doc.ents"],
    default_config={"release": "artifacts/release", "root": ".", "device": "auto", "candidates": None},
)
def make_linker(
    nlp: Language, name: str, release: str, root: str, device: str, candidates: int | None
) -> GemelComponent:
    """Make the component; its settings are those of the pipeline's config, so that spaCy saves and restores them.

    release: folder of the release bundle. root: the folder that its paths of local models start from. device: auto,
    cpu, cuda, ….
    Raises: what Linker.load raises.
    """
    del nlp, name
    linker = Linker.load(Path(release), root=Path(root), device=RuntimeSettings(device).torch_device)
    return GemelComponent(linker, candidates)


def _post(doc: Doc) -> Post:
    mentions = tuple(Mention(entity.text, entity.start_char, entity.end_char) for entity in doc.ents)
    return Post(doc.text, mentions, None if doc._.image is None else Path(doc._.image))


def _fill(entity: Span, link: Link) -> None:
    # doc.ents are made anew of the tokens at each look.
    entity_id = NIL if link.answer is None else link.answer.entity_id
    for token in entity:
        token.ent_kb_id_ = entity_id
    entity._.gemel_candidates = [dataclasses.asdict(candidate) for candidate in link.candidates]
