"""Runs of the pipeline over DVC's experiment queue: queued, run and fetched; what was run before is taken as it is."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dvc.api import DVCFileSystem

from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import GemelError

ARTIFACTS = "artifacts"
PARAMS = "params.yaml"
# Files that no run reads; tables are kept among them.
WITHOUT_EFFECT = (":(exclude)docs", ":(exclude)tests", ":(exclude)*.md")


def run_all(runs: Mapping[str, Sequence[str]], stages: Sequence[str], into: Path, jobs: int = 1) -> dict[str, Path]:
    """Run the pipeline once for each set of overrides that wasn't run on this commit yet, and fetch what came out.

    runs: overrides of the settings, by a label; no overrides: the workspace itself, brought up to date. stages: whose
    artifacts are wanted. jobs: runs at a time; they share the cores.
    Returns: by label, the folder in `into` that holds the artifacts, each in a folder of its stage, and params.yaml.
    Raises: GemelError if files that git tracks have changed (a table must say which code made it), or a run failed.
    """
    _expect_clean()
    names = {label: _name(overrides) for label, overrides in runs.items() if overrides}
    done = set(_output(*_DVC, "exp", "list", "--name-only").split())
    missing = {names[label]: runs[label] for label in names if names[label] not in done}
    for name, overrides in missing.items():
        changes = [word for override in overrides for word in ("-S", override)]
        _run(*_DVC, "exp", "run", "--queue", "--name", name, *changes, *stages)
    if missing:
        threads = max(1, (os.cpu_count() or 1) // jobs)
        _run(*_DVC, "exp", "run", "--run-all", "--jobs", str(jobs), threads=threads)
    if len(names) < len(runs):
        _run(*_DVC, "repro", *stages)
    folder = into / head_commit()[:12]
    return {label: _fetch(names.get(label), stages, folder, tuple(runs[label])) for label in runs}


def head_commit() -> str:
    """The commit that is checked out, as hex digits."""
    return _output("git", "rev-parse", "HEAD").strip()


_DVC = (sys.executable, "-m", "dvc")


def _expect_clean() -> None:
    status = ("git", "status", "--porcelain", "--untracked-files=no", "--", ".", *WITHOUT_EFFECT)
    changed = [line[3:] for line in _output(*status).splitlines()]
    if changed:
        files = ", ".join([*changed[:3], *(["…"] if changed[3:] else [])])
        raise GemelError(
            f"files that git tracks have changed ({files}): commit them first, as a table says which commit made it"
        )


def _name(overrides: Sequence[str]) -> str:
    """A name for the experiment: readable, and another one for other overrides."""
    words = "".join(letter if letter.isalnum() else "-" for letter in overrides[0].lower()).strip("-")
    digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:8]
    return f"{words}-{digest}"


def _fetch(name: str | None, stages: Sequence[str], into: Path, overrides: tuple[str, ...]) -> Path:
    """Copy what a run made. name: of its experiment; None: the workspace."""
    source = DVCFileSystem(rev=name) if name else DVCFileSystem()
    target = into / (name or "workspace")
    try:
        with draft_beside(target) as draft:
            for stage in stages:
                source.get(f"{ARTIFACTS}/{stage}", str(draft / stage), recursive=True)
            source.get(PARAMS, str(draft / PARAMS))
            put_in_place(draft, target)
    except Exception as error:
        raise GemelError(
            f"experiment {name or 'of the workspace'} ({' '.join(overrides) or 'no overrides'}): its results can't be "
            f"had ({error}); see `dvc queue status` and `dvc queue logs {name}`"
        ) from error
    return target


def _run(*command: str, threads: int | None = None) -> None:
    """Run a command, its output where ours goes. threads: of each process that it starts."""
    environment = os.environ | ({"OMP_NUM_THREADS": str(threads)} if threads else {})
    # What a run prints must not mix with a table on standard output.
    if subprocess.run(command, env=environment, stdout=sys.stderr, check=False).returncode:
        raise GemelError(f"`{_shown(command)}` failed; its output says why")


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GemelError(f"`{_shown(command)}` failed: {done.stderr.strip()}")
    return done.stdout


def _shown(command: Sequence[str]) -> str:
    return " ".join(command).replace(" ".join(_DVC), "dvc")
