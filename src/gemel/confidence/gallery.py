"""Pictures of entities: how like an image is to those that the entity's solved mentions came with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float32]


class Gallery:
    """The directions in which the pictures of each entity lie, seen from the mean of all pictures."""

    def __init__(self, vectors: Mapping[str, Vector], shown: Iterable[tuple[str, str | None]]) -> None:
        """vectors: image SHA-256 -> vision vector (vision_dim,). shown: entity and image of each solved mention."""
        pairs = [(entity, sha256) for entity, sha256 in shown if sha256 is not None]
        self._places = {entity: place for place, entity in enumerate(dict.fromkeys(entity for entity, _ in pairs))}
        if not pairs:
            return
        pictures = np.stack([vectors[sha256] for _, sha256 in pairs]).astype(np.float32)
        self._centre = pictures.mean(axis=0)
        rows = np.array([self._places[entity] for entity, _ in pairs])
        sums = np.zeros((len(self._places), pictures.shape[1]), dtype=np.float32)
        np.add.at(sums, rows, _unit(pictures - self._centre))
        self._directions = sums / np.bincount(rows)[:, None]

    def likeness(self, vector: Vector, entity_ids: Sequence[str]) -> list[float | None]:
        """Mean cosine of an image to the pictures of each entity, -1 to 1; None for an entity without a picture.

        vector: the image's, (vision_dim,).
        """
        places = [self._places.get(entity) for entity in entity_ids]
        if all(place is None for place in places):
            return [None] * len(places)
        direction = _unit(vector - self._centre)
        return [None if place is None else float(self._directions[place] @ direction) for place in places]


def _unit(vectors: Vector) -> Vector:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Vector = vectors / np.maximum(lengths, 1e-12)
    return unit
