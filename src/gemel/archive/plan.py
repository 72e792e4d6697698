"""The plan of an archive: of what, with which release and how it is linked; made once, and held to ever after."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gemel.archive.grouping import LEAST_SAVING, Repeats
from gemel.archive.posts import ArchivePosts
from gemel.archive.settings import ArchiveSettings
from gemel.core.artifacts import file_sha256
from gemel.core.drafts import whole_file
from gemel.core.errors import ArtifactError

FORMAT = 1
PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What links depend on, and how the work is cut.

    inputs: name in the source, number of posts, bytes and SHA-256 of each file. release: SHA-256 of its manifest.
    images: the folder that paths of images start from. group: the order in which posts are linked; asked: the setting
    that it follows from; repeats: the counts that it was chosen by, none where the setting chose.
    """

    inputs: tuple[Mapping[str, Any], ...]
    release: str
    images: str
    shard_posts: int
    top: int | None
    asked: str
    group: Literal["mention", "none"]
    repeats: Mapping[str, Any]

    @property
    def posts(self) -> int:
        """Posts of the archive."""
        return sum(each["posts"] for each in self.inputs)

    @property
    def shards(self) -> range:
        """The numbers of all shards."""
        return range(-(-self.posts // self.shard_posts))

    @property
    def digest(self) -> str:
        """What its grouped posts and its links name it by."""
        return hashlib.sha256(_text(self).encode()).hexdigest()

    def bounds(self, shard: int) -> tuple[int, int]:
        """Places of a shard's first post and of the one behind its last, in the order of the plan."""
        start = shard * self.shard_posts
        return start, min(start + self.shard_posts, self.posts)


def input_facts(posts: ArchivePosts, source: Path) -> tuple[dict[str, Any], ...]:
    """The files as a plan records them; reads each of them whole."""
    root = source if source.is_dir() else source.parent
    return tuple(
        {
            "name": file.path.relative_to(root).as_posix(),
            "posts": file.posts,
            "bytes": file.bytes,
            "sha256": file_sha256(file.path),
        }
        for file in posts.files
    )


def settle_plan(
    folder: Path,
    inputs: tuple[dict[str, Any], ...],
    release: str,
    images: Path,
    settings: ArchiveSettings,
    count: Callable[[], Repeats],
    demonstrations: int,
) -> Plan:
    """The plan that lies in a folder, or a new one there.

    release: SHA-256 of its manifest. count: called if "auto" has to choose. demonstrations: of each mention.
    Raises: ArtifactError if the plan is of something else, saying what differs, or is damaged.
    """
    wanted: dict[str, Any] = {
        "inputs": inputs,
        "release": release,
        "images": str(images),
        "shard_posts": settings.shard_posts,
        "top": settings.top,
        "asked": settings.group,
    }
    if (folder / PLAN).is_file():
        plan = read_plan(folder)
        _check_same(folder / PLAN, plan, wanted)
        return plan
    repeats = count() if settings.group == "auto" else None
    found = {} if repeats is None else asdict(repeats) | {"saving": repeats.saving(demonstrations)}
    grouped = settings.group == "mention" or found.get("saving", 0.0) >= LEAST_SAVING
    plan = Plan(**wanted, group="mention" if grouped else "none", repeats=found)
    with whole_file(folder / PLAN) as draft:
        draft.write_text(_text(plan), encoding="utf-8")
    return plan


def read_plan(folder: Path) -> Plan:
    """The plan that lies in a folder.

    Raises: ArtifactError if there is none, or it is damaged.
    """
    path = folder / PLAN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("format") != FORMAT:
            raise ValueError(f"not format {FORMAT}")
        return Plan(**found | {"inputs": tuple(found["inputs"])})
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file, so no archive was linked here; link one first") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ArtifactError(f"{path}: damaged ({error}); delete it, and the same command makes it again") from error


def _check_same(path: Path, plan: Plan, wanted: Mapping[str, Any]) -> None:
    """Raises: ArtifactError, saying what differs."""
    differences = [
        f"{name} was {getattr(plan, name)!r}, now is {value!r}"
        for name, value in wanted.items()
        if name != "inputs" and getattr(plan, name) != value
    ]
    before, now = ({each["name"]: each for each in inputs} for inputs in (plan.inputs, wanted["inputs"]))
    differences += [f"{name} is gone" for name in before if name not in now]
    differences += [f"{name} is new" for name in now if name not in before]
    differences += [f"{name} changed" for name in now if name in before and now[name] != before[name]]
    if differences:
        raise ArtifactError(
            f"{path}: made for something else: {'; '.join(differences)}. Give back what it was made for to go on, or "
            "link into another folder"
        )


def _text(plan: Plan) -> str:
    return json.dumps({"format": FORMAT} | asdict(plan), indent=1, ensure_ascii=False) + "\n"
