"""From ids to what tells the posts: their words, mentions and pictures, and who else has the same."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from gemel.core.artifacts import file_sha256
from gemel.core.errors import RequestError
from gemel.forgetting.pictures import file_md5
from gemel.forgetting.sources import Written, written_posts
from gemel.forgetting.trace import Trace, Vectors

RECORDS = ("images.parquet", "image_vectors.parquet")
NEAREST, COMPARED = 3, 5_000


@dataclass(frozen=True)
class Found:
    """The posts that were asked for. missing: ids that no file has. notes: what else is to be known of them."""

    trace: Trace
    posts: tuple[Written, ...]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tested(self) -> tuple[str, ...]:
        """Ids of those that belong to the test set."""
        return tuple(dict.fromkeys(each.post_id for each in self.posts if each.split == "test"))

    @property
    def trained(self) -> tuple[str, ...]:
        """Ids of those that a mapper may have been trained on."""
        return tuple(dict.fromkeys(each.post_id for each in self.posts if each.split == "train"))


@dataclass
class _Pictures:
    """SHA-256 of the wanted posts' images, and by it their MD5 and size; those without a file have neither."""

    sha256: set[str] = field(default_factory=set)
    files: dict[str, tuple[str, int]] = field(default_factory=dict)

    def take(self, post: Written) -> None:
        if post.image is not None and post.image.is_file():
            sha256 = file_sha256(post.image)
            self.files[sha256] = (file_md5(post.image), post.image.stat().st_size)
            self.sha256.add(sha256)
        elif recorded := _recorded(post):
            self.sha256.add(recorded)

    def shown_by(self, post: Written) -> str | None:
        """The SHA-256 of a wanted image that another post shows too."""
        if post.image is None or not post.image.is_file():
            return post.sha256 if post.sha256 in self.sha256 else None
        if post.image.stat().st_size not in {size for _, size in self.files.values()}:
            return None
        sha256 = file_sha256(post.image)
        return sha256 if sha256 in self.sha256 else None


def find_posts(root: Path, ids: Sequence[str]) -> Found:
    """Find posts by their ids, wherever they are written down, and what people said of the same words."""
    wanted = tuple(each for each in written_posts(root) if each.post_id in set(ids))
    texts, pictures = {each.text for each in wanted}, _Pictures()
    said = [each for each in written_posts(root) if each.said and each.text in texts]
    for each in (*wanted, *said):
        pictures.take(each)
    own = {each.post_id for each in (*wanted, *said)}
    twins, shared = _others(root, own, texts, pictures)
    alone = pictures.sha256 - shared.keys()
    files = [pictures.files[sha256] for sha256 in alone if sha256 in pictures.files]
    trace = Trace(
        ids=frozenset(own | {id_ for each in (*wanted, *said) for id_ in each.mentions}),
        texts=frozenset(texts),
        pictures=frozenset(alone),
        objects=frozenset(md5 for md5, _ in files),
        sizes=frozenset(size for _, size in files),
        vectors=tuple(_vectors(root, alone)),
    )
    missing = tuple(id_ for id_ in dict.fromkeys(ids) if id_ not in own)
    return Found(trace, wanted, missing, _notes(twins, shared))


def posts_showing(root: Path, sha256: str) -> tuple[str, ...]:
    """Ids of the posts that show an image. Raises: RequestError if there is none."""
    found: dict[str, None] = {}
    for each in written_posts(root):
        shown = each.sha256
        if each.image is not None and each.image.is_file():
            shown = file_sha256(each.image)
        if shown == sha256 and not each.said:
            found[each.post_id] = None
    if not found:
        raise RequestError(f"no post shows an image of SHA-256 {sha256}; nothing was changed")
    return tuple(found)


def unknown_post(root: Path, post_id: str) -> RequestError:
    """The error about an id that nothing has, with the ids that are nearest to it."""
    known = dict.fromkeys(each.post_id for each in written_posts(root))
    alike = [each for each in known if each[:2] == post_id[:2]][:COMPARED] or list(known)[:COMPARED]
    near = difflib.get_close_matches(post_id, alike, NEAREST, 0.0)
    hint = f"nearest are {', '.join(map(repr, near))}" if near else "there are no posts at all"
    return RequestError(f"no post {post_id!r} in data/, .gemel/ or artifacts/posts ({hint}); nothing was changed")


def _others(root: Path, own: set[str], texts: set[str], pictures: _Pictures) -> tuple[dict[str, None], dict[str, str]]:
    """Ids of other posts of the same words, and the images that others show: SHA-256 -> an id."""
    twins: dict[str, None] = {}
    shared: dict[str, str] = {}
    for each in written_posts(root):
        if each.post_id in own:
            continue
        if each.text in texts:
            twins[each.post_id] = None
        if (sha256 := pictures.shown_by(each)) is not None:
            shared[sha256] = each.post_id
    return twins, shared


def _notes(twins: Iterable[str], shared: dict[str, str]) -> tuple[str, ...]:
    same = [f"{each} has the same words and stays; name it too if it is to go" for each in twins]
    return (*same, *(f"the image {sha256[:16]} stays: {post_id} shows it too" for sha256, post_id in shared.items()))


def _recorded(post: Written) -> str | None:
    """SHA-256 of an image that is no file here, as the tables or the data set's records of images have it."""
    if post.sha256 is not None or post.image is None:
        return post.sha256
    for name in RECORDS:
        folder = next((each for each in post.image.parents if (each / name).is_file()), None)
        if folder is not None:
            named = pl.col("image") == post.image.relative_to(folder).as_posix()
            found = pl.scan_parquet(folder / name).filter(named).select("sha256").collect()["sha256"].to_list()
            if found and found[0]:
                return str(found[0])
    return None


def _vectors(root: Path, pictures: Iterable[str]) -> Iterable[Vectors]:
    """The vectors of images, as the feature store and the release have them."""
    store, release, wanted = root / "artifacts/image_features", root / "artifacts/release", set(pictures)
    if (store / "index.parquet").is_file():
        index = pl.read_parquet(store / "index.parquet").filter(pl.col("sha256").is_in(list(wanted)))
        for shard, row in index.select("shard", "row").iter_rows():
            yield np.array(np.load(store / f"shard-{shard:05d}.npy", mmap_mode="r")[row])
    if (release / "images.json").is_file():
        order = json.loads((release / "images.json").read_text(encoding="utf-8"))
        for row, sha256 in enumerate(order):
            if sha256 in wanted:
                yield np.array(np.load(release / "vectors.npy", mmap_mode="r")[row])
