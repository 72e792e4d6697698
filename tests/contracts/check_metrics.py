"""Hold metrics.json to what the README promises of the sample world: `python -m tests.contracts.check_metrics FILE`."""

import json
import sys
from pathlib import Path

FIGURES = (
    "accuracy", "hits_at_5", "accuracy_without_image", "accuracy_without_demonstrations", "accuracy_gold_caption",
    "image_gain", "demonstration_gain", "gap_closed", "accuracy_head", "accuracy_tail", "accuracy_unseen",
    "accuracy_imputed_image",
)  # fmt: skip
KEYS = {"mean", "low", "high", "n", "seeds"}
PROMISES = {
    "accuracy": ("mean", 0.85),
    "image_gain": ("mean", 0.25),
    "gap_closed": ("mean", 0.90),
    "demonstration_gain": ("low", 0.0),
    "accuracy_unseen": ("mean", 0.60),
}


def complaints(metrics: dict[str, dict[str, dict[str, float]]]) -> list[str]:
    """What is missing, and which promise is broken on the test split."""
    found = [
        f"{split}.{name}: missing or without {sorted(KEYS)}"
        for split in ("dev", "test")
        for name in FIGURES
        if not set(metrics[split].get(name) or {}) >= KEYS
    ]
    for name, (key, least) in PROMISES.items():
        value = metrics["test"][name][key]
        if not value > least:
            found.append(f"test.{name}.{key} is {value:.3f}, promised is more than {least}")
    return found


if __name__ == "__main__":
    broken = complaints(json.loads(Path(sys.argv[1]).read_text()))
    sys.exit("\n".join(broken) or 0)
