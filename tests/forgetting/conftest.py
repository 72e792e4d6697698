"""A finished project under git and DVC that holds one post wherever a project can."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from dvc.repo import Repo

from gemel.core.artifacts import artifact_hash, file_sha256
from gemel.forgetting.trace import Trace

POST, MENTION, TEXT, IMAGE = "p16", "m16", "The Amazon this morning", "images/16.png"
STAGES = ("posts", "image_features", "demonstrations", "entity_trie", "mapper", "confidence", "evaluation", "release")


@pytest.fixture
def trace() -> Trace:
    """Of one post without a picture."""
    return Trace(frozenset({POST, MENTION}), frozenset({TEXT}))


@pytest.fixture
def checkout(project_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two versions of the data and one of the artifacts are committed and pushed to a folder; the current folder."""
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "bentoml"))
    _write_pipeline(project_copy)
    _git(project_copy, "init", "-q")
    with Repo.init() as repo:
        _configure(repo, tmp_path / "remote")
        repo.add("data")
        _commit(project_copy, "data")
        _append(
            project_copy / "data/tiny/posts.jsonl", {"id": "p99", "text": "Nobody", "mentions": [], "split": "train"}
        )
        repo.add("data")
        repo.commit(force=True)
        _commit(project_copy, "more data, artifacts")
        repo.push(all_commits=True)
    _fill_progress(project_copy)
    yield project_copy


def _write_pipeline(root: Path) -> None:
    """The stages that made the artifacts, without what they do."""
    before = [["data/tiny"], *([f"artifacts/{stage}"] for stage in STAGES)]
    stages = {
        stage: {"cmd": "true", "deps": deps, "outs": [f"artifacts/{stage}"]}
        for stage, deps in zip(STAGES, before, strict=False)
    }
    (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
    (root / ".gitignore").write_text("/artifacts/\n/.gemel/\n/data/\n")
    shutil.rmtree(root / "artifacts/baselines")


def _configure(repo: Repo, remote: Path) -> None:
    remote.mkdir()
    with repo.config.edit() as config:
        config["remote"] = {"folder": {"url": str(remote)}}
        config["core"] = {"remote": "folder", "analytics": False}


def _commit(root: Path, message: str) -> None:
    _git(root, "add", "-A")
    _git(root, "commit", "-q", "-m", message)


def _git(root: Path, *arguments: str) -> None:
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *author, *arguments], cwd=root, check=True)


def _append(path: Path, row: dict[str, Any]) -> None:
    with path.open("a") as file:
        file.write(json.dumps(row) + "\n")


def _fill_progress(root: Path) -> None:
    """What a service, an intake and a monitoring leave."""
    picture, own = root / "data/tiny" / IMAGE, root / ".gemel"
    sha256 = file_sha256(picture)
    row = {"id": POST, "text": TEXT, "image": f"images/{sha256}.png", "split": "train", "mentions": []}
    other = {"id": "p50", "text": "Another one", "image": None, "mentions": []}
    said = row | {"id": "c0123456789abcdef", "mentions": [{"id": "c0123456789abcdef", "mention": "Amazon"}]}
    for folder, name, rows in (
        ("feedback", "feedback.jsonl", [said, other]),
        ("feedback", "demonstrations.jsonl", [said]),
        ("drop/feed/one", "posts.jsonl", [row, other]),
        ("intake", "quarantine.jsonl", [{"row": row, "reason": "why"}, {"row": other, "reason": "why"}]),
        ("runs/r1/data/tiny", "posts.jsonl", [row]),
    ):
        (own / folder).mkdir(parents=True, exist_ok=True)
        for each in rows:
            _append(own / folder / name, each)
    for folder in ("feedback", "drop/feed/one"):
        (own / folder / "images").mkdir()
        shutil.copy(picture, own / folder / f"images/{sha256}.png")
    (own / "monitoring").mkdir()
    (own / "monitoring/report.html").write_text(f"<p>{TEXT}</p><td>{POST}</td><b>kept</b>")
    _write_records(root, own / "records/2026-11-22", sha256)
    _release(root)


def _write_records(root: Path, day: Path, sha256: str) -> None:
    day.mkdir(parents=True)
    vector = np.load(root / "artifacts/image_features/shard-00000.npy")[_row(root, sha256)]
    rows = [(TEXT, None), (None, vector.tolist()), ("Another one", [9.0] * len(vector))]
    schema = {"text": pl.String, "image_vector": pl.List(pl.Float16)}
    pl.DataFrame(rows, schema=schema, orient="row").write_parquet(day / "part-1.parquet")


def _row(root: Path, sha256: str) -> int:
    index = pl.read_parquet(root / "artifacts/image_features/index.parquet")
    return int(index.filter(pl.col("sha256") == sha256)["row"][0])


def _release(root: Path) -> None:
    release, releases = root / "artifacts/release", root / ".gemel/releases"
    name = artifact_hash(release)[:16]
    shutil.copytree(release, releases / name)
    (releases / "champion").symlink_to(name)
