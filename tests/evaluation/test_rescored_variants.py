"""Re-scoring in an evaluation: what it is fitted on, and which variants it changes."""

import numpy as np
import polars as pl

from gemel.answerer import Answer, Query
from gemel.confidence.entity_images import EntityImages
from gemel.core.schema import Candidate, Mention
from gemel.core.settings import Rescoring
from gemel.evaluation.grading import Graded
from gemel.evaluation.names import ALONE, BLIND, FULL, IMAGELESS, UNRESCORED
from gemel.evaluation.rescoring import Linked, fit_on, rescore
from gemel.evaluation.variants import Variant, variants

VECTORS = {name: np.array(way, dtype=np.float32) for name, way in {"a": [1, 0], "b": [0, 1]}.items()}
IMAGES = EntityImages(pl.DataFrame({"entity_id": ["Q1", "Q2"], "image_sha256": ["a", "b"]}), VECTORS)
# The images are those of Q1, Q2, of nobody, and of Q1; the LLM always prefers Q1.
GOLD, SEEN = ["Q1", "Q2", "Q2", "Q1"], [VECTORS["a"], VECTORS["b"], None, VECTORS["a"]]
ANSWER = Answer((Candidate("Q1", "one", -1.0, 0.6), Candidate("Q2", "two", -1.4, 0.4)), left_out=1)
MENTIONS = Graded(pl.DataFrame({"mention_id": ["m1", "m2", "m3", "m4"], "entity_id": GOLD}), np.zeros(4), 0, 0)


def linked(variant: Variant, split: str, seed: int = 0) -> Linked:
    vectors = [None] * 4 if variant.imageless else SEEN
    asked = [Query(Mention("it"), "text", (), vector) for vector in vectors]
    return Linked(variant, split, seed, asked, [ANSWER] * 4)


EVERY = [
    linked(variant, split, seed)
    for variant in variants("bm25", (), (0, 1), captions=True)
    for split in ("dev", "test")
    for seed in variant.seeds
]


def first(run: Linked) -> list[str]:
    return [answer.candidates[0].entity_id for answer in run.answers]


def test_images_decide_where_a_post_has_one() -> None:
    found = rescore(EVERY, IMAGES, Rescoring(slope=1.0, level=0.0))
    by_name = {(run.variant.name, run.split, run.seed): first(run) for run in found}
    assert by_name[FULL, "test", 1] == ["Q1", "Q2", "Q1", "Q1"]
    assert by_name[ALONE, "dev", 0] == by_name["gold caption", "dev", 0] == ["Q1", "Q2", "Q1", "Q1"]
    for name in (UNRESCORED, IMAGELESS, BLIND):
        assert by_name[name, "dev", 0] == ["Q1"] * 4


def test_linker_by_the_llm_alone_is_kept_as_the_last_variant() -> None:
    names = [run.variant.name for run in rescore(EVERY, IMAGES, Rescoring(slope=1.0, level=0.0))]
    assert names[-4:] == [UNRESCORED] * 4
    assert names[:-4] == [run.variant.name for run in EVERY]


def test_what_else_an_answer_says_stays() -> None:
    found = rescore(EVERY, IMAGES, Rescoring(slope=1.0, level=0.0))
    assert {answer.left_out for run in found for answer in run.answers} == {1}


def test_fit_looks_at_the_linker_on_dev_alone() -> None:
    found = fit_on(EVERY, MENTIONS, IMAGES)
    assert found is not None
    assert found.slope > 0
    assert fit_on([run for run in EVERY if run.split == "test"], MENTIONS, IMAGES) is None
    assert fit_on([run for run in EVERY if run.variant.name != FULL], MENTIONS, IMAGES) is None
