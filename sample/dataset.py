"""The sample data set: posts, pictures and catalog, in the project's own format. The same bytes at every run."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sample.pictures import KINDS, draw, png_bytes, random_scene
from sample.world import CATALOG_SIZE, Inhabitant, Role, World, invented_names, write_text

SEED = 41_077
SIZES = {"train": 2_000, "dev": 300, "test": 600}
# Shares of the linkable posts of dev and test. In training there are no unseen entities, and every other one occurs;
# a novel one twice, as nothing but a demonstration can teach it. Of each kind there are some pictures, else the mapper
# could not learn it.
ROLE_SHARES: Mapping[Role, float] = {"common": 0.63, "novel": 0.24, "unseen": 0.13}
LEAST_IN_TRAINING: Mapping[Role, int] = {"common": 1, "novel": 2, "unseen": 0}
LEAST_OF_A_KIND = 30
CHANGES_NOTE = """\
What was changed about releases since their data set was made: NAME/ is that of the data set NAME, as `gemel entities`
and `gemel demonstrations` keep it. The stage `release` applies it, and no other stage reads it. See docs/catalog.md.
"""
START_NOTE = """\
Where training may start from: a retraining puts the champion's mapper here, if `mapper.start` is `champion`.
With `mapper.start: scratch` the stage `mapper` does not read it. See docs/retraining.md.
"""
NIL_SHARE, HINT_SHARE, HINT_SHARE_WITHOUT_IMAGE, IMAGELESS_SHARE = 0.05, 0.1, 0.5, 0.07


@dataclass(frozen=True)
class Draft:
    """A post before it is written: who is meant (None: nobody in the catalog), by which mention, of which kind."""

    mention: str
    kind: str
    entity: Inhabitant | None


def write_dataset(world: World, folder: Path) -> None:
    """Write posts.jsonl, entities.jsonl, dataset.json and images/ into a fresh folder."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    rng = random.Random(SEED)
    texts: set[str] = set()
    posts = []
    for split, drafts in _drafts(world, rng).items():
        for draft in drafts:
            posts.append(write_post(len(posts), split, draft, texts, folder, rng))
    _write_lines(folder / "posts.jsonl", posts)
    _write_lines(folder / "entities.jsonl", _entities(world))
    facts = {"name": "sample", "format": 1, "source": "made by `python -m sample`", "licence": "Apache-2.0"}
    counts = {"posts": len(posts), "entities": CATALOG_SIZE}
    (folder / "dataset.json").write_text(json.dumps(facts | counts, indent=1) + "\n", encoding="utf-8")


def write_notes(data: Path) -> None:
    """Write what the folders of changes and of a start are; stages watch them, so they have to be there."""
    for folder, note in (("changes", CHANGES_NOTE), ("start", START_NOTE)):
        (data / folder).mkdir(parents=True, exist_ok=True)
        (data / folder / "README.md").write_text(note, encoding="utf-8")


def dataset_texts(folder: Path) -> set[str]:
    """The texts of all posts; the backbones' training never uses one of them."""
    lines = (folder / "posts.jsonl").read_text(encoding="utf-8").splitlines()
    return {json.loads(line)["text"] for line in lines}


def _drafts(world: World, rng: random.Random) -> dict[str, list[Draft]]:
    """Who is written about in each split, in random order."""
    drafts = {}
    for split, size in SIZES.items():
        nil = [_nil(world, rng) for _ in range(round(size * NIL_SHARE))]
        linkable = size - len(nil)
        chosen = _for_training(world, linkable, rng) if split == "train" else _for_testing(world, linkable, rng)
        rows = nil + [Draft(one.mention, one.kind, one) for one in chosen]
        rng.shuffle(rows)
        drafts[split] = rows
    return drafts


def _for_training(world: World, count: int, rng: random.Random) -> list[Inhabitant]:
    people = [one for one in world.inhabitants if one.role != "unseen"]
    least = [one for one in people for _ in range(LEAST_IN_TRAINING[one.role])]
    for kind in sorted({one.kind for one in people}):
        of_kind = [one for one in people if one.kind == kind]
        there = sum(one.kind == kind for one in least)
        least += _by_popularity(of_kind, max(0, LEAST_OF_A_KIND - there), rng)
    return least + _by_popularity(people, count - len(least), rng)


def _for_testing(world: World, count: int, rng: random.Random) -> list[Inhabitant]:
    chosen: list[Inhabitant] = []
    for role, share in ROLE_SHARES.items():
        chosen += _by_popularity([one for one in world.inhabitants if one.role == role], round(count * share), rng)
    return chosen


def _by_popularity(people: list[Inhabitant], count: int, rng: random.Random) -> list[Inhabitant]:
    return rng.choices(people, [one.popularity for one in people], k=count)


def _nil(world: World, rng: random.Random) -> Draft:
    mention = rng.choice(list(world.groups))
    taken = {one.kind for one in world.groups[mention]}
    return Draft(mention, rng.choice([kind for kind in KINDS if kind not in taken]), None)


def write_post(
    number: int, split: str, draft: Draft, texts: set[str], folder: Path, rng: random.Random
) -> dict[str, Any]:
    """Draw a post, and write its picture to images/ of the folder. texts: none of them is drawn; its own is added."""
    shown = rng.random() >= IMAGELESS_SHARE
    hinted = rng.random() < (HINT_SHARE if shown else HINT_SHARE_WITHOUT_IMAGE)
    text = write_text(draft.mention, draft.kind if hinted else None, rng)
    while text in texts:
        text = write_text(draft.mention, draft.kind if hinted else None, rng)
    texts.add(text)
    scene = random_scene(draft.kind, rng)
    image = f"images/{number:05d}.png" if shown else None
    if image is not None:
        (folder / image).write_bytes(png_bytes(draw(scene, rng)))
    start = text.index(draft.mention)
    mention = {
        "id": f"m{number:05d}",
        "mention": draft.mention,
        "start": start,
        "end": start + len(draft.mention),
        "entity": draft.entity.qid if draft.entity else None,
    }
    post = {"id": f"p{number:05d}", "text": text, "image": image, "split": split, "mentions": [mention]}
    return post | ({"caption": scene.caption} if shown else {})


def _entities(world: World) -> Iterable[dict[str, Any]]:
    for one in world.inhabitants:
        yield {
            "id": one.qid,
            "label": one.name,
            "description": one.description,
            "type": one.kind,
            "aliases": [],
            "popularity": one.popularity,
        }
    names = invented_names(world, CATALOG_SIZE - len(world.inhabitants), SEED, {one.name for one in world.inhabitants})
    for number, name in enumerate(names):
        yield {"id": f"sample:{number:04d}", "label": name, "description": "made-up name", "type": "made-up"}


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
