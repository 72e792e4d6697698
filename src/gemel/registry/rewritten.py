"""Bundles that took the place of promoted ones without a run, as when a post is forgotten: same version, new hash.

.gemel/releases/rewritten.json    folder of the new bundle -> folder that its version names
"""

from __future__ import annotations

import json
from pathlib import Path

from gemel.core.drafts import whole_file
from gemel.core.errors import ArtifactError

FILE = "rewritten.json"


def note_rewritten(releases: Path, former: str, new: str) -> None:
    """Note that a bundle stands for another from now on. former, new: names of their folders."""
    known = _read(releases)
    with whole_file(releases / FILE) as draft:
        draft.write_text(json.dumps(known | {new: known.get(former, former)}, indent=1) + "\n", encoding="utf-8")


def origin_of(releases: Path, name: str) -> str:
    """The folder that a version names, for the bundle that stands for it: mostly the same."""
    return _read(releases).get(name, name)


def standing_for(releases: Path, origin: str) -> str:
    """The folder of the bundle that stands for the one that a version names: the last one that is there."""
    names = [new for new, former in _read(releases).items() if former == origin and (releases / new).is_dir()]
    return origin if (releases / origin).is_dir() or not names else names[-1]


def _read(releases: Path) -> dict[str, str]:
    path = releases / FILE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ArtifactError(f"{path}: damaged ({error}); remove it, then `gemel release promote VERSION`") from None
    return {str(new): str(former) for new, former in found.items()}
