"""What it is worth to keep what was read of demonstrations: one mention a call, as a service gets them.

Mention strings come by Zipf's law, each time with another query behind the string's demonstrations. Two searches of one
model take turns, call by call and in alternating order: one keeps contexts within a bound, the other reads each anew.
By default that is the search alone, with a random model of `benchmarks.linking` and 16 demonstrations; with --release
the whole of `Linker.link` on test posts of the sample world, images and retrieval included. With --room the keys alone,
without a model: which share of the calls finds its context, and which has one copied.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import transformers

from benchmarks.linking_race import BEAMS, Cost
from benchmarks.model_inputs import Inputs, add_model_options, setup_facts
from benchmarks.output import show
from benchmarks.sample_release import load_quietly
from gemel.core.schema import Mention, Post
from gemel.entities.trie_build import build_trie
from gemel.llm.kept_contexts import SIGHTS, KeptContexts, Layers
from gemel.llm.search import BeamSearch
from gemel.llm.segments import Prompt
from gemel.posts.tables import Tables
from gemel.stages import DATA, POSTS

SAMPLE = DATA / "sample"
MIB = 2**20
Names = list[Any]


@dataclass(frozen=True)
class Ranked:
    """What a call found: names or entities, best first, and their scores."""

    names: Names
    scores: list[float]


@dataclass
class Duel:
    """Lets both sides answer the same calls, and adds up what each took.

    strings: mention strings that the calls are drawn from. costs: of "kept" and "plain", over all calls; "kept, found"
    and "plain, found": over those that found their context.
    """

    sides: dict[str, Callable[[Any], Ranked]]
    kept: KeptContexts
    strings: int
    costs: dict[str, Cost] = field(default_factory=dict)
    different_names: int = 0
    different_lists: int = 0
    largest_score_difference: float = 0.0

    def run(self, calls: Sequence[Any]) -> None:
        """Answer every call on both sides."""
        order = ["kept", "plain"]
        for call in calls:
            hits = self.kept.facts().found
            taken = {side: self._timed(side, call) for side in order}
            for side, (_, cost) in taken.items():
                self._add(side, cost)
                if self.kept.facts().found > hits:
                    self._add(f"{side}, found", cost)
            self._compare(taken["kept"][0], taken["plain"][0])
            order.reverse()

    def report(self) -> dict[str, object]:
        """The figures of both sides. Ratios: plain / kept, in wall and in CPU time."""
        kept, plain, facts = self.costs["kept"], self.costs["plain"], self.kept.facts()
        ratio, work_ratio = plain.over(kept)
        found = self.costs.get("kept, found")
        found_ratio, found_work_ratio = self.costs["plain, found"].over(found) if found else (None, None)
        return {
            "ratio": ratio,
            "work_ratio": work_ratio,
            "found_ratio": found_ratio,
            "found_work_ratio": found_work_ratio,
            "mentions_per_s": kept.mentions / kept.wall,
            "plain_mentions_per_s": plain.mentions / plain.wall,
            "hit_share": facts.found / (facts.found + facts.missed),
            "contexts_held": facts.contexts,
            "mib_held": facts.size / MIB,
            "mib_at_most": self.kept.max_bytes / MIB,
            "different_names": self.different_names,
            "different_lists": self.different_lists,
            "largest_score_difference": self.largest_score_difference,
            "calls": kept.mentions,
            "strings": self.strings,
        }

    def _timed(self, side: str, call: Any) -> tuple[Ranked, Cost]:
        wall, work = time.perf_counter(), time.process_time()
        ranked = self.sides[side](call)
        return ranked, Cost(time.perf_counter() - wall, time.process_time() - work, 1)

    def _add(self, name: str, cost: Cost) -> None:
        total = self.costs.setdefault(name, Cost())
        total.wall, total.work, total.mentions = total.wall + cost.wall, total.work + cost.work, total.mentions + 1

    def _compare(self, kept: Ranked, plain: Ranked) -> None:
        self.different_names += kept.names[0] != plain.names[0]
        self.different_lists += kept.names != plain.names
        differences = [abs(one - other) for one, other in zip(kept.scores, plain.scores, strict=True)]
        self.largest_score_difference = max(self.largest_score_difference, *differences)


def zipf(strings: int, calls: int, exponent: float) -> Iterator[int]:
    """Which mention string each call has, the most frequent one being 0."""
    rng = np.random.default_rng(1)
    weights = 1 / np.arange(1, strings + 1) ** exponent
    yield from rng.choice(strings, size=calls, p=weights / weights.sum()).tolist()


def search_duel(settings: argparse.Namespace) -> tuple[Duel, list[Prompt]]:
    """The search alone, with a random model, and its calls."""
    inputs = Inputs.make(settings)
    trie, end = build_trie(inputs.names), int(inputs.llm.config.eos_token_id)
    plain, keeping = (BeamSearch(inputs.llm, trie, eos_token_id=end, num_beams=BEAMS) for _ in range(2))
    keeping.kept = KeptContexts(settings.mib * MIB, settings.sights)

    def side(search: BeamSearch) -> Callable[[Prompt], Ranked]:
        def find(prompt: Prompt) -> Ranked:
            (found,) = search.find([prompt])
            return Ranked(list(found.name_indices), list(found.scores))

        return find

    rng, prompts = np.random.default_rng(2), [group[0] for group in inputs.groups]
    calls = [
        Prompt(prompts[rng.integers(len(prompts))].query, prompts[string].context, string)
        for string in zipf(len(prompts), settings.calls, settings.exponent)
    ]
    return Duel({"kept": side(keeping), "plain": side(plain)}, keeping.kept, len(prompts)), calls


def link_duel(settings: argparse.Namespace) -> tuple[Duel, list[Post]]:
    """The linker of a release, and its calls."""
    plain, keeping = (load_quietly(settings.release, kept_bytes) for kept_bytes in (0, settings.mib * MIB))
    kept = keeping.opened.answerer.kept
    assert kept is not None, "--mib is at least 1"

    def side(linker: Any) -> Callable[[Post], Ranked]:
        def link(post: Post) -> Ranked:
            candidates = linker.link([post])[0].candidates
            return Ranked([each.entity_id for each in candidates], [each.score for each in candidates])

        return link

    strings = test_posts()[: settings.mentions]
    rng = np.random.default_rng(2)
    calls = [
        strings[string][rng.integers(len(strings[string]))]
        for string in zipf(len(strings), settings.calls, settings.exponent)
    ]
    return Duel({"kept": side(keeping), "plain": side(plain)}, kept, len(strings)), calls


def test_posts() -> list[list[Post]]:
    """The test posts of the sample by mention string, the most frequent string first."""
    tables = Tables.read(POSTS)
    rows = tables.mentions.filter(pl.col("split") == "test")
    rows = rows.join(tables.posts.select("post_id", "image"), on="post_id", maintain_order="left")
    by_string: dict[str, list[Post]] = {}
    for row in rows.iter_rows(named=True):
        post = Post(row["text"], (Mention(row["mention"]),), row["image"] and SAMPLE / row["image"])
        by_string.setdefault(row["mention"], []).append(post)
    return sorted(by_string.values(), key=len, reverse=True)


def keys_alone(settings: argparse.Namespace) -> dict[str, object]:
    """Shares of the calls that find their context, and that have theirs copied, kept at first and at second sight."""
    report: dict[str, object] = {"strings": settings.mentions, "calls": settings.calls, "room": settings.room}
    for sights in (1, 2):
        kept, copies = KeptContexts(settings.room, sights), 0

        def copy() -> Layers:
            nonlocal copies
            copies += 1
            return ()

        for string in zipf(settings.mentions, settings.calls, settings.exponent):
            if kept.find(string) is None:
                kept.keep(string, 1, copy)
        report |= {f"hit_share_{sights}": kept.facts().found / settings.calls}
        report |= {f"copy_share_{sights}": copies / settings.calls}
    return report


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="80 calls instead of 400, of 40 strings instead of 200")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--release", type=Path, help="link the sample's test posts with it: artifacts/release")
    parser.add_argument("--mib", type=int, default=256, help="MiB of keys and values that may be kept")
    parser.add_argument("--sights", type=int, default=SIGHTS, help="without --release: sights before a context is kept")
    parser.add_argument("--room", type=int, help="look up keys alone, and hold so many contexts")
    parser.add_argument("--exponent", type=float, default=1.0, help="of Zipf's law")
    parser.add_argument("--mentions", type=int, help="another number of mention strings")
    parser.add_argument("--calls", type=int, help="another number of calls")
    add_model_options(parser, ("float32", "bfloat16", "float16"))
    parser.set_defaults(mode="distinct", names=None)
    settings = parser.parse_args()
    settings.mentions = settings.mentions or (40 if settings.quick else 200)
    settings.calls = settings.calls or (80 if settings.quick else 400)
    return settings


def main() -> None:
    settings = parse()
    if settings.room:
        show(keys_alone(settings), "keys of hot mentions, kept at first and at second sight", as_json=settings.json)
        return
    transformers.logging.set_verbosity_error()
    duel, calls = link_duel(settings) if settings.release else search_duel(settings)
    # What a process does once belongs to neither side.
    duel.sides["plain"](calls[0])
    duel.run(calls)
    report = duel.report() | {"exponent": settings.exponent, "sights": settings.sights}
    if not settings.release:
        report |= setup_facts(settings)
    show(report, "contexts of hot mentions kept, against read anew", as_json=settings.json)


if __name__ == "__main__":
    main()
