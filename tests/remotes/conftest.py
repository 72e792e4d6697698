"""A project whose data go to a bucket, as moto serves it over HTTP, and clones of it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from transfer.conftest import bucket, s3_server  # noqa: F401 (fixtures)

FILES = 12


def dvc(root: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run DVC's command, whatever it ends with."""
    return subprocess.run(
        [sys.executable, "-m", "dvc", *arguments],
        cwd=root,
        env=os.environ | {"DVC_NO_ANALYTICS": "true"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def git(root: Path, *arguments: str) -> None:
    author = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    subprocess.run(["git", *author, *arguments], cwd=root, check=True)


def fresh_clone(project: Path, to: Path) -> Path:
    subprocess.run(["git", "clone", "-q", project, to], check=True)
    return to


@pytest.fixture
def project(tmp_path: Path, bucket: str, s3_server: str) -> Path:  # noqa: F811 (fixtures)
    """Data in DVC's cache, the remote named in the committed configuration; nothing was pushed."""
    from dvc.repo import Repo

    root = tmp_path / "project"
    (root / "data").mkdir(parents=True)
    for number in range(FILES):
        (root / f"data/{number}.txt").write_text(f"row {number}\n" * 50)
    git(root, "init", "-q")
    with Repo.init(str(root)) as repo:
        remote = {"url": f"s3://{bucket}/gemel", "endpointurl": s3_server, "verify": True}
        with repo.config.edit() as config:
            config["remote"] = {"team": remote}
            config["core"] = {"remote": "team"}
        repo.add(str(root / "data"))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "data")
    return root


@pytest.fixture
def client(bucket: str) -> Any:  # noqa: F811, ARG001 (it sets the environment)
    """Of the local S3."""
    import boto3

    return boto3.client("s3")
