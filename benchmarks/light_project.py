"""A project whose stages take no time: real git, DVC, data set and artifacts, but nothing is encoded or trained.

`posts` refuses a text that holds "BROKEN", as the checks of the real stage refuse data; `release` writes a bundle that
differs with the posts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gemel.posts.data_folder import write_lines

DATASET = "light"
DVC_YAML = """
stages:
  posts:
    cmd: python stages.py posts
    deps: [stages.py, data/light]
    outs: [artifacts/posts]
  release:
    cmd: python stages.py release
    deps: [stages.py, artifacts/posts]
    outs: [artifacts/release]
artifacts:
  gemel: {path: artifacts/release, type: model}
"""
STAGES = """
import shutil
import sys
import time
from pathlib import Path

from gemel.core.artifacts import new_artifact

PAUSE = Path("pause.txt")


def posts():
    source = Path("data/light/posts.jsonl")
    if "BROKEN" in source.read_text():
        stopped = Path("artifacts/.failed/posts/validation.json")
        stopped.parent.mkdir(parents=True, exist_ok=True)
        stopped.write_text('{"checks": []}')
        sys.exit("the check no_broken_text failed: 1 row")
    with new_artifact(Path("artifacts/posts"), "posts", {"dataset": "light"}) as draft:
        shutil.copy(source, draft / "posts.jsonl")


def release():
    if Path("full.txt").exists():
        sys.exit("No space left on device")
    time.sleep(float(PAUSE.read_text()) if PAUSE.exists() else 0)
    with new_artifact(Path("artifacts/release"), "release", {"dataset": "light", "accuracy": {}}) as draft:
        shutil.copy("artifacts/posts/posts.jsonl", draft / "corpus.jsonl")
        (draft / "mapper.safetensors").write_text("weights")


{"posts": posts, "release": release}[sys.argv[1]]()
"""
# All new posts come from one source, and are many beside the few that there are.
SETTINGS = """
build_bento: false
retries: 0
intake: {settle_seconds: 0, caps: {share: 1, per_entity: 100000}}
"""
ENTITIES = [{"id": "Q1", "label": "Jaguar Cars"}, {"id": "Q2", "label": "Jaguar"}]


def post(number: int, split: str = "train", text: str | None = None, entity: str = "Q1") -> dict[str, Any]:
    """A row of posts.jsonl with one mention."""
    words = text or f"Look at the Jaguar, number {number}"
    start = words.index("Jaguar")
    mention = {"id": f"m{number}", "mention": "Jaguar", "start": start, "end": start + 6, "entity": entity}
    return {"id": f"p{number}", "text": words, "image": None, "split": split, "mentions": [mention]}


def drop(root: Path, batch: str, rows: Sequence[dict[str, Any]], source: str = "agency") -> Path:
    """Put a batch into the drop folder. Returns: its folder."""
    folder = root / ".gemel" / "drop" / source / batch
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder / "posts.jsonl", rows)
    return folder


def make_project(root: Path, train: int = 20) -> Path:
    """A checkout on branch main, with a DVC remote beside it, its data pushed and its pipeline up to date."""
    data = root / "data" / DATASET
    rows = [post(number) for number in range(train)]
    rows += [post(1_000 + number, "dev") for number in range(4)] + [post(2_000 + number, "test") for number in range(4)]
    data.mkdir(parents=True)
    write_lines(data / "posts.jsonl", rows)
    write_lines(data / "entities.jsonl", ENTITIES)
    (data / "dataset.json").write_text(json.dumps({"name": DATASET, "format": 1}) + "\n")
    for name, text in {
        "dvc.yaml": DVC_YAML,
        "stages.py": STAGES,
        "params.yaml": f"dataset: {DATASET}\nmapper: {{start: scratch}}\n",
        "conf/retraining.yaml": SETTINGS,
        ".gitignore": "/.gemel/\n/data/\n/artifacts/\n__pycache__/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    _run(root, "git", "init", "-q", "-b", "main")
    _run(root, "git", "config", "user.name", "tester")
    _run(root, "git", "config", "user.email", "tester@example.org")
    for arguments in (
        ("init", "-q"),
        ("config", "core.analytics", "false"),
        ("remote", "add", "-d", "store", str(root.parent / f"{root.name}-store")),
        ("add", "-q", "data"),
        ("repro", "-q"),
        ("push", "-q"),
    ):
        _run(root, sys.executable, "-m", "dvc", *arguments)
    _run(root, "git", "add", "-A")
    _run(root, "git", "commit", "-q", "-m", "A light project")
    return root


def _run(root: Path, *command: str) -> None:
    subprocess.run(command, cwd=root, check=True, capture_output=True)
