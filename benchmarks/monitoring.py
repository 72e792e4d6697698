"""How often the monitoring alarms by chance, and how often it finds what moved, by the size of a week.

A population of posts with their links is made of the sample's dev and test posts. In each trial the training data and
the week are both drawn from it at random, with replacement: nothing has moved, and the training data are no more exact
than in truth. False alarms: with thresholds that ask for far more of them than the default, so that they can be
counted. Detection: with the default's thresholds, after a drift was put into the week:

longer texts      a share of the posts is twice as long
without an image  a share of the posts has lost its picture
other pictures    all posts with a picture show one of half of the kinds; the training data keep all kinds
unseen mentions   a share of the mentions has a string that training lacks
lower confidence  a share of the links are those of mentions that the catalog has no entity of
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.output import show
from gemel.evaluation.statistics import wilson
from gemel.features.store import FeatureStore
from gemel.monitoring.drift import Finding, compare
from gemel.monitoring.records import Records
from gemel.monitoring.reference import Reference, folded, read_reference
from gemel.monitoring.settings import DAYS_A_YEAR, MonitoringSettings
from gemel.posts.tables import Tables
from gemel.stages import EVALUATION, IMAGE_FEATURES, POSTS

SIZES = (100, 1_000, 10_000)
MANY = 0.1
WEEK = 7
Rng = np.random.Generator
Drift = Callable[[pl.DataFrame, "Population", Rng, float], pl.DataFrame]


@dataclass(frozen=True)
class Population:
    """posts: one row a post with its link; place: of its vector, null without a picture. vectors: (pictures, width).

    whole: the reference that the artifacts give, for the sizes of its parts.
    """

    posts: pl.DataFrame
    vectors: npt.NDArray[np.float32]
    whole: Reference


def read_population(most_images: int) -> Population:
    """Dev and test of the sample, and the best mapper's links of them."""
    tables, features = Tables.read(POSTS), FeatureStore(IMAGE_FEATURES)
    whole = read_reference(POSTS.parent, most_images=most_images)
    judged = pl.read_parquet(EVALUATION / "judged.parquet").filter(pl.col("seed") == _best())
    links = judged.join(tables.mentions.select("mention_id", "post_id", "mention"), on="mention_id")
    rows = links.join(tables.posts.drop("split"), on="post_id").unique("post_id").sort("post_id")
    keys = rows["image_sha256"].drop_nulls().unique().sort().to_list()
    place = {key: number for number, key in enumerate(keys)}
    sure = whole.answers.filter("sure")["probability"].min()
    posts = rows.select(
        text_length=pl.col("text").str.len_chars(),
        place=pl.col("image_sha256").replace_strict(place, default=None, return_dtype=pl.Int64),
        kind=pl.col("caption").str.split(" ").list.get(1, null_on_oob=True),
        mention=folded(rows["mention"]),
        probability="chance_right",
        sure=~pl.col("nil") & (pl.col("chance_right") >= sure),
        nil="nil",
        gold="entity_id",
    )
    return Population(posts, np.array([features[key] for key in keys]), whole)


def _best() -> int:
    metrics = json.loads((EVALUATION / "metrics.json").read_text(encoding="utf-8"))
    return int(metrics["mapper"]["best_seed"])


def drawn(posts: pl.DataFrame, count: int, rng: Rng) -> pl.DataFrame:
    """Rows at random, with replacement."""
    return posts[rng.integers(posts.height, size=count)]


def training_data(population: Population, rng: Rng) -> Reference:
    """Training data drawn from the population, as many as there are in truth."""
    whole = population.whole
    posts = drawn(population.posts, whole.text_lengths.len(), rng)
    places = posts["place"].drop_nulls().to_numpy()[: len(whole.vectors)]
    return replace(
        whole,
        text_lengths=posts["text_length"],
        imageless=posts["place"].is_null(),
        strings=posts["mention"],
        held_out=drawn(population.posts, whole.held_out.len(), rng)["mention"],
        vectors=population.vectors[places],
        answers=drawn(population.posts, whole.answers.height, rng).with_columns(wrong=pl.lit(False)),
    )


def service(population: Population, rows: pl.DataFrame, most_images: int) -> Records:
    """What the service would have recorded of these posts."""
    answers = rows.with_columns(
        image=pl.when(pl.col("place").is_null()).then(pl.lit("none")).otherwise(pl.lit("read")), release=pl.lit("r")
    )
    places = rows["place"].drop_nulls().to_numpy()
    return Records(answers, answers, 0, population.vectors[places[:most_images]], len(places), 0, (), 0)


def longer_texts(rows: pl.DataFrame, _: Population, rng: Rng, share: float) -> pl.DataFrame:
    return _some(rows, rng, share, text_length=2 * pl.col("text_length"))


