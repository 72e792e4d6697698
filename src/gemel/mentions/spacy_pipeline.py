"""Mentions by the named entities of a spaCy pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gemel.core.errors import BackboneError, RequestError
from gemel.core.schema import Mention

if TYPE_CHECKING:
    from spacy.language import Language

# Labels of OntoNotes that are no names: of dates and of numbers.
NO_NAMES = frozenset(("CARDINAL", "DATE", "MONEY", "ORDINAL", "PERCENT", "QUANTITY", "TIME"))


class SpacyFinder:
    """Finds what a pipeline calls an entity, dates and numbers left out."""

    def __init__(self, model: str) -> None:
        """model: the name of an installed pipeline, or the folder of one.

        Raises: BackboneError if spaCy is not installed, there is no such pipeline, or it finds no entities.
        """
        self._nlp = _load(model)
        finds = [name for name in self._nlp.pipe_names if "doc.ents" in self._nlp.get_pipe_meta(name).assigns]
        if not finds:
            raise BackboneError(
                f"spaCy pipeline {model!r}: has {self._nlp.pipe_names or 'no component'} and none that finds entities; "
                "give one with a component `ner`, e.g. en_core_web_sm"
            )

    def find(self, text: str) -> tuple[Mention, ...]:
        """The entities of a text.

        Raises: RequestError if the text is longer than the pipeline reads.
        """
        if len(text) > self._nlp.max_length:
            raise RequestError(
                f"a text of {len(text)} characters: the spaCy pipeline reads {self._nlp.max_length} at most; cut the "
                "text, or use --mentions auto"
            )
        return tuple(
            Mention(entity.text, entity.start_char, entity.end_char)
            for entity in self._nlp(text).ents
            if entity.label_ not in NO_NAMES and entity.text.strip()
        )


def _load(model: str) -> Language:
    try:
        import spacy
    except ImportError:
        raise BackboneError(f"--mentions spacy:{model} needs spaCy; run `pip install 'gemel[spacy]'`") from None
    try:
        return spacy.load(model)
    except (OSError, ValueError) as error:
        raise BackboneError(
            f"spaCy pipeline {model!r}: can't be loaded ({error}); install it with `python -m spacy download {model}`, "
            "or give the folder of one"
        ) from error
