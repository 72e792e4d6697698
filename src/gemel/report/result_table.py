"""Metrics for people: the result table of the terminal, and the rows that `dvc plots` draws."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

Metrics = Mapping[str, Any]
ROWS = {
    "accuracy": "accuracy",
    "hits_at_5": "gold among the first 5",
    "accuracy_without_image": "without the image",
    "accuracy_imageless_post": "as if no post had an image",
    "accuracy_without_entity_images": "by the LLM's scores alone",
    "accuracy_without_demonstrations": "without demonstrations",
    "accuracy_gold_caption": "gold caption in place of the soft tokens",
    "accuracy_random": "random demonstrations",
    "accuracy_bm25": "BM25 demonstrations",
    "accuracy_dense": "dense demonstrations",
    "image_gain": "gain by the image",
    "demonstration_gain": "gain by demonstrations",
    "gap_closed": "gap closed (without image → gold caption)",
    "accuracy_head": "head entities",
    "accuracy_tail": "tail entities",
    "accuracy_unseen": "entities never trained on",
    "image_gain_head": "gain by the image, head",
    "image_gain_tail": "gain by the image, tail",
    "accuracy_real_image": "posts with an image",
    "accuracy_imputed_image": "posts without an image",
}
PLOTS = {
    "ablations": ("accuracy", "accuracy_without_image", "accuracy_without_demonstrations", "accuracy_gold_caption",
                  "accuracy_random", "accuracy_bm25", "accuracy_dense"),
    "slices": ("accuracy_head", "accuracy_tail", "accuracy_unseen", "accuracy_real_image", "accuracy_imputed_image"),
}  # fmt: skip


def result_table(metrics: Metrics) -> Table:
    """Test and dev side by side: share in %, its 95 % interval, and how many mentions it stands on."""
    graded_by = metrics.get("graded_by", "id")
    table = Table("", "test", "95 % interval", "mentions", "dev", title=f"Linking accuracy by entity {graded_by}, in %")
    for key, words in ROWS.items():
        test, dev = metrics["test"].get(key), metrics["dev"].get(key)
        if test is None and dev is None:
            continue
        interval = f"{_percent(test['low'])} – {_percent(test['high'])}" if test else ""
        table.add_row(words, _mean(test), interval, str(test["n"]) if test else "", _mean(dev))
    counts = metrics["test"]["counts"]
    outside = "not graded" if graded_by == "id" else "graded as wrong"
    table.caption = (
        f"test: {counts['mentions']} mentions with an entity ({counts['imputed_image']} of them without a readable "
        f"image), {counts['nil']} NIL not graded, {counts['out_of_kb']} outside the catalog {outside}; "
        f"to fit the LLM {counts['shortened_prompts']} prompts shortened and {counts['windowed_texts']} texts cut; "
        f"trainable share of all parameters {metrics['mapper']['trainable_share']:.2%}"
    )
    return table


def plot_rows(metrics: Metrics) -> dict[str, list[dict[str, object]]]:
    """Rows of each plot: one bar a figure of the test split."""
    test = metrics["test"]
    return {
        name: [{"what": ROWS[key], "accuracy": test[key]["mean"]} for key in keys if test.get(key)]
        for name, keys in PLOTS.items()
    }


def _mean(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return ""
    spread = f" ± {100 * figure['spread']:.1f}" if figure["seeds"] > 1 else ""
    return f"{_percent(figure['mean'])}{spread}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
