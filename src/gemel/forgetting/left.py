"""What a forgetting leaves, because it is not the project's to change, or can't be changed: told, a sentence each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from gemel.forgetting.files import held_in_file
from gemel.forgetting.finding import Found
from gemel.forgetting.history import quotations
from gemel.forgetting.releases import bentos_holding

MOST = 5
NEVER_LOOKED_AT = (
    "Never looked at: other clones, DVC remotes that are not the default, places that releases were pushed to, "
    "container images, backups, Prefect's logs, links that were handed out."
)


def left_behind(root: Path, found: Found) -> Iterator[str]:
    """Sentences about what is still there, most of all in git and in trained weights."""
    yield from found.notes
    if found.trained and (root / "artifacts/mapper").is_dir():
        yield (
            f"artifacts/mapper and each release were trained on {_some(found.trained)}; weights can't be rewritten, "
            "`dvc repro` trains them anew"
        )
    for each in found.posts:
        if each.image is not None and not each.image.is_file() and found.trace.pictures:
            yield f"{each.image.name} of {each.post_id} may lie in the archive of the images; delete it there"
    quoted = quotations(root, found.trace.texts, [each.post_id for each in found.posts])
    if quoted.files:
        yield f"git tracks {_some(quoted.files)}, where it is quoted; edit and commit what this command doesn't delete"
    if quoted.commits:
        yield (
            f"git's history has the words in {len(quoted.commits)} commits ({_some(quoted.commits)}); only rewriting "
            "it, with git filter-repo say, and pushing to every clone removes them"
        )
    for path in _own_files(root):
        if held_in_file(path, found.trace):
            yield f"{path.relative_to(root)} is a file of yours and stays; delete it or write it anew"
    for tag in bentos_holding(found.trace):
        yield f"the bento {tag} carries a release with it; `bentoml delete {tag}`, then `bentoml build`"


def _own_files(root: Path) -> list[Path]:
    """Files that git neither tracks nor ignores."""
    listed = ["git", "ls-files", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(listed, cwd=root, capture_output=True, text=True, check=False)
    return [root / name for name in done.stdout.split("\0") if name and (root / name).is_file()]


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return f"{', '.join(names[:MOST])}{more}"
