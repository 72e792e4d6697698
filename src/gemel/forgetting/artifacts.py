"""Artifacts without some posts: rewritten whole, with a manifest that is true of what they then hold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from gemel.core.artifacts import MANIFEST, new_artifact
from gemel.forgetting import vectors
from gemel.forgetting.files import held_in_file, rewrite_file
from gemel.forgetting.rows import read_table, rewrite_table, rows_held
from gemel.forgetting.trace import Trace

Facts = dict[str, Any]
CORPUS, CHOSEN = "corpus.parquet", "chosen_*.parquet"
VECTORS, IMAGES = "vectors.npy", "images.json"


def stage_of(folder: Path) -> str | None:
    """The stage that made an artifact; None if the folder is none."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    stage = manifest.get("stage") if isinstance(manifest, dict) else None
    return stage if isinstance(stage, str) else None


def held_in_artifact(folder: Path, trace: Trace) -> int:
    """How many rows, vectors and quotations of an artifact are the posts'."""
    return sum(held_in_file(path, trace) for path in sorted(folder.rglob("*")) if path.is_file())


def rewrite_artifact(folder: Path, target: Path, trace: Trace) -> None:
    """Write an artifact without the posts to a target, which may be its own place; it is exchanged whole."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    facts: Facts = manifest["facts"]
    with new_artifact(target, manifest["stage"], facts) as draft:
        shutil.copytree(folder, draft, dirs_exist_ok=True, copy_function=_copy)
        (draft / MANIFEST).unlink()
        if (rule := RULES.get(manifest["stage"])) is not None:
            rule(draft, trace, facts)
        for path in sorted(draft.rglob("*")):
            if path.is_file() and held_in_file(path, trace):
                rewrite_file(path, trace)


def _posts(draft: Path, trace: Trace, facts: Facts) -> None:
    for name in ("posts", "mentions", "rejected"):
        rewrite_table(draft / f"{name}.parquet", trace)
        facts[name] = pl.scan_parquet(draft / f"{name}.parquet").select(pl.len()).collect().item()


def _features(draft: Path, trace: Trace, facts: Facts) -> None:
    kept = draft.with_name(f"{draft.name}-store")
    kept.mkdir()
    facts["images"] = vectors.rewrite_store(draft, kept, trace)
    shutil.rmtree(draft)
    kept.rename(draft)


def _demonstrations(draft: Path, trace: Trace, facts: Facts) -> None:
    """The choices name rows of the corpus by number, so they are numbered anew."""
    held = rows_held(read_table(draft / CORPUS), trace)
    number = pl.DataFrame({"row": range(len(held)), "new": (~held).cum_sum().cast(pl.Int32) - 1, "held": held})
    renumbered = dict(number.filter(~pl.col("held")).select("row", "new").iter_rows())
    for path in draft.glob(CHOSEN):
        chosen = read_table(path)
        rows = [[renumbered[row] for row in some if row in renumbered] for some in chosen["rows"].to_list()]
        left = chosen.with_columns(pl.Series("rows", rows, dtype=pl.List(pl.Int32))).filter(~rows_held(chosen, trace))
        left.write_parquet(path)
        facts["mentions"] = left.height
    rewrite_table(draft / CORPUS, trace)
    facts["corpus"] = len(renumbered)


def _release(draft: Path, trace: Trace, facts: Facts) -> None:  # noqa: ARG001 (they count no rows)
    """The demonstrations, and the vectors of images that none of those left shows."""
    import numpy as np

    from gemel.bundle import write_vectors

    rewrite_table(draft / CORPUS, trace)
    shown = set(read_table(draft / CORPUS)["image_sha256"].drop_nulls())
    order = json.loads((draft / IMAGES).read_text(encoding="utf-8"))
    rows = np.load(draft / VECTORS)
    (draft / VECTORS).unlink()
    (draft / IMAGES).unlink()
    write_vectors(draft, {sha256: row for sha256, row in zip(order, rows, strict=True) if sha256 in shown})


RULES: dict[str, Callable[[Path, Trace, Facts], None]] = {
    "posts": _posts,
    "image_features": _features,
    "demonstrations": _demonstrations,
    "release": _release,
}


def _copy(source: str, target: str) -> str:
    # DVC may have made the artifact of links into its cache, whose files are read-only.
    return str(shutil.copyfile(source, target))
