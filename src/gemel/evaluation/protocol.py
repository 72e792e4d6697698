"""The protocol card: what a result stands on. Figures of two protocols can't be compared."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.core.errors import ArtifactError
from gemel.core.settings import DemonstrationSettings, EvaluationSettings, Rescoring
from gemel.evaluation.grading import Graded

PROTOCOL = "protocol.json"
Card = dict[str, str | int]

# What must agree for two runs to be comparable; the rest says how a result came about.
COMPARED = ("data set", "names", "names SHA-256", "graded by", "NIL policy", "candidates")
COMPARED_PREFIX = "graded mentions"


def protocol_card(
    mentions: Mapping[str, Graded],
    settings: EvaluationSettings,
    demonstrations: DemonstrationSettings,
    facts: Mapping[str, Mapping[str, Any]],
    seeds: list[int],
    rescoring: Rescoring | None,
) -> Card:
    """Sum up the protocol of a run, for people and for comparisons.

    mentions: by split. facts: of the artifacts posts, image_features, entity_trie and mapper, by stage. rescoring: of
    beams, where they are re-scored.
    """
    posts, images, trie, mapper = (facts[stage] for stage in ("posts", "image_features", "entity_trie", "mapper"))
    nil = "not graded, counted" if settings.graded_by == "id" else "not graded; gold outside the catalog is wrong"
    card: Card = {
        "data set": posts["dataset"],
        "source of the data": posts["source"],
        "source of the splits": posts["split_by"],
        "names": trie["names"],
        "names SHA-256": trie["names_sha256"],
        "candidates": "all names of the catalog, held to them by the trie",
        **({"aliases in the trie": trie["aliases"]} if "aliases" in trie else {}),
        "NIL policy": nil,
        "graded by": settings.graded_by,
    }
    for split, graded in mentions.items():
        missing = int(graded.table["image_sha256"].is_null().sum())
        card |= {
            f"graded mentions, {split}": graded.table.height,
            f"graded mentions SHA-256, {split}": _fingerprint(graded),
            f"mentions without an image, {split}": missing,
            f"NIL mentions, {split}": graded.nil,
            f"mentions outside the catalog, {split}": graded.out_of_kb,
        }
    llm = mapper["llm"]
    return card | {
        "LLM": llm["model"],
        "LLM revision": mapper.get("llm_commit") or llm["revision"] or "local files",
        "LLM dtype and weights": f"{llm['dtype']}, {llm['weights']}",
        "tokenizer": trie["tokenizer"],
        "vision encoder": images["encoder"],
        "vision encoder fingerprint": images["encoder_fingerprint"],
        "demonstrations": _choice(demonstrations),
        "beams": settings.num_beams,
        "re-scored by": "nothing" if rescoring is None else "images of the entities, fitted on dev",
        "mapper seeds": ", ".join(map(str, seeds)),
    }


def _choice(settings: DemonstrationSettings) -> str:
    """How demonstrations are chosen; what is as it mostly is goes without saying. The method comes last."""
    words = {
        "found by mention and text": settings.query == "mention_and_text",
        f"images weigh {settings.image_weight:g}": settings.image_weight > 0,
        "most relevant first": settings.order == "reverse",
        "in corpus order among equals": settings.diversity == "none",
        "one of each entity": settings.diversity == "one_each",
    }
    return f"{', '.join([str(settings.count), *(word for word, said in words.items() if said)])} by {settings.method}"


def read_card(folder: Path) -> Card:
    """Read the card of an evaluation.

    Raises: ArtifactError if it is absent or damaged.
    """
    path = folder / PROTOCOL
    try:
        card: Card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path}: unreadable ({error}); run `dvc repro evaluation`") from error
    return card


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What makes two runs incomparable: the entries that differ, of both."""
    keys = [key for key in {**first, **second} if key in COMPARED or key.startswith(COMPARED_PREFIX)]
    return {key: (first.get(key), second.get(key)) for key in keys if first.get(key) != second.get(key)}


def _fingerprint(graded: Graded) -> str:
    rows = graded.table.select("mention_id", "mention", "text", "entity_id", "image_sha256").rows()
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode()).hexdigest()
