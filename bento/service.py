"""The HTTP service, a thin class over gemel.predictor: `bentoml serve bento.service:Gemel`.

curl -F text="Great shot of the Jaguar this morning" -F mention=Jaguar -F image=@jaguar.jpg localhost:3000/link
"""

from __future__ import annotations

from pathlib import Path

import bentoml
from bentoml.exceptions import InvalidArgument
from pydantic import BaseModel

from bento.link_request import LinkRequest
from bento.release_store import find_release
from gemel.core.errors import ImageError, RequestError
from gemel.core.images import decode_image
from gemel.core.schema import Link, Mention, Post
from gemel.core.settings import RuntimeSettings
from gemel.links import link_row

ROOT = Path(__file__).resolve().parents[1]


class Answer(BaseModel):
    """An entity. score: mean log-probability per token. probability: the chance that it is the one meant."""

    entity_id: str
    name: str
    score: float
    probability: float


class LinkAnswer(BaseModel):
    """The entity that a mention stands for, and those that came next.

    nil: whether the answer is that the catalog lacks the entity; entity_id, name, score and probability are null then,
    and what it would have been comes first among the runners-up. nil_probability: the chance of that. sure:
    whether links as probable had the wanted precision on dev.
    image: "read" if the image was used, "none" if there was none. notes: what may be wrong with the request.
    """

    entity_id: str | None
    name: str | None
    score: float | None
    probability: float | None
    nil: bool
    nil_probability: float
    sure: bool
    runners_up: list[Answer]
    image: str
    notes: list[str]


# Loopback: whoever opens it to a network says so, with `--host`.
@bentoml.service(traffic={"timeout": 60, "max_concurrency": 64}, http={"host": "127.0.0.1", "port": 3000}, workers=1)
class Gemel:
    """Links mentions in image-text posts to the entities of a knowledge base."""

    def __init__(self) -> None:
        from gemel.predictor import Linker

        self._linker = Linker.load(find_release(ROOT), root=ROOT, device=RuntimeSettings().torch_device)

    @bentoml.api(input_spec=LinkRequest)
    def link(self, text: str, mention: str, image: Path | None = None) -> LinkAnswer:
        """Link one mention of a post.

        Raises: InvalidArgument (status 400) if the text or the mention is empty, or the image can't be decoded.
        """
        try:
            if image is not None:
                # Asked for with an image, an answer without it would be another question's.
                decode_image(image.read_bytes(), "image")
            (found,) = self._linker.link([Post(text, (Mention(mention),), image)])
        except (ImageError, RequestError) as error:
            raise InvalidArgument(str(error)) from None
        return _answer(found)


def _answer(link: Link) -> LinkAnswer:
    row = link_row(link)
    return LinkAnswer(**{name: row[name] for name in LinkAnswer.model_fields})
