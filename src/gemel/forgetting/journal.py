"""What a forgetting has still to do once the data no longer have the post: kept without its words.

.gemel/forgetting/<SHA-256 of the post's id, 16 digits>.json   objects of DVC to delete; when it was begun and done
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from gemel.core.drafts import whole_file
from gemel.core.errors import DataError

FOLDER, DIGITS = Path(".gemel/forgetting"), 16


@dataclass(frozen=True)
class Journal:
    """post: SHA-256 of its id. begun, done: UTC, ISO 8601; done is None until nothing is left to do. objects: of
    DVC's stores, not deleted yet; once it is done, those that were to stay.
    """

    post: str
    begun: str
    done: str | None = None
    objects: tuple[str, ...] = ()


def read_journal(root: Path, post_id: str) -> Journal | None:
    """What is known of a post's forgetting; None if it was never begun. Raises: DataError if it can't be read."""
    path = _path(root, post_id)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return Journal(**facts | {"objects": tuple(facts["objects"])})
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: damaged ({error}); delete it and run `gemel forget` again") from error


def begin(root: Path, post_ids: Iterable[str], objects: Iterable[str]) -> None:
    """Note what there is to delete, beside what a forgetting that was cut off had noted."""
    for post_id in post_ids:
        former = read_journal(root, post_id)
        noted = set(objects) | {*(former.objects if former else ())}
        begun = former.begun if former and former.done is None else _now()
        _write(root, post_id, Journal(_digest(post_id), begun, None, tuple(sorted(noted))))


def finish(root: Path, post_ids: Iterable[str], kept: Iterable[str] = ()) -> None:
    """Note that nothing is left to do. kept: objects that were to stay."""
    for post_id in post_ids:
        former = read_journal(root, post_id)
        _write(
            root, post_id, Journal(_digest(post_id), former.begun if former else _now(), _now(), tuple(sorted(kept)))
        )


def _write(root: Path, post_id: str, journal: Journal) -> None:
    (root / FOLDER).mkdir(parents=True, exist_ok=True)
    with whole_file(_path(root, post_id)) as draft:
        draft.write_text(json.dumps(asdict(journal), indent=1) + "\n", encoding="utf-8")


def _path(root: Path, post_id: str) -> Path:
    return root / FOLDER / f"{_digest(post_id)[:DIGITS]}.json"


def _digest(post_id: str) -> str:
    return hashlib.sha256(post_id.encode("utf-8", "surrogateescape")).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
