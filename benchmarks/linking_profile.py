"""Where the time of a search goes, ours and the published one, in CPU time.

Some functions and the model's forward pass are wrapped for the run. Each stretch of time counts for the innermost of
them that is running, so the parts add up to the whole. The published search's top-k is part of its bookkeeping; its
look-ups are those of its callback.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional

from benchmarks.linking_race import Race
from benchmarks.published_search import NestedTrie
from gemel.entities.constraint import TrieConstraint
from gemel.llm import reading
from gemel.llm.beams import Beams, Positions
from gemel.llm.cache import SharedPromptCache
from gemel.llm.segments import Prompt

BASELINE_MENTIONS = 8
READING, CHAINS = "reading prompts", "reading names"
BOOKKEEPING, LOOKUP, EMBEDDING, CACHE = "beam bookkeeping", "trie look-ups, top-k", "embedding prompts", "masks, cache"
# Innermost parts inside a forward pass; what is left of it is norms, positions, activations and calls.
ATTENTION, LINEAR, REST = "attention", "linear layers and head", "rest of the model"
GEMEL, PUBLISHED = "gemel", "published search"
PARTS = (
    EMBEDDING,
    f"{READING}: {LINEAR}",
    f"{READING}: {ATTENTION}",
    f"{READING}: {REST}",
    f"{CHAINS}: {LINEAR}",
    f"{CHAINS}: {ATTENTION}",
    f"{CHAINS}: {REST}",
    LOOKUP,
    CACHE,
    BOOKKEEPING,
)


class Stopwatch:
    """Adds up CPU seconds by the innermost part that is running."""

    def __init__(self, outermost: str) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._running = [outermost]
        self._last = time.process_time()

    def enter(self, part: str) -> None:
        self._charge()
        self._running.append(part)

    def leave(self) -> None:
        self._charge()
        self._running.pop()

    def inside(self, part: str) -> str:
        """The name of a part of the forward pass that is running."""
        return f"{READING if f'{READING}: {REST}' in self._running else CHAINS}: {part}"

    def timed(self, function: Callable[..., Any], part: str, *, of_pass: bool = False) -> Callable[..., Any]:
        """The function, counted as a part, or as this part of the forward pass that it runs in."""

        @wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            self.enter(self.inside(part) if of_pass else part)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        return run

    def stop(self) -> dict[str, float]:
        """The seconds of all parts."""
        self._charge()
        return dict(self.seconds)

    def _charge(self) -> None:
        now = time.process_time()
        self.seconds[self._running[-1]] += now - self._last
        self._last = now


@contextmanager
def watched(llm: torch.nn.Module) -> Iterator[Stopwatch]:
    """Watch the search; what is in no other part counts as bookkeeping."""
    watch = Stopwatch(BOOKKEEPING)
    wrapped = [(TrieConstraint, name, LOOKUP) for name in ("best", "children", "chains", "tokens_into", "heights")]
    wrapped += [(Beams, name, BOOKKEEPING) for name in ("advance", "decided", "keep")]
    wrapped += [(Positions, "append", BOOKKEEPING), (NestedTrie, "get", LOOKUP), (reading, "embed_segments", EMBEDDING)]
    wrapped += [(SharedPromptCache, name, CACHE) for name in ("mask", "keep", "write_slots", "copy_prompt")]
    of_pass = {"scaled_dot_product_attention": ATTENTION, "linear": LINEAR}

    def enter(_module: object, _args: object, inputs: dict[str, Any]) -> None:
        # Prompts come as embeddings, what is generated as token ids.
        watch.enter(f"{CHAINS if inputs.get('inputs_embeds') is None else READING}: {REST}")

    with ExitStack() as stack:
        for owner, name, part in wrapped:
            stack.enter_context(patch.object(owner, name, watch.timed(getattr(owner, name), part)))
        for name, part in of_pass.items():
            timed = watch.timed(getattr(functional, name), part, of_pass=True)
            stack.enter_context(patch.object(functional, name, timed))
        stack.callback(llm.register_forward_pre_hook(enter, with_kwargs=True).remove)
        stack.callback(llm.register_forward_hook(lambda *_: watch.leave()).remove)
        yield watch


def profile(race: Race, prompts: Sequence[Prompt], baseline_mentions: int) -> dict[str, dict[str, float]]:
    """CPU milliseconds of a mention by part, ours and the baseline's."""
    embedded = [race.embed(prompt) for prompt in prompts[:baseline_mentions]]
    runs: dict[str, tuple[Callable[[], object], int]] = {
        GEMEL: (lambda: race.ours([*prompts]), len(prompts)),
        PUBLISHED: (lambda: race.baseline(embedded), len(embedded)),
    }
    race.ours([*prompts[:1]])
    race.baseline(embedded[:1])
    found = {}
    for name, (run, mentions) in runs.items():
        with watched(race.llm) as watch:
            run()
            seconds = watch.stop()
        found[name] = {part: value * 1e3 / mentions for part, value in seconds.items()}
    return found


def plot_profile(costs: dict[str, dict[str, float]], mentions: int, path: Path) -> None:
    """Draw a bar for each part and search."""
    from matplotlib import pyplot as plt

    figure, panel = plt.subplots(figsize=(9, 5), layout="constrained")
    places = range(len(PARTS))
    for (search, parts), shift, color in zip(costs.items(), (-0.2, 0.2), ("tab:blue", "tab:gray"), strict=True):
        total = sum(parts.values())
        together = f"{mentions} mentions together" if search == GEMEL else "one mention at a time"
        values = [parts.get(part, 0.0) for part in PARTS]
        label = f"{search}, {together}: {total:.0f} ms a mention"
        bars = panel.barh([place + shift for place in places], values, height=0.38, color=color, label=label)
        shares = [f"{value:.1f} ms, {value / total:.0%}" if value else "–" for value in values]
        panel.bar_label(bars, shares, padding=3, fontsize=8)
    panel.set_yticks(places, PARTS)
    panel.invert_yaxis()
    panel.set(xlabel="CPU time of a mention, ms", title="Where the time of a search goes")
    panel.margins(x=0.15)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(loc="lower right", bbox_to_anchor=(1, 0.14), frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def draw_profile(race: Race, prompts: Sequence[Prompt], path: Path) -> None:
    """Profile a search of some prompts, and the published search of the first few; write the picture."""
    costs = profile(race, prompts, baseline_mentions=BASELINE_MENTIONS)
    plot_profile(costs, len(prompts), path)
    path.with_suffix(".json").write_text(json.dumps(costs, indent=1) + "\n", encoding="utf-8")
