"""Speed and memory of a training step, against the published one in the same process.

The baseline is a plain port of the published code's step: one example at a time, the LM head over all positions. Both
train the same linear mapper (ViT-L/14's 1,024 numbers to 4 soft tokens) through the same random LLM on the same
examples, prompts of 16 demonstrations and a query, and take turns in batches of 16.

The optimizer's own step is left out; it is the same for both. --kills N instead kills a small training run N times
at random points, resumes it each time, and compares the mappers.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, dataclass

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from benchmarks.linking_race import GIB
from benchmarks.model_inputs import Inputs, add_model_options, setup_facts
from benchmarks.output import show
from benchmarks.training_kills import kill_runs
from benchmarks.training_race import COURSE, TrainingRace
from gemel.core.settings import TrainingRuntime
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.examples import Batch, Example, ExampleSegment

VISION_DIM, PREFIX_TOKENS = 1024, 4
WIKIMEL_TRAIN = 18_092
FLOP_PER_PARAMETER = 4  # a forward pass takes 2 per position, and the backward pass without weight gradients as many


@dataclass(frozen=True)
class Report:
    """What the benchmark found.

    ratio: ours / baseline in examples per second of wall time; work_ratio: in CPU time. gradient_difference: norm of
    the gradients' difference by that of the baseline's, over one batch. activation_ratio: what autograd keeps for one
    example, ours / baseline; activation_mib: ours. peak_gib: most memory of a step beyond the model, ours and the
    baseline's, on a GPU. teraflops: of the matrix products with weights, per second. wikimel_epoch_h: hours for 18,092
    examples at our speed.
    """

    ratio: float
    work_ratio: float
    gradient_difference: float
    activation_ratio: float
    activation_mib: float
    examples_per_s: float
    baseline_examples_per_s: float
    tokens_per_s: float
    teraflops: float
    wikimel_epoch_h: float
    peak_gib: float | None
    baseline_peak_gib: float | None
    model_gib: float
    examples: int
    baseline_examples: int
    prompt_tokens: float
    tokens_at_once: int
    activation_checkpointing: bool
    compile: bool
    four_bits: bool


def make_batches(inputs: Inputs, count: int) -> list[Batch]:
    """Prompts with random images, and a random name to answer each with."""
    rng, names = np.random.default_rng(0), inputs.names.to_lists()
    generator = torch.Generator().manual_seed(0)
    prompts = [prompt for group in inputs.groups for prompt in group]
    end = int(inputs.llm.config.eos_token_id)
    examples = [
        Example(
            tuple(
                ExampleSegment(segment.token_ids, torch.randn(VISION_DIM, generator=generator))
                for segment in (*prompt.context, *prompt.query)
            ),
            (*names[rng.integers(len(names))], end),
            name=str(number),
        )
        for number, prompt in enumerate(prompts)
    ]
    size = COURSE.batch_size
    return [examples[start : start + size] for start in range(0, size * count, size)]


def in_four_bits(llm: PreTrainedModel) -> PreTrainedModel:
    """The same weights, those of the layers in 4 bit; the library quantizes on loading alone."""
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=llm.dtype)
    with tempfile.TemporaryDirectory() as place:
        llm.save_pretrained(place)
        small = AutoModelForCausalLM.from_pretrained(
            place, dtype=llm.dtype, quantization_config=config, device_map={"": llm.device}
        )
    return small.eval().requires_grad_(False)


def measure(settings: argparse.Namespace) -> Report:
    """Run the race and sum it up."""
    inputs = Inputs.make(settings)
    batches = make_batches(inputs, settings.batches)
    torch.manual_seed(0)
    llm = in_four_bits(inputs.llm) if settings.four_bits else inputs.llm
    mapper = LinearMapper(VISION_DIM, llm.get_input_embeddings().weight.shape[1], PREFIX_TOKENS)
    mapper.match_scale(torch.stack(batches[0][0].images), llm.get_input_embeddings().weight.detach()[:1_000].cpu())
    runtime = TrainingRuntime(
        tokens_at_once=settings.tokens_at_once or "auto",
        activation_checkpointing=settings.checkpointing,
        compile=settings.compile,
    )
    # In float64 the mapper's rounding would be all that there is.
    mapper.to(llm.device, torch.float64 if settings.dtype == "float64" else torch.float32)
    race = TrainingRace(llm, mapper, runtime)
    race.run(batches, settings.baseline_batches)
    on_cuda = llm.device.type == "cuda"
    ours, baseline = race.costs["ours"], race.costs["baseline"]
    ratio, work_ratio = baseline.over(ours)
    kept, baseline_kept = race.activations(batches[0][0])
    tokens = float(np.mean([example.positions(PREFIX_TOKENS) for batch in batches for example in batch]))
    speed = ours.mentions / ours.wall
    weights = sum(parameter.numel() for parameter in inputs.llm.base_model.parameters())
    return Report(
        ratio=ratio,
        work_ratio=work_ratio,
        gradient_difference=race.gradient_difference(batches[0]),
        activation_ratio=kept / baseline_kept,
        activation_mib=kept / 2**20,
        examples_per_s=speed,
        baseline_examples_per_s=baseline.mentions / baseline.wall,
        tokens_per_s=speed * tokens,
        teraflops=FLOP_PER_PARAMETER * weights * speed * tokens / 1e12,
        wikimel_epoch_h=WIKIMEL_TRAIN / speed / 3600,
        peak_gib=race.peak(race.ours, batches[0]) / GIB if on_cuda else None,
        baseline_peak_gib=race.peak(race.baseline, batches[0]) / GIB if on_cuda else None,
        model_gib=sum(value.nbytes for value in llm.state_dict().values()) / GIB,
        examples=ours.mentions,
        baseline_examples=baseline.mentions,
        prompt_tokens=tokens,
        tokens_at_once=race.module.tokens_at_once,
        activation_checkpointing=settings.checkpointing,
        compile=settings.compile,
        four_bits=settings.four_bits,
    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 batches instead of 8")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    add_model_options(parser, ("float64", "float32", "bfloat16", "float16"))
    parser.add_argument("--batches", type=int, help="another number of batches")
    parser.add_argument("--baseline-batches", type=int, help="so many batches for the baseline, not all")
    parser.add_argument("--tokens-at-once", type=int, help="of our passes; by default what the device holds")
    parser.add_argument("--checkpointing", action="store_true", help="our side recomputes activations")
    parser.add_argument("--four-bits", action="store_true", help="quantize the model's layers")
    parser.add_argument("--compile", action="store_true", help="our side compiles its layers")
    parser.add_argument("--kills", type=int, metavar="N", help="kill training runs N times, and race not")
    settings = parser.parse_args()
    if bool(settings.tokenizer) != bool(settings.mentions_from):
        parser.error("--tokenizer and --mentions-from go together; without them prompts are made up")
    settings.batches = settings.batches or (2 if settings.quick else 8)
    settings.baseline_batches = settings.baseline_batches or settings.batches
    # What Inputs asks for beside these.
    settings.mode, settings.names, settings.mentions = "distinct", None, settings.batches * COURSE.batch_size
    return settings


def main() -> None:
    settings = parse()
    transformers.logging.set_verbosity_error()
    if settings.kills:
        show(asdict(kill_runs(settings.kills)), "training runs, killed and resumed", as_json=settings.json)
        return
    report = asdict(measure(settings)) | setup_facts(settings)
    show(report, "a training step, ours against the published one", as_json=settings.json)


if __name__ == "__main__":
    main()