def without_image(rows: pl.DataFrame, _: Population, rng: Rng, share: float) -> pl.DataFrame:
    return _some(rows, rng, share, place=pl.lit(None, pl.Int64))


def unseen_mentions(rows: pl.DataFrame, _: Population, rng: Rng, share: float) -> pl.DataFrame:
    return _some(rows, rng, share, mention=pl.lit("a new string"))


def other_pictures(rows: pl.DataFrame, population: Population, rng: Rng, _: float) -> pl.DataFrame:
    kinds = population.posts["kind"].drop_nulls().unique().sort()
    half = population.posts.filter(pl.col("kind").is_in(kinds[::2].to_list()), pl.col("place").is_not_null())
    places = drawn(half, rows.height, rng)["place"]
    return rows.with_columns(place=pl.when(pl.col("place").is_not_null()).then(places))


def lower_confidence(rows: pl.DataFrame, population: Population, rng: Rng, share: float) -> pl.DataFrame:
    columns = ("probability", "sure", "nil")
    others = drawn(population.posts.filter(pl.col("gold").is_null()), rows.height, rng)
    return _some(rows, rng, share, **{name: pl.lit(others[name]) for name in columns})


def _some(rows: pl.DataFrame, rng: Rng, share: float, **changed: pl.Expr) -> pl.DataFrame:
    chosen = pl.lit(pl.Series(rng.random(rows.height) < share))
    return rows.with_columns(pl.when(chosen).then(new).otherwise(name).alias(name) for name, new in changed.items())


DRIFTS: dict[str, tuple[Drift, set[str]]] = {
    "longer texts": (longer_texts, {"text_length"}),
    "without an image": (without_image, {"image_missing"}),
    "other pictures": (other_pictures, {"images"}),
    "unseen mentions": (unseen_mentions, {"mention_unseen", "mention_strings"}),
    "lower confidence": (lower_confidence, {"probability", "sure", "nil"}),
}


@dataclass(frozen=True)
class Trials:
    """Draws training data and weeks, and compares them."""

    population: Population
    settings: MonitoringSettings
    share: float

    def moved(self, size: int, drift: Drift | None, alpha: float, seed: int) -> set[str]:
        """Names of the features that moved in one trial."""
        rng = np.random.default_rng([seed, size])
        week = drawn(self.population.posts, size, rng)
        if drift is not None:
            week = drift(week, self.population, rng, self.share)
        records = service(self.population, week, self.settings.most_images)
        used = self.settings.model_copy(update={"seed": seed})
        found: tuple[Finding, ...] = compare(training_data(self.population, rng), records, None, used, alpha)
        return {each.feature for each in found if each.verdict == "moved"}


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """All figures: shares of the trials, with their 95 % intervals as lists."""
    settings = MonitoringSettings(most_images=arguments.images, least_distance=0.0, least_rows=50)
    trials = Trials(read_population(arguments.images), settings, arguments.share)
    default = settings.false_alarms_per_year * WEEK / DAYS_A_YEAR
    report: dict[str, Any] = {"images": arguments.images, "share": arguments.share, "asked for": MANY}
    started = time.process_time()
    for size in arguments.sizes:
        found = [trials.moved(size, None, MANY, seed) for seed in range(arguments.null_trials)]
        _add(report, f"false alarms, {size}", [bool(each) for each in found])
    as_used = settings.model_copy(update={"least_distance": MonitoringSettings().least_distance})
    trials = replace(trials, settings=as_used)
    for words, (drift, features) in DRIFTS.items():
        for size in arguments.sizes:
            found = [trials.moved(size, drift, default, seed) for seed in range(arguments.trials)]
            _add(report, f"{words}, {size}", [bool(each & features) for each in found])
    return report | {"cpu_s": time.process_time() - started}


def _add(report: dict[str, Any], figure: str, outcomes: list[bool]) -> None:
    report[figure] = sum(outcomes) / max(1, len(outcomes))
    report[f"{figure}: interval"] = [round(end, 3) for end in wilson(sum(outcomes), len(outcomes))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few trials")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--images", type=int, default=300, help="of either side that are compared, at most")
    parser.add_argument("--share", type=float, default=0.2, help="of the rows that a drift changes")
    parser.add_argument("--trials", type=int, default=50, help="of each drift and size")
    parser.add_argument("--null-trials", type=int, default=300, help="of each size, without a drift")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.trials, arguments.null_trials, arguments.sizes = 2, 10, (100, 1_000)
    show(run(arguments), "false alarms and detection of the monitoring", as_json=arguments.json)


if __name__ == "__main__":
    main()
