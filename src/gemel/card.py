"""The model card of a release, README.md in its folder: what it is, how good, on what, its limits, how to load it.

In the form of Hugging Face's model cards, so that a release pushed to the hub shows it. All of it follows from the
manifest's facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.frozen import SENTENCES, TITLES
from gemel.release_facts import EMBED

CARD = "README.md"
WORDS = {
    "accuracy": "accuracy",
    "hits_at_5": "gold among the first 5",
    "accuracy_without_image": "without the image",
    "accuracy_without_demonstrations": "without demonstrations",
    "accuracy_unseen": "entities never trained on",
    "accuracy_head": "head entities",
    "accuracy_tail": "tail entities",
    "accuracy_of_all": "all mentions, those of no entity too, NIL being an answer",
    "coverage_sure": "sure links, of all mentions",
    "precision_sure": "sure links that are right",
    "calibration_error": "calibration error of the probability",
}
_TAGS = ("entity-linking", "multimodal", "gemel")

_LOADING = """## How to load it

```bash
pip install gemel
gemel link --release RELEASE --text "Great shot of the Jaguar this morning" --mention Jaguar
```
```python
from gemel.predictor import Linker

linker = Linker.load("RELEASE")
```

`RELEASE` is this folder; `gemel release pull SOURCE --into RELEASE` brings it and checks every file."""


def write_card(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the card of a release. facts: as its manifest is to have them, of the present format."""
    parts = [
        f"---\n{_front_matter(facts)}\n---",
        _what(facts),
        _figures(facts),
        _stands_on(facts),
        _models(facts),
        _limits(facts),
        _LOADING,
    ]
    (folder / CARD).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _front_matter(facts: Mapping[str, Any]) -> str:
    from huggingface_hub import EvalResult, ModelCardData

    dataset, graded = facts["dataset"], _graded(facts)
    results = [
        EvalResult(
            task_type="entity-linking",
            dataset_type=dataset,
            dataset_name=dataset,
            dataset_split=split,
            metric_type="accuracy",
            metric_name=f"accuracy by entity {graded}",
            metric_value=figure["mean"],
            metric_args={key: figure[key] for key in ("low", "high", "n", "seeds") if key in figure},
        )
        for split, figure in facts["accuracy"].items()
        if figure
    ]
    # The parts of an embedded bundle come from several hands.
    several = facts["backbone"] == EMBED
    hub = [model["name"] for model in facts["models"].values() if model["revision"] and "/" in model["name"]]
    return ModelCardData(
        license="other" if several else "apache-2.0",
        license_name="of-each-part" if several else None,
        library_name="gemel",
        model_name=f"gemel-{dataset}",
        tags=list(_TAGS),
        datasets=[dataset],
        metrics=["accuracy"],
        base_model=hub or None,
        eval_results=results or None,
    ).to_yaml()


def _what(facts: Mapping[str, Any]) -> str:
    return (
        f"# gemel, data set {facts['dataset']}\n\n"
        "Links the mentions in image-text posts to the entities of a knowledge base: a frozen vision encoder looks, a "
        "small trained mapper translates, and a frozen LLM writes the entity's name, held to valid names by a trie. "
        "The mapper is the only trained part; the catalog, the trie, the demonstrations and a calibrator come with it."
    )


def _figures(facts: Mapping[str, Any]) -> str:
    dev, test = (facts["metrics"].get(split, {}) for split in ("dev", "test"))
    rows = [
        f"| {words} | {percent(test.get(key))} | {_interval(test.get(key))} | {percent(dev.get(key))} |"
        for key, words in WORDS.items()
        if test.get(key) or dev.get(key)
    ]
    seeds = max((figure.get("seeds", 1) for figure in facts["accuracy"].values() if figure), default=1)
    several = f" Means of {seeds} mappers; the bundle holds the one that is best on dev." if seeds > 1 else ""
    head = f"## Figures\n\nBy entity {_graded(facts)}, in %, with the 95 % bootstrap interval.{several}\n\n"
    return head + "\n".join(["| | test | interval | dev |", "|---|---|---|---|", *rows])


def _stands_on(facts: Mapping[str, Any]) -> str:
    rows = [f"| {key} | {_cell(value)} |" for key, value in sorted(facts["protocol"].items())]
    said = "## Protocol\n\nWhat the figures stand on; those of two protocols can't be compared.\n\n"
    return said + "\n".join(["| | |", "|---|---|", *rows])


def _models(facts: Mapping[str, Any]) -> str:
    rows = [
        f"| {TITLES[what]} | `{model['name']}` | {model['revision'] or ''} | {(model['sha256'] or '')[:16]} |"
        for what, model in facts["models"].items()
    ]
    held = "The bundle holds them" if facts["backbone"] == EMBED else "The bundle names them and does not hold them"
    table = ["| | name | revision | SHA-256 of its files |", "|---|---|---|---|", *rows]
    licence = "The mapper is under Apache-2.0; the frozen models, the data set and the names in it keep their licences."
    return f"## Frozen models\n\n{held}.\n\n" + "\n".join(table) + f"\n\n{licence}"


def _limits(facts: Mapping[str, Any]) -> str:
    notice = facts["settings"]["backbone"].get("notice")
    changed = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in facts["changes"].items() if count)
    said = [
        "For linking mentions in posts like those of the data set to the entities of this release's catalog. It is no "
        "judge of people, and a link is a guess with a probability: act on those called sure, look at the others.",
        notice,
        f"The catalog was changed since the figures were measured: {changed}." if changed else None,
        "An entity that the catalog lacks can't be found. Demonstrations are posts of the training data, with their "
        "texts: who receives the release receives these."
        + (" Dense demonstrations need the sentence encoder, too." if SENTENCES in facts["models"] else ""),
    ]
    return "## Intended use, limits\n\n" + "\n\n".join(each for each in said if each)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def _graded(facts: Mapping[str, Any]) -> str:
    return str(facts.get("graded_by", "id"))


def percent(figure: Mapping[str, Any] | None) -> str:
    """A share in %, one digit behind the point; "" where it was not measured."""
    return f"{100 * figure['mean']:.1f}" if figure else ""


def _interval(figure: Mapping[str, Any] | None) -> str:
    return f"{100 * figure['low']:.1f} – {100 * figure['high']:.1f}" if figure else ""
