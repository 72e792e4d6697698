"""Changes to a copied project."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from gemel.core.artifacts import MANIFEST, file_sha256


def set_param(root: Path, key: str, value: Any) -> None:
    """Set one value of params.yaml. key: its place, with dots."""
    path = root / "params.yaml"
    params = yaml.safe_load(path.read_text())
    *sections, last = key.split(".")
    place = params
    for section in sections:
        place = place[section]
    place[last] = value
    path.write_text(yaml.safe_dump(params))


def set_fact(artifact: Path, key: str, value: Any) -> None:
    """Set one fact of an artifact's manifest."""
    manifest = json.loads((artifact / MANIFEST).read_text())
    manifest["facts"][key] = value
    (artifact / MANIFEST).write_text(json.dumps(manifest))


def set_table(artifact: Path, name: str, table: pl.DataFrame) -> None:
    """Put another table into an artifact, as if it had been made with it."""
    table.write_parquet(artifact / name)
    manifest = json.loads((artifact / MANIFEST).read_text())
    manifest["files"][name] = {"bytes": (artifact / name).stat().st_size, "sha256": file_sha256(artifact / name)}
    (artifact / MANIFEST).write_text(json.dumps(manifest))
