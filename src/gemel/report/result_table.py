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
    "accuracy_in_kb": "right, and not answered NIL",
    "accuracy_of_all": "all mentions, those of no entity too",
    "accuracy_of_all_never_nil": "the same, were NIL never answered",
    "nil_f1": "NIL answers: F1",
    "nil_precision": "NIL answers: precision",
    "nil_recall": "NIL answers: recall",
    "coverage_sure": "sure links, of all mentions",
    "precision_sure": "sure links that are right",
    "coverage_sure_unseen": "sure links, of entities never trained on",
    "precision_sure_unseen": "sure links of these that are right",
    "calibration_error": "calibration error of the probability",
    "calibration_error_of_shares": "calibration error of the share within the beam",
    "mentions_auto.end_to_end_f1": "mentions found in the text and linked, F1 (over posts)",
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
        test, dev = figure_of(metrics["test"], key), figure_of(metrics["dev"], key)
        if test is None and dev is None:
            continue
        interval = f"{_percent(test['low'])} – {_percent(test['high'])}" if test else ""
        table.add_row(words, _mean(test), interval, str(test["n"]) if test else "", _mean(dev))
    counts = metrics["test"]["counts"]
    outside = "not graded" if graded_by == "id" else "graded as wrong"
    table.caption = (
        f"test: {counts['mentions']} mentions with an entity ({counts['imputed_image']} of them without a readable "
        f"image), {counts['nil']} NIL graded apart, {counts['out_of_kb']} outside the catalog {outside}; "
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


def figure_of(figures: Metrics, key: str) -> Mapping[str, Any] | None:
    """A figure by its name, or by that of its group and its own with a dot between; None where it is not there."""
    group, _, name = key.rpartition(".")
    found: Mapping[str, Any] | None = (figures.get(group) or {} if group else figures).get(name)
    return found


def _mean(figure: Mapping[str, Any] | None) -> str:
    if figure is None:
        return ""
    spread = f" ± {100 * figure['spread']:.1f}" if figure["seeds"] > 1 else ""
    return f"{_percent(figure['mean'])}{spread}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
