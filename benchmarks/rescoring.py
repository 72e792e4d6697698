"""What re-scoring the beam is worth: by descriptions, by images of entities, by agreement within a post.

Takes the beams that the linker found on dev and test by the LLM's scores alone (`dvc repro evaluation`), adds features
to their candidates, fits weights on dev by conditional logit, and compares the first answers on test. Likeness is the
cosine of the post's image and the mean of the entity's training images; "known" says whether there is one. Description
is how much likelier the LLM finds it behind the post than anywhere. Agreement within a post is measured on WikiDiverse,
as the sample's posts have one mention each: give its file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from benchmarks.descriptions import DescriptionGains
from benchmarks.post_agreement import measure
from gemel.confidence.entity_images import EntityImages
from gemel.core.drafts import whole_file
from gemel.evaluation.grading import graded
from gemel.evaluation.names import FULL, UNRESCORED
from gemel.evaluation.slices import SEEN
from gemel.evaluation.statistics import change, difference, share
from gemel.features.store import FeatureStore
from gemel.mapper.mapper import WEIGHTS, load_mapper
from gemel.posts.tables import Tables
from gemel.stages import DEMONSTRATIONS, EVALUATION, IMAGE_FEATURES, MAPPER, POSTS
from gemel.stages.answerers import load_frozen_llm
from gemel.tasks.linking.demonstrations import read_corpus
from gemel.tasks.linking.rescoring import conditional_logit

Values = npt.NDArray[np.float64]
SCORE, LIKENESS, KNOWN, DESCRIPTION = range(4)
RULES = {
    "the LLM's score alone": (SCORE,),
    "descriptions": (SCORE, DESCRIPTION),
    "likeness of images, unknown ones as 0": (SCORE, LIKENESS),
    "likeness of images, less a level": (SCORE, LIKENESS, KNOWN),
    "both": (SCORE, LIKENESS, KNOWN, DESCRIPTION),
}
NAMES = ("score", "likeness", "known", "description")
GROUPS = ("head", "tail", "unseen")


class Beams:
    """The beams of a split, of all mappers one after the other, and their candidates' features."""

    def __init__(self, split: str, tables: Tables, predictions: pl.DataFrame) -> None:
        self.mentions = graded(tables.mentions, tables.posts, split).table
        of_split = predictions.filter(pl.col("split") == split)
        self.seeds: list[int] = of_split["seed"].unique(maintain_order=True).to_list()
        self.answers: list[list[str]] = of_split["answers"].to_list()
        self.scores = [np.array(scores) for scores in of_split["scores"].to_list()]
        self.places = of_split["place"].to_numpy()
        self.features: list[Values] = []

    def add_features(self, likeness: Sequence[Values], descriptions: Sequence[Values]) -> None:
        """Both of each beam's candidates."""
        self.features = [
            np.column_stack([scores, np.nan_to_num(like), ~np.isnan(like), said])
            for scores, like, said in zip(self.scores, likeness, descriptions, strict=True)
        ]

    def hits(self, columns: Sequence[int], weights: Values) -> Values:
        """Outcomes of the first answers, (seeds, mentions)."""
        first = [int(np.argmax(each[:, columns] @ weights)) + 1 for each in self.features]
        return (np.array(first) == self.places).astype(np.float64).reshape(len(self.seeds), -1)

    def fit(self, columns: Sequence[int]) -> Values:
        told = [(each[:, columns], place - 1) for each, place in zip(self.features, self.places, strict=True) if place]
        return conditional_logit([features for features, _ in told], [gold for _, gold in told])


def read_beams(quick: bool) -> dict[str, Beams]:
    """Dev and test, with features; quick: of the first mapper, without descriptions."""
    tables, predictions = Tables.read(POSTS), pl.read_parquet(EVALUATION / "predictions.parquet")
    raw = predictions.filter(pl.col("variant") == UNRESCORED)
    raw = raw if raw.height else predictions.filter(pl.col("variant") == FULL)
    if quick:
        raw = raw.filter(pl.col("seed") == raw["seed"][0])
    features = FeatureStore(IMAGE_FEATURES)
    vector_of = cache(features.vector_or_fallback("leave_out"))
    images = EntityImages(read_corpus(DEMONSTRATIONS), features)
    llm = None if quick else load_frozen_llm()
    gains = llm and DescriptionGains(llm, dict(tables.entities.select("entity_id", "description").iter_rows()))
    found = {split: Beams(split, tables, raw) for split in ("dev", "test")}
    for beams in found.values():
        vectors = [vector_of(sha256) for sha256 in beams.mentions["image_sha256"].to_list()] * len(beams.seeds)
        likeness = [images.likeness(ids, vector) for ids, vector in zip(beams.answers, vectors, strict=True)]
        said = [np.zeros(len(ids)) for ids in beams.answers]
        if llm is not None and gains:
            posts: list[tuple[str, str, torch.Tensor | None]] = []
            for seed in beams.seeds:
                mapper = load_mapper(MAPPER / f"seed-{seed}" / WEIGHTS, vision_dim=_width(vectors), llm_dim=llm.width)
                own = beams.mentions.select("text", "mention").iter_rows()
                with torch.inference_mode():
                    soft = [None if each is None else mapper(torch.tensor(each)[None])[0] for each in vectors]
                posts += [(*words, each) for words, each in zip(own, soft, strict=False)]
            said = gains.of_beams(posts, beams.answers)
        beams.add_features(likeness, said)
    return found


