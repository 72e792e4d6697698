"""Speed of constrained beam search, against the published algorithm in the same process.

The baseline is what GENRE and its followers publish: a trie of nested dicts behind Hugging Face's `generate` with
`prefix_allowed_tokens_fn`, one mention at a time. Both search the same random model for the same names, and take turns
in slices of mentions. Prompts are as long as 16 demonstrations and a query.

By default no two mentions have anything in common. With --wikimel, as many repeat another as in WikiMEL's test set,
where equal mention strings have equal demonstrations; with --archive, ten posts ask for each mention string. There the
demonstrations of equal strings are read once. --mentions-from takes real mentions, --names and --tokenizer real names.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import transformers

from benchmarks.linking_curves import draw_curves
from benchmarks.linking_profile import draw_profile
from benchmarks.linking_race import GIB, Alone, Race, compare, largest_batch, search_alone
from benchmarks.model_inputs import Inputs, add_model_options, setup_facts, shape_of
from benchmarks.output import show


@dataclass(frozen=True)
class Report:
    """What the benchmark found.

    ratio: ours / baseline in mentions per second of wall time. work_ratio: the same in CPU time; on a GPU the CPU only
    feeds it, and the figure says little. over_prefill_floor: our time / that of reading each prompt by itself and
    nothing else. over_shared_floor: the same where what prompts share is read once; None where they share nothing.
    different_names_by_batch: share of best names that differ between searching mentions together and each alone.
    latency_ms: median of mentions searched alone. repeated_share: mentions whose context another one has, too, but for
    the first of each. peak_gib, largest_batch: of a GPU's memory, weights included; None on a CPU.
    """

    ratio: float
    work_ratio: float
    over_prefill_floor: float
    work_over_prefill_floor: float
    over_shared_floor: float | None
    work_over_shared_floor: float | None
    different_names: int
    different_lists: int
    largest_score_difference: float
    different_names_by_batch: float
    mentions_per_s: float
    baseline_mentions_per_s: float
    latency_ms: float
    peak_gib: float | None
    largest_batch: int | None
    mode: str
    mentions: int
    baseline_mentions: int
    repeated_share: float
    names: int
    num_beams: int
    prompt_tokens: float


def measure(settings: argparse.Namespace) -> Report:
    """Run the race and sum it up."""
    inputs = Inputs.make(settings)
    prompts = [prompt for group in inputs.groups for prompt in group]
    race = Race(inputs.llm, inputs.names)
    race.run(inputs.groups, per_slice=settings.per_slice, baseline_mentions=settings.baseline_mentions or len(prompts))
    alone = search_alone(race, prompts, settings.alone)
    on_cuda = inputs.llm.device.type == "cuda"
    return Report(
        **speeds(race),
        **identity(race, alone),
        latency_ms=alone.latency_ms,
        peak_gib=race.peak_bytes / GIB if on_cuda else None,
        largest_batch=largest_batch(race, prompts, most=4_096) if on_cuda else None,
        mode=settings.mode,
        mentions=len(prompts),
        baseline_mentions=len(race.published),
        repeated_share=1 - len(inputs.groups) / len(prompts),
        names=len(inputs.names.lengths),
        num_beams=race.num_beams,
        prompt_tokens=float(np.mean([prompt.context_length + prompt.query_length for prompt in prompts])),
    )


def speeds(race: Race) -> dict[str, float | None]:
    """The figures of the report that compare costs."""
    ours, baseline = race.costs["ours"], race.costs["baseline"]
    ratio, work_ratio = baseline.over(ours)
    over, work_over = ours.over(race.costs["floor"])
    shared = race.costs.get("shared_floor")
    over_shared, work_over_shared = ours.over(shared) if shared else (None, None)
    return {
        "ratio": ratio,
        "work_ratio": work_ratio,
        "over_prefill_floor": over,
        "work_over_prefill_floor": work_over,
        "over_shared_floor": over_shared,
        "work_over_shared_floor": work_over_shared,
        "mentions_per_s": ours.mentions / ours.wall,
        "baseline_mentions_per_s": baseline.mentions / baseline.wall,
    }


def identity(race: Race, alone: Alone) -> dict[str, float]:
    """The figures of the report that compare results."""
    difference = compare(race)
    return {
        "different_names": difference.names,
        "different_lists": difference.lists,
        "largest_score_difference": difference.largest_score,
        "different_names_by_batch": alone.different,
    }


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 mentions instead of 208")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    modes = parser.add_mutually_exclusive_group()
    for mode, what in (("wikimel", "one mention in seven repeats another"), ("archive", "ten posts a mention")):
        modes.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="distinct", help=what)
    add_model_options(parser, ("float32", "bfloat16", "float16"))
    parser.add_argument("--mentions", type=int, help="another number of mentions")
    parser.add_argument("--baseline-mentions", type=int, help="so many mentions for the baseline, not all")
    parser.add_argument("--names", type=Path, nargs="+", help="files of names, one a line, plain or .gz")
    parser.add_argument("--curves", type=Path, help="write curves of the cost into a folder, and race not")
    parser.add_argument("--most-names", type=int, default=1_000_000, help="where the curve of names ends")
    parser.add_argument("--profile", type=Path, help="write a picture of where the time goes, and race not")
    return checked(parser, parser.parse_args())


def checked(parser: argparse.ArgumentParser, settings: argparse.Namespace) -> argparse.Namespace:
    """Refuse what does not go together, and fill in what follows from the rest."""
    if bool(settings.tokenizer) != bool(settings.names or settings.mentions_from):
        parser.error("--tokenizer goes with --names or --mentions-from; without them names are made up")
    if settings.curves and settings.tokenizer and not settings.names:
        parser.error("--curves with --tokenizer needs --names")
    settings.mentions = settings.mentions or (16 if settings.quick else 208)
    settings.per_slice, settings.alone = (8, 8) if settings.quick else (104, 64)
    return settings


def main() -> None:
    settings = parse()
    transformers.logging.set_verbosity_error()
    if settings.curves:
        draw_curves(settings, shape_of(settings))
    if settings.profile:
        inputs = Inputs.make(settings)
        prompts = [prompt for group in inputs.groups for prompt in group]
        draw_profile(Race(inputs.llm, inputs.names), prompts, settings.profile)
    if settings.curves or settings.profile:
        return
    report = asdict(measure(settings)) | setup_facts(settings)
    show(report, "constrained beam search, ours against the published algorithm", as_json=settings.json)


if __name__ == "__main__":
    main()
