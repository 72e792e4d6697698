"""Archives of any size from the sample's posts: new ids, mentions by Zipf's law, the same at each call."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from gemel.archive.posts import POSTS
from gemel.stages import DATA

SAMPLE = DATA / "sample"
FILES = 7
# One post in so many has a second mention, and one in so many can't be linked.
SECOND_EVERY, REFUSED_EVERY = 20, 1_000
EXPONENT = 1.0


@dataclass
class Archive:
    """Posts of an archive, and what must come out of them, counted by who made them."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    mentions: int = 0
    refused: int = 0

    @property
    def rows(self) -> int:
        """Links that must come out, a row for each refused post among them."""
        return self.mentions + self.refused

    def write_parquet(self, folder: Path) -> None:
        """Write the posts as files of different sizes."""
        folder.mkdir(parents=True)
        frame = pl.DataFrame(self.posts, schema={name: kind for name, kind in POSTS.items() if name != "row"})
        bounds = [round(len(self.posts) * (number / FILES) ** 1.5) for number in range(FILES + 1)]
        for number in range(FILES):
            frame[bounds[number] : bounds[number + 1]].write_parquet(folder / f"{number}.parquet")

    def write_lines(self, path: Path, places: list[int]) -> None:
        """Write some posts as `gemel link` reads them, with paths of images from here."""
        lines = []
        for place in places:
            post = self.posts[place]
            image = post["image"] and str((SAMPLE / post["image"]).resolve())
            lines.append({"id": post["post_id"], "text": post["text"], "mentions": post["mentions"], "image": image})
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def sampled_archive(mentions: int, seed: int = 0) -> Archive:
    """Posts of the sample, its mention strings by Zipf's law; one in SECOND_EVERY is two posts in one."""
    by_string, rng = _by_string(), np.random.default_rng(seed)
    made = Archive()
    while made.mentions < mentions:
        number = len(made.posts)
        first, second = (_draw(by_string, rng) for _ in range(2))
        post = _post(number, first)
        if number % REFUSED_EVERY == REFUSED_EVERY - 1:
            post["text"] = " "
            made.refused += 1
        elif number % SECOND_EVERY == SECOND_EVERY - 1 and made.mentions + 2 <= mentions:
            shift = len(post["text"]) + 2
            post["text"] = f"{post['text']}. {second['text']}"
            post["mentions"] += [_mention(each, shift) for each in second["mentions"]]
            made.mentions += 2
        else:
            made.mentions += 1
        made.posts.append(post)
    return made


def many_strings(mentions: int, strings: int, seed: int = 0) -> Archive:
    """Posts whose mentions are pairs of the sample's, so that many strings show demonstrations of their own."""
    by_string, rng = _by_string(), np.random.default_rng(seed)
    pairs = [rng.choice(len(by_string), 2, replace=False) for _ in range(strings)]
    made = Archive(mentions=mentions)
    for number, pair in enumerate(rng.choice(strings, mentions, p=_zipf(strings))):
        one, other = (by_string[each] for each in pairs[pair])
        row = one[rng.integers(len(one))]
        string = f"{row['mentions'][0]['mention']} {other[0]['mentions'][0]['mention']}"
        post = _post(number, row)
        post["text"] = post["text"].replace(row["mentions"][0]["mention"], string, 1)
        post["mentions"] = [{"mention": string}]
        made.posts.append(post)
    return made


def _by_string() -> list[list[dict[str, Any]]]:
    """The sample's posts by mention string, the most frequent first."""
    found: dict[str, list[dict[str, Any]]] = {}
    with (SAMPLE / "posts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            found.setdefault(row["mentions"][0]["mention"], []).append(row)
    return sorted(found.values(), key=len, reverse=True)


def _draw(by_string: list[list[dict[str, Any]]], rng: np.random.Generator) -> dict[str, Any]:
    posts = by_string[rng.choice(len(by_string), p=_zipf(len(by_string)))]
    return posts[rng.integers(len(posts))]


def _zipf(strings: int) -> Any:
    weights = 1 / np.arange(1, strings + 1) ** EXPONENT
    return weights / weights.sum()


def _post(number: int, row: dict[str, Any]) -> dict[str, Any]:
    mentions = [_mention(each, 0) for each in row["mentions"]]
    return {"post_id": f"a{number:07}", "text": row["text"], "image": row["image"], "mentions": mentions}


def _mention(row: dict[str, Any], shift: int) -> dict[str, Any]:
    return {"mention": row["mention"], "start": row["start"] + shift, "end": row["end"] + shift}
