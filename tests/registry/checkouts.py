"""Small checkouts with releases that nothing can be linked with: a manifest, a few bytes, git and a dvc.lock."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from gemel.core.artifacts import artifact_hash, new_artifact
from gemel.registry.registry import Registry
from gemel.registry.stored import folder_md5
from gemel.registry.versions import Version
from gemel.stages import RELEASE

AUTHOR = {"user.name": "test", "user.email": "test@localhost"}


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def dvc(root: Path, *words: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *words], cwd=root, check=True, capture_output=True)


def make_dvc_checkout(root: Path) -> "Checkout":
    """A repository without a release, under DVC, with a remote below it."""
    checkout = make_checkout(root)
    dvc(root, "init", "-q")
    dvc(root, "remote", "add", "-d", "local", ".remote")
    dvc(root, "config", "core.analytics", "false")
    return checkout


def make_bundle(folder: Path, content: str, accuracy: float = 0.9) -> Path:
    """A release whose bytes follow from its content."""
    facts = {"format": 2, "gemel": "test", "accuracy": {"test": {"mean": accuracy}, "dev": None}}
    with new_artifact(folder, "release", facts) as draft:
        (draft / "mapper.safetensors").write_text(content)
        (draft / "trie").mkdir()
        (draft / "trie" / "trie.json").write_text("{}")
    return folder


@dataclass(frozen=True)
class Checkout:
    """root: of a git repository whose artifacts/release is the newest release, and its dvc.lock is committed."""

    root: Path

    @property
    def registry(self) -> Registry:
        return Registry(self.root)

    @property
    def releases(self) -> Path:
        return self.root / ".gemel" / "releases"

    @property
    def pointer(self) -> Path:
        return self.releases / "champion"

    def commit_release(self, content: str) -> str:
        """Make another release, as a run would. Returns: its commit."""
        bundle = make_bundle(self.root / RELEASE, content)
        out = {"path": RELEASE.as_posix(), "hash": "md5", "md5": folder_md5(bundle)}
        lock = {"schema": "2.0", "stages": {"release": {"cmd": "true", "outs": [out]}}}
        (self.root / "dvc.lock").write_text(yaml.safe_dump(lock))
        git(self.root, "add", "dvc.lock")
        git(self.root, "commit", "-q", "--allow-empty", "-m", content)
        return git(self.root, "rev-parse", "HEAD")

    def register(self, content: str) -> Version:
        """Make another release and register it."""
        commit = self.commit_release(content)
        return self.registry.register(self.root / RELEASE, commit, f"run-{content}", f"note of {content}")

    def digest(self) -> str:
        """That of artifacts/release."""
        return artifact_hash(self.root / RELEASE)


def make_checkout(root: Path) -> Checkout:
    """A repository without a release."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    for key, value in AUTHOR.items():
        git(root, "config", key, value)
    (root / ".gitignore").write_text("/artifacts/\n/.gemel/\n/.remote/\n")
    git(root, "add", ".gitignore")
    git(root, "commit", "-q", "-m", "empty")
    return Checkout(root)
