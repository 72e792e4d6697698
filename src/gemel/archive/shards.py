"""Finished shards: each a folder that is there whole or not at all, and once, whoever else makes it meanwhile."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl

from gemel.core.artifacts import FORMAT, MANIFEST, file_sha256, read_manifest
from gemel.core.errors import ArtifactError
from gemel.links import SCHEMA

ROWS: dict[str, Any] = SCHEMA | {"row": pl.Int64}
LINKS = "links.parquet"
STAGE = "archive"
_ADVICE = "it is linked anew"

log = logging.getLogger(__name__)


def shard_folder(shards: Path, number: int) -> Path:
    """Where a finished shard lies."""
    return shards / f"{number:08}"


def write_shard(shards: Path, number: int, rows: Iterable[Mapping[str, Any]], facts: Mapping[str, Any]) -> bool:
    """Write a shard's links under a name of their own, and give them the shard's place if nobody has it yet.

    rows: with the columns of ROWS. facts: of the manifest. Returns: whether these are the shard now.
    Raises: OSError if they can't be written; nothing is left then.
    """
    target, draft = shard_folder(shards, number), shards / f".{number:08}.{uuid4().hex}"
    draft.mkdir(parents=True)
    try:
        pl.DataFrame(list(rows), schema=ROWS).write_parquet(draft / LINKS)
        entry = {"bytes": (draft / LINKS).stat().st_size, "sha256": file_sha256(draft / LINKS)}
        manifest = {"format": FORMAT, "stage": STAGE, "facts": dict(facts), "files": {LINKS: entry}}
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
        # A folder that holds something can't be replaced by a rename: the first one stays.
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return False
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def finished_shards(shards: Path, plan: str) -> dict[int, dict[str, Any]]:
    """Facts of the finished shards, by number. Damaged ones, those of another plan, and drafts are removed.

    plan: the key of the job that they are of. No worker may be at work meanwhile.
    """
    shards.mkdir(parents=True, exist_ok=True)
    found = {}
    for folder in sorted(shards.iterdir()):
        try:
            facts = read_manifest(folder, STAGE, check_hashes=True, advice=_ADVICE) if folder.name.isdigit() else {}
            if facts.get("plan") == plan and facts.get("shard") == int(folder.name):
                found[int(folder.name)] = facts
                continue
        except (ArtifactError, KeyError, TypeError, AttributeError, NotADirectoryError) as error:
            log.warning("shard %s is damaged and linked anew: %s", folder.name, error)
        _remove(folder)
    return found


def read_shards(shards: Path, numbers: Iterable[int]) -> Iterator[pl.DataFrame]:
    """The links of finished shards, columns of ROWS."""
    for number in numbers:
        yield pl.read_parquet(shard_folder(shards, number) / LINKS)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
