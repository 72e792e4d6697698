"""The baselines that need the posts' tables alone: no image, no mapper, no LLM."""

from __future__ import annotations

from collections.abc import Callable

from gemel.baselines.dense import DenseEntities
from gemel.baselines.names import Bm25Names, ExactName
from gemel.baselines.prior import Prior
from gemel.baselines.ranking import Baseline
from gemel.posts.tables import Tables
from gemel.retrieval.encoder import Embed

TextBuilder = Callable[[Tables, Callable[[], Embed], int], Baseline]
TEXT_BASELINES: dict[str, TextBuilder] = {
    "exact_name": lambda tables, _, top: ExactName(tables.entities, tables.names, top),
    "prior": lambda tables, _, top: Prior(tables.mentions, tables.entities, top),
    "bm25_names": lambda tables, _, top: Bm25Names(tables.entities, tables.names, top),
    "dense": lambda tables, load, top: DenseEntities(tables.entities, load(), top),
}
