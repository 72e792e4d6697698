"""The two runs of a comparison: folders, or revisions and experiments of DVC."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from gemel.core.artifacts import MANIFEST
from gemel.core.errors import ArtifactError, RequestError
from gemel.report.comparable import Side
from gemel.report.compare import Words
from gemel.report.run import ARTIFACTS, ENTITIES, artifacts_folder, read_evaluation

MENTIONS = "mentions.parquet"
# What a comparison reads of a run, below its artifacts; the first must be there.
WANTED = ("evaluation", f"posts/{MENTIONS}", f"posts/{ENTITIES}", f"entity_trie/{MANIFEST}")


@dataclass(frozen=True)
class Place:
    """Where a run was found. name: as the user gave it. evaluation: its artifact. beside: the folder of all its
    artifacts, which may lack the others.
    """

    name: str
    evaluation: Path
    beside: Path


def find(name: str, copies: Path) -> Place:
    """Find a run by a folder (an evaluation artifact, a folder of artifacts, a checkout) or a DVC revision.

    copies: a folder for what is read from a revision.
    Raises: RequestError if it is neither; ArtifactError if the revision lacks its evaluation.
    """
    folder = Path(name)
    if not folder.is_dir():
        _fetch(name, copies)
        return Place(name, copies / "evaluation", copies)
    artifacts = artifacts_folder(folder)
    if (artifacts / "evaluation").is_dir():
        return Place(name, artifacts / "evaluation", artifacts)
    return Place(name, folder, folder.parent)


def read_side(place: Place) -> Side:
    """Read a run's evaluation. Raises: ArtifactError if it was never finished or is damaged."""
    manifest = place.beside / "entity_trie" / MANIFEST
    facts = json.loads(manifest.read_text(encoding="utf-8"))["facts"] if manifest.is_file() else {}
    return Side(place.name, read_evaluation(place.evaluation), facts.get("names_sha256"))


def read_words(folders: Sequence[Path], wanted: Sequence[str]) -> Words:
    """What mentions and entities are called, by the first of these folders of artifacts that has the tables.

    wanted: ids of mentions that must be known.
    Raises: ArtifactError if none has them all.
    """
    for folder in folders:
        tables = [folder / "posts" / name for name in (MENTIONS, ENTITIES)]
        if all(table.is_file() for table in tables):
            mentions, entities = (pl.read_parquet(table) for table in tables)
            known = {row[0]: row[1:] for row in mentions.select("mention_id", "mention", "text", "start").iter_rows()}
            if known.keys() >= set(wanted):
                return Words(known, dict(entities.select("entity_id", "name").iter_rows()))
    looked = ", ".join(str(folder / "posts") for folder in dict.fromkeys(folders))
    raise ArtifactError(f"no table of these mentions in {looked}; run `dvc repro posts`, or copy that artifact too")


def _fetch(revision: str, folder: Path) -> None:
    """Copy what a comparison reads from a revision, out of DVC's cache or remote."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError
    from scmrepo.exceptions import SCMError

    try:
        tree = DVCFileSystem(rev=revision)
        for name in WANTED:
            source, target = f"{ARTIFACTS}/{name}", folder / name
            if name == WANTED[0] or tree.exists(source):
                target.parent.mkdir(parents=True, exist_ok=True)
                tree.get(source, str(target), recursive=True)
    except (FileNotFoundError, DataIndexDirError) as error:
        raise ArtifactError(
            f"{revision}: it has no {ARTIFACTS}/evaluation, or neither DVC's cache nor its remote does ({error}); "
            "run `dvc fetch` or `dvc repro evaluation` at that revision"
        ) from error
    except (DvcException, SCMError) as error:
        raise RequestError(
            f"{revision}: neither a folder nor a revision or experiment of DVC here ({error}); "
            "`dvc exp show` lists the experiments"
        ) from error
