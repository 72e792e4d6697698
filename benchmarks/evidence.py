"""What tells whether a link is right: kinds of evidence against each other, each fitted on dev and tested on test.

`python -m benchmarks.evidence [--quick] [--json]`, over the artifacts of this project (`make repro`). Beside the
evidence in use: the probability mass that the LLM has outside the trie on the way to the name, and whether the text
alone gives the same answer, which takes a second search. --quick: one mapper.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.metrics import roc_auc_score

from benchmarks.output import show
from gemel.answerer import Answer, Answerer, Query, rescored_answer
from gemel.confidence.calibrator import NIL, RIGHT
from gemel.confidence.entity_images import EntityImages
from gemel.confidence.evidence import EVIDENCE
from gemel.core.config import load_section
from gemel.core.settings import ConfidenceSettings, DemonstrationSettings, EvaluationSettings
from gemel.entities.trie import ROOT, PackedTrie, read_trie
from gemel.evaluation.grading import Graded, graded, without_entity
from gemel.evaluation.judged import evidence_table, outcomes_of
from gemel.evaluation.predictions import prediction_table
from gemel.evaluation.trust import calibration_error
from gemel.evaluation.variants import predict, queries
from gemel.features.store import FeatureStore
from gemel.llm.backbone import FrozenLLM
from gemel.llm.segments import embed_segments
from gemel.posts.tables import Tables
from gemel.stages import DEMONSTRATIONS, ENTITY_TRIE, IMAGE_FEATURES, POSTS, RESCORING
from gemel.stages.answerers import load_frozen_llm, make_answerers
from gemel.stages.confidence import fit
from gemel.tasks.linking.demonstrations import read_chosen, read_corpus
from gemel.tasks.linking.rescoring import read_rescoring

SEEDS = (0, 1, 2)
AT_ONCE = 512
INSIDE, AGREES = "inside", "agrees"
SEARCH = ("score", "margin")
SETS: Mapping[str, tuple[str, ...]] = {
    "score and margin": SEARCH,
    "score, margin, mass outside the trie": (*SEARCH, INSIDE),
    "score, margin, agreement with the text alone": (*SEARCH, AGREES),
    "in use: score, margin, likeness of images": EVIDENCE,
    "in use, and mass outside the trie": (*EVIDENCE, INSIDE),
    "in use, and agreement with the text alone": (*EVIDENCE, AGREES),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seeds = SEEDS[:1] if arguments.quick else SEEDS
    table = _collect(seeds)
    figures: dict[str, Any] = {"mappers": len(seeds), "mentions": table.filter(pl.col("split") == "test").height}
    for words, pieces in SETS.items():
        figures |= {f"{words}: {name}": value for name, value in _measure(table, pieces).items()}
    show(figures, "What tells whether a link is right, on test", as_json=arguments.json)


def _measure(table: pl.DataFrame, pieces: Sequence[str]) -> dict[str, float]:
    """Fit as the stage does; figures of test."""
    settings = load_section("confidence", ConfidenceSettings)
    test = table.filter(pl.col("split") == "test")
    calibrator = fit(table.filter(pl.col("split") != "test"), settings, pieces)
    chances, truth = calibrator.chances(test.select(pieces).to_numpy()), outcomes_of(test)
    said, nil = calibrator.says_nil(chances), truth == NIL
    return {
        "AUC, right": float(roc_auc_score(truth == RIGHT, chances[:, RIGHT])),
        "AUC, NIL": float(roc_auc_score(nil, chances[:, NIL])),
        "calibration error": calibration_error(chances[:, RIGHT], (truth == RIGHT).astype(np.float64)),
        "NIL F1": float(2 * (said & nil).sum() / (said.sum() + nil.sum())),
    }


def _collect(seeds: Sequence[int]) -> pl.DataFrame:
    """Evidence of every mention of dev and test, and of the NIL mentions of train, with the two further pieces."""
    tables, method = Tables.read(POSTS), load_section("demonstrations", DemonstrationSettings).method
    beams = load_section("evaluation", EvaluationSettings).num_beams
    features, corpus, trie = FeatureStore(IMAGE_FEATURES), read_corpus(DEMONSTRATIONS), read_trie(ENTITY_TRIE)
    llm = load_frozen_llm()
    answerers = make_answerers(llm, seeds, beams)
    chosen, vector_of = read_chosen(DEMONSTRATIONS, method), features.vector_or_fallback("leave_out")
    images, rescoring = EntityImages(corpus, features), read_rescoring(RESCORING)
    found = []
    for split, rows in _mentions(tables):
        asked = queries(rows, chosen, vector_of)
        blind = _answers(answerers[seeds[0]], asked, "nothing")
        for seed in seeds:
            answers = _answers(answerers[seed], asked, "image")
            if rescoring is not None:
                answers = [
                    rescored_answer(answer, query, images, rescoring)
                    for answer, query in zip(answers, asked, strict=True)
                ]
            predictions = prediction_table(rows, split, "full", seed, answers)
            inside = [
                _inside(answerers[seed], query, answer, llm, trie) for query, answer in zip(asked, answers, strict=True)
            ]
            agrees = [
                float(one.candidates[0].entity_id == other.candidates[0].entity_id)
                for one, other in zip(answers, blind, strict=True)
            ]
            table = evidence_table(predictions, tables, images, features)
            found.append(table.with_columns(pl.Series(INSIDE, inside), pl.Series(AGREES, agrees)))
    return pl.concat(found)


def _mentions(tables: Tables) -> list[tuple[str, Graded]]:
    of = (tables.mentions, tables.posts)
    with_entity = [(split, graded(*of, split)) for split in ("dev", "test")]
    return with_entity + [(split, without_entity(*of, split)) for split in ("train", "dev", "test")]


def _answers(answerer: Answerer, asked: Sequence[Query], sight: Any) -> list[Answer]:
    found = dict(predict(answerer, asked, sight, AT_ONCE))
    return [found[place] for place in range(len(asked))]


@torch.inference_mode()
def _inside(answerer: Answerer, query: Query, answer: Answer, llm: FrozenLLM, trie: PackedTrie) -> float:
    """Sum of the log-probabilities that the next token is any that the trie allows, along the name of the answer."""
    (asked,) = answerer.ask([query])
    embedding = llm.model.get_input_embeddings()
    prompt = embed_segments([*asked.prompt.context, *asked.prompt.query], embedding)
    name = llm.encode(answer.candidates[0].name)
    logits = llm.model(inputs_embeds=torch.cat([prompt, embedding(torch.tensor(name))])[None]).logits[0]
    chances = logits[-len(name) - 1 :].float().log_softmax(dim=-1)
    total, node = 0.0, ROOT
    for place, token in enumerate((*name, llm.eos_token_id)):
        below = trie.children(np.array([node]))
        first, count = int(below.first[0]), int(below.counts[0])
        allowed = [*trie.tokens[first : first + count].tolist(), *[llm.eos_token_id] * bool(below.ends[0])]
        total += float(chances[place, allowed].logsumexp(dim=0))
        node = trie.child(node, token)
    return total


if __name__ == "__main__":
    main()