def compare(
    beams: Mapping[str, Beams], groups: pl.DataFrame, rules: Mapping[str, tuple[int, ...]]
) -> list[dict[str, Any]]:
    """One row a rule: weights, accuracy and change on test, the change in each group.

    groups: of evaluation's slices.
    """
    dev, test = beams["dev"], beams["test"]
    before = test.hits((SCORE,), np.ones(1))
    of = test.mentions.join(groups, on="mention_id", how="left", maintain_order="left")[SEEN]
    rows = []
    for words, columns in rules.items():
        weights = dev.fit(columns)
        after = test.hits(columns, weights)
        gains = {group: difference(after, before, (of == group).to_numpy()) for group in GROUPS}
        accuracy = share(after)
        rows.append(
            {
                "row": words,
                "weights": {NAMES[column]: round(float(w), 4) for column, w in zip(columns, weights, strict=True)},
                "accuracy": accuracy.as_dict() if accuracy else None,
                "change": change(before, after).as_dict() if len(columns) > 1 else None,
                "gains": {group: gain.as_dict() if gain else None for group, gain in gains.items()},
            }
        )
    return rows


def beyond_images(beams: Mapping[str, Beams]) -> dict[str, Any]:
    """What descriptions change on test where images are looked at anyway."""
    rules = ((SCORE, LIKENESS, KNOWN), (SCORE, LIKENESS, KNOWN, DESCRIPTION))
    without, both = (beams["test"].hits(columns, beams["dev"].fit(columns)) for columns in rules)
    return change(without, both).as_dict()


def markdown(report: Mapping[str, Any]) -> str:
    """The page of docs/results."""
    lines = ["# Re-scoring", "", "Beside the paper. Made by `python -m benchmarks.rescoring`.", ""]
    head = ("the beam by", "test", "change", "fixed, broken", "p", "verdict", *GROUPS, "weights")
    lines += [_line(head), _line(["---"] * len(head)), *(_line(_cells(row)) for row in report["rows"]), ""]
    lines += [
        "In %, with the 95 % bootstrap interval over mentions, paired; p by McNemar's exact test. Weights are fitted "
        "on dev by conditional logit over the beams of all mappers. Head, tail, unseen: the change, by how often the "
        "entity was trained on. Re-ranking can't find what the beam has not: "
        f"{100 * report['in_beam']:.1f} % of the gold entities are in it.",
        "",
        *(line for line in __doc__.split("\n\n", 1)[1].strip().splitlines()),
        "",
    ]
    if more := report["descriptions_beyond_images"]:
        lines += [f"Both against images alone: {_signed(more['gain'])}, p = {more['p']:.3f}, {more['verdict']}.", ""]
    if agreement := report["agreement"]:
        lines += ["## Agreement within a post", "", *_agreement(agreement)]
    return "\n".join(lines)


def _agreement(found: Mapping[str, Any]) -> list[str]:
    one, pairs = found["of_one_entity"], found["pairs_of_different_strings"]
    always, forbidden = found["change"], found["change_if_forbidden"]
    return [
        f"On WikiDiverse's dev, {found['posts']} posts: of {pairs} pairs of different mention strings of one post "
        f"{one} ({100 * one / pairs:.1f} %) are one entity; of {found['pairs_of_equal_strings']} pairs of equal "
        f"strings {found['equal_strings_of_one_entity']}. BM25 over names links {100 * found['accuracy']:.1f} % of "
        f"{found['tested_on']} distinct strings of the posts of odd number. The penalty for a second use of an entity "
        f"that is best on the posts of even number is {found['penalty']:g}: {_signed(always['gain'])} on the others, "
        f"p = {always['p']:.3f}. If a second use is forbidden: {_signed(forbidden['gain'])}, p = {forbidden['p']:.3f} "
        f"({forbidden['fixed']} fixed, {forbidden['broken']} broken).",
        "",
    ]


def _cells(row: Mapping[str, Any]) -> list[str]:
    accuracy, changed = row["accuracy"], row["change"]
    figure = f"{100 * accuracy['mean']:.1f} ({100 * accuracy['low']:.1f} to {100 * accuracy['high']:.1f})"
    weights = ", ".join(f"{name} {value:.2f}" for name, value in row["weights"].items())
    if changed is None:
        return [row["row"], figure, *[""] * 7, weights]
    tested = f"{changed['fixed']}, {changed['broken']}", f"{changed['p']:.3f}", changed["verdict"]
    return [row["row"], figure, _signed(changed["gain"]), *tested, *map(_signed, row["gains"].values()), weights]


def _signed(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return ""
    return f"{100 * figure['mean']:+.1f} ({100 * figure['low']:+.1f} to {100 * figure['high']:+.1f})"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _width(vectors: Sequence[npt.NDArray[np.float32] | None]) -> int:
    return next(len(vector) for vector in vectors if vector is not None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first mapper alone, without descriptions")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--wikidiverse", type=Path, help="its gemel_dev.jsonl, gemel_train.jsonl beside it")
    parser.add_argument("--out", type=Path, help="write rescoring.md and rescoring.json into a folder")
    arguments = parser.parse_args()
    beams = read_beams(arguments.quick)
    slices = pl.read_parquet(EVALUATION / "slices.parquet").filter(pl.col("split") == "test")
    rules = {words: columns for words, columns in RULES.items() if not (arguments.quick and DESCRIPTION in columns)}
    report = {
        "rows": compare(beams, slices.select("mention_id", SEEN), rules),
        "descriptions_beyond_images": None if arguments.quick else beyond_images(beams),
        "in_beam": float((beams["test"].places > 0).mean()),
        "agreement": measure(arguments.wikidiverse) if arguments.wikidiverse else None,
    }
    if arguments.out:
        contents = {"md": markdown(report), "json": json.dumps(report, indent=1, ensure_ascii=False) + "\n"}
        for ending, content in contents.items():
            with whole_file(arguments.out / f"rescoring.{ending}") as draft:
                draft.write_text(content, encoding="utf-8")
    print(markdown(report))
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))


if __name__ == "__main__":
    main()
