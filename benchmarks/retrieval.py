"""Speed of choosing 16 demonstrations, against the published way in the same process, and search in a large corpus.

The baseline is what GEMEL publishes: for each mention the cosine of its embedding and every embedding of the corpus, by
scikit-learn, and a sort of them all; for BM25 the loop of rank_bm25 and the same sort. Both sides get the same vectors,
random ones of 384 numbers by mention string: encoding is the same work on both sides and is left out. They take turns
in slices of distinct mentions, so that whatever else the machine does hits both. Then exact search in a million random
vectors, and BM25 over a million mentions, each in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from rank_bm25 import BM25Okapi

from benchmarks.output import show
from benchmarks.processes import alone, peak_bytes
from gemel.retrieval.bm25 import Bm25Scorer
from gemel.retrieval.choice import Chooser, Corpus
from gemel.retrieval.dense import STRINGS_AT_ONCE, DenseScorer
from gemel.retrieval.encoder import Vectors
from gemel.retrieval.scorers import Scorer

COUNT, WIDTH, SIZE = 16, 384, 20_000
GIB = 2**30
# Neighbours whose scores are this near count as equal: the order of summation moves the last digits.
SAME_SCORE = 1e-5
SAMPLE = Path("data/sample/posts.jsonl")


def read_mentions(path: Path) -> list[str]:
    """Mention strings, with repeats: of a JSON list (of strings, or of objects as WikiMEL's), JSON lines or text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        return [mention["mention"] for line in text.splitlines() for mention in json.loads(line)["mentions"]]
    if path.suffix == ".json":
        return [item if isinstance(item, str) else item["mentions"] for item in json.loads(text)]
    return text.splitlines()


def fill_up(mentions: Sequence[str], size: int) -> list[str]:
    """The mentions, and as many made from them as the size lacks: all but the last word of one, the last of another."""
    lacking = max(0, size - len(mentions))
    picks = np.random.default_rng(0).integers(len(mentions), size=(2, lacking)).tolist()
    pairs = ((mentions[front], mentions[last]) for front, last in zip(*picks, strict=True))
    return [*mentions[:size], *(f"{a.rsplit(' ', 1)[0]} {b.rsplit(' ', 1)[-1]}" for a, b in pairs)]


def random_vectors(rows: int, seed: int = 0) -> Vectors:
    found = np.random.default_rng(seed).standard_normal((rows, WIDTH), dtype=np.float32)
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found


class Race:
    """One method: ours and the baseline in turns over slices of rows, whose neighbours are then compared."""

    def __init__(self, mentions: list[str], scorer: Scorer, score: Callable[[int], Any]) -> None:
        """score: the baseline's scores of a row's mention against the whole corpus, (corpus,)."""
        self._mentions, self._score = mentions, score
        self._texts = [f"text {row}" for row in range(len(mentions))]
        self._chooser = Chooser(Corpus(mentions, self._texts, mentions), scorer, COUNT)

    def run(self, rows: Sequence[int], per_slice: int) -> dict[str, float]:
        seconds, different = {"ours": 0.0, "baseline": 0.0}, 0
        contestants: dict[str, Callable[[Sequence[int]], Any]] = {"ours": self._ours, "baseline": self._baseline}
        order = list(contestants)
        for contestant in contestants.values():
            contestant(range(8))
        for first in range(0, len(rows), per_slice):
            found = {}
            for name in order:
                start = time.perf_counter()
                found[name] = contestants[name](rows[first : first + per_slice])
                seconds[name] += time.perf_counter() - start
            order.reverse()
            for ours, (theirs, scores) in zip(found["ours"], found["baseline"], strict=True):
                different += int((np.abs(scores[list(ours)] - scores[theirs]) > SAME_SCORE).sum())
        return {
            "ratio": seconds["baseline"] / seconds["ours"],
            "different_neighbours": different,
            "queries_per_s": len(rows) / seconds["ours"],
            "baseline_queries_per_s": len(rows) / seconds["baseline"],
        }

    def _ours(self, rows: Sequence[int]) -> list[tuple[int, ...]]:
        return self._chooser.choose_all([self._mentions[row] for row in rows], [self._texts[row] for row in rows])

    def _baseline(self, rows: Sequence[int]) -> list[tuple[list[int], Any]]:
        """Of each row, the rows of its neighbours, and the scores of all rows."""
        found = []
        for row in rows:
            scores = self._score(row)
            order = np.argsort(scores).tolist()
            found.append(([other for other in order[-COUNT - 1 :] if other != row][-COUNT:][::-1], scores))
        return found


def race_dense(mentions: list[str], rows: Sequence[int], per_slice: int) -> dict[str, float]:
    """The published way, and as a second baseline the same with vectors that are normalized once."""
    # Imported here, as the parts in other processes do without it.
    from sklearn.metrics.pairwise import cosine_similarity

    place = {mention: number for number, mention in enumerate(dict.fromkeys(mentions))}
    of_strings = random_vectors(len(place))
    of_rows = of_strings[[place[mention] for mention in mentions]]
    scorer = DenseScorer(mentions, lambda texts: of_strings[[place[text] for text in texts]])

    def published(row: int) -> Any:
        return cosine_similarity(of_rows, of_rows[row : row + 1]).squeeze(-1)

    report = Race(mentions, scorer, published).run(rows, per_slice)
    normalized_once = Race(mentions, scorer, lambda row: of_rows @ of_rows[row]).run(rows, per_slice)
    return report | {"ratio_normalized_once": normalized_once["ratio"]}


def race_bm25(mentions: list[str], rows: Sequence[int], per_slice: int) -> dict[str, float]:
    words = [mention.casefold().split() for mention in mentions]
    index = BM25Okapi(words)
    report = Race(mentions, Bm25Scorer(mentions), lambda row: index.get_scores(words[row])).run(rows, per_slice)
    return {f"bm25_{figure}": value for figure, value in report.items()}


def search_many(size: int) -> dict[str, float]:
    """Exact search in random vectors; the first batch is compared with brute force."""

    def embed(texts: list[str]) -> Vectors:
        return random_vectors(len(texts), seed=int(texts[0]))

    corpus = [str(row) for row in range(size)]
    scorer = DenseScorer(corpus, embed)
    next(scorer.best([str(size)], COUNT))
    report: dict[str, float] = {"dense_corpus": size}
    for batch in (16, 256):
        queries = [str(size + row) for row in range(batch)]
        start = time.perf_counter()
        hits = list(scorer.best(queries, COUNT))
        report[f"dense_ms_per_query_in_{batch}"] = (time.perf_counter() - start) * 1_000 / batch
        if batch == 16:
            ours = np.stack([np.sort(each.scores)[-COUNT:] for each in hits])
            wanted = best_by_brute_force(embed(queries), corpus, embed)
            report["dense_different_neighbours"] = int((np.abs(ours - wanted) > SAME_SCORE).sum())
    return report | {"dense_peak_gib": peak_bytes() / GIB, "dense_vectors_gib": size * WIDTH * 4 / GIB}


def best_by_brute_force(queries: Vectors, corpus: list[str], embed: Callable[[list[str]], Vectors]) -> Any:
    """The best scores of each query, ascending: (queries, COUNT)."""
    best = np.full((len(queries), COUNT), -np.inf, dtype=np.float32)
    for first in range(0, len(corpus), STRINGS_AT_ONCE):
        scores = queries @ embed(corpus[first : first + STRINGS_AT_ONCE]).T
        best = np.sort(np.concatenate((best, scores), axis=1))[:, -COUNT:]
    return best


def bm25_many(mentions: list[str]) -> dict[str, float]:
    """BM25 over many mentions: building, and choosing for distinct ones."""
    start = time.perf_counter()
    chooser = Chooser(Corpus(mentions, mentions, mentions), Bm25Scorer(mentions), COUNT)
    build_s = time.perf_counter() - start
    queries = list(dict.fromkeys(mentions))[:512]
    start = time.perf_counter()
    chooser.choose_all(queries, queries)
    ms = (time.perf_counter() - start) * 1_000 / len(queries)
    return {"bm25_many_build_s": build_s, "bm25_many_ms_per_query": ms, "bm25_many_peak_gib": peak_bytes() / GIB}


def measure(settings: argparse.Namespace) -> dict[str, Any]:
    """Run all parts and gather their figures."""
    real = read_mentions(settings.mentions or SAMPLE)
    mentions = fill_up(real, SIZE)
    distinct = list({mention: row for row, mention in enumerate(mentions)}.values())
    queries = 256 if settings.quick else 2_048
    rows = np.random.default_rng(1).permutation(distinct)[:queries].tolist()
    per_slice = len(rows) // (2 if settings.quick else 8)
    report: dict[str, Any] = race_dense(mentions, rows, per_slice)
    report |= race_bm25(mentions, rows, per_slice)
    many = 50_000 if settings.quick else 1_000_000
    report |= alone(search_many, many) | alone(bm25_many, fill_up(real, many))
    return report | {
        "mentions": len(mentions),
        "distinct_mentions": len(distinct),
        "queries": len(rows),
        "threads": len(os.sched_getaffinity(0)),
        "faiss": version("faiss-cpu"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="256 queries instead of 2,048, 50,000 instead of a million"
    )
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--mentions", type=Path, help="mention strings of another file than the sample's")
    settings = parser.parse_args()
    show(measure(settings), "choice of demonstrations, ours against the published way", as_json=settings.json)


if __name__ == "__main__":
    main()
