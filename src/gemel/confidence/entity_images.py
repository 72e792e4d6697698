"""Images of entities: how like an image is to those that the entity was shown with in solved mentions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Vector = npt.NDArray[np.float32]
Likeness = npt.NDArray[np.float64]


class EntityImages:
    """The mean image of each entity among solved mentions."""

    def __init__(self, solved: pl.DataFrame, vectors: Mapping[str, Vector]) -> None:
        """solved: with entity_id and image_sha256, as the corpus of demonstrations. vectors: by image SHA-256."""
        shown = solved.select("entity_id", "image_sha256").drop_nulls().rows()
        self._units: dict[str, npt.NDArray[np.float64]] = {}
        if not shown:
            return
        images = np.array([vectors[sha256] for _, sha256 in shown], dtype=np.float64)
        # An encoder's vectors point much the same way; less their mean, they tell images apart.
        self._mean = images.mean(axis=0)
        of_entity: dict[str, list[int]] = {}
        for row, (entity_id, _) in enumerate(shown):
            of_entity.setdefault(entity_id, []).append(row)
        self._units = {
            entity_id: _unit(images[rows].mean(axis=0) - self._mean) for entity_id, rows in of_entity.items()
        }

    def likeness(self, entity_ids: Sequence[str], image: Vector | None) -> Likeness:
        """Cosine of an image and the mean image of each entity; NaN where either isn't there.

        image: its vector (vision_dim,). Returns: (entities,).
        """
        found = np.full(len(entity_ids), np.nan)
        known = [place for place, entity_id in enumerate(entity_ids) if entity_id in self._units]
        if image is not None and known:
            asked = _unit(image.astype(np.float64) - self._mean)
            found[known] = np.array([self._units[entity_ids[place]] for place in known]) @ asked
        return found


def _unit(vector: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector
