"""What the rules for corrections catch on the sample world, and what they keep from honest users.

New posts and pictures, none of them of the data set, come as corrections of the service: right ones, one in half a
day, about entities as well known as chance has it; and wrong ones: to any entity of the catalog, to a namesake, many in
a few minutes to one namesake, and one text again and again with small edits. Each kind is looked at alone, without the
linker and with the sure answers of the release. Then a drop of many rows is timed. Needs `make repro`.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.output import show
from benchmarks.sample_release import NewPosts, load_quietly
from gemel.changes.corrections import correction_row
from gemel.core.schema import Mention, Post
from gemel.feedback_lines import FEEDBACK
from gemel.intake.batch import gather
from gemel.intake.settings import CapSettings, IntakeSettings
from gemel.intake.suspicion import SureAnswers
from gemel.posts.data_folder import write_lines
from gemel.stages import RELEASE
from sample.dataset import dataset_texts
from sample.world import Inhabitant, World, load_world

SEED = 51_007
START = datetime(2026, 1, 1, tzinfo=UTC)
MANY = IntakeSettings(settle_seconds=0, caps=CapSettings(rows=10**6, share=1, per_entity=10**6))


@dataclass(frozen=True)
class Size:
    """said: corrections of each kind. dropped: rows that are timed."""

    said: int
    dropped: int


FULL, QUICK = Size(120, 50_000), Size(16, 5_000)


def gold(posts: Sequence[Post], entities: Sequence[str]) -> list[Post]:
    """Posts whose one mention is said to stand for these."""
    return [
        replace(post, mentions=(replace(post.mentions[0], entity_id=entity),))
        for post, entity in zip(posts, entities, strict=True)
    ]


def kinds_of(world: World, drawn: NewPosts, count: int, rng: random.Random) -> dict[str, tuple[list[Post], timedelta]]:
    """Corrections of each kind with the time between two of them."""
    all_of = list(world.inhabitants)
    honest = drawn.by_popularity(all_of, count)
    namesakes = {one.qid: [other.qid for other in world.groups[one.mention] if other != one] for one in all_of}
    grouped = [one for one in all_of if namesakes[one.qid]]
    who = rng.choices(grouped, k=count)
    target = rng.choice(grouped)
    many = gold(drawn.of([target] * count), [namesakes[target.qid][0]] * count)
    edited = [replace(many[0], text=f"{many[0].text}{'!' * place} {place}") for place in range(count)]
    day = timedelta(hours=12)
    return {
        "honest": (honest, day),
        "any_entity": (gold(drawn.of(who), [rng.choice(all_of).qid for _ in who]), day),
        "namesake": (gold(drawn.of(who), [rng.choice(namesakes[one.qid]) for one in who]), day),
        "minutes": (many, timedelta(minutes=1)),
        "edits": (edited, day),
    }


def say(folder: Path, posts: Sequence[Post], between: timedelta) -> None:
    """Write posts as the service's feedback."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for place, post in enumerate(posts):
        name, content = None, b""
        if post.image is not None:
            content = post.image.read_bytes()
            name = f"images/{hashlib.sha256(content).hexdigest()}{post.image.suffix}"
            (folder / name).write_bytes(content)
        facts = {"release": "", "answered": None, "comment": "", "request_id": "", "image_bytes": len(content)}
        mention = Mention(post.mentions[0].text, entity_id=post.mentions[0].entity_id)
        row = correction_row(post.text, mention, name, "the benchmark")
        rows.append(row | facts | {"time": (START + place * between).isoformat()})
    write_lines(folder / FEEDBACK, rows)


def share_in(root: Path, posts: Sequence[Post], between: timedelta, sure_answers: SureAnswers | None) -> float:
    """The share of corrections that come in."""
    folder = root / ".gemel/feedback"
    shutil.rmtree(folder, ignore_errors=True)
    say(folder, posts, between)
    return len(gather(root, Path("data"), "sample", IntakeSettings(), sure_answers).rows) / len(posts)


def timed(root: Path, texts: Sequence[str], who: Sequence[Inhabitant], count: int) -> dict[str, float]:
    """Seconds of a look at a drop of many rows without images."""
    rng = random.Random(SEED)
    folder = root / ".gemel/drop/many/rows"
    folder.mkdir(parents=True)
    rows = []
    for place in range(count):
        one = rng.choice(who)
        mention = {"id": f"m-{place}", "mention": one.mention, "entity": one.qid}
        rows.append({"id": f"n-{place}", "text": f"{rng.choice(texts)} {place} {one.mention}", "mentions": [mention]})
    write_lines(folder / "posts.jsonl", rows)
    wall, work = time.perf_counter(), time.process_time()
    batch = gather(root, Path("data"), "sample", MANY)
    assert len(batch.rows) == count
    return {"rows": count, "look_s": time.perf_counter() - wall, "look_cpu_s": time.process_time() - work}


def run(size: Size, root: Path) -> dict[str, Any]:
    """All of it; writes into a folder."""
    world, texts = load_world(), dataset_texts(Path("data/sample"))
    drawn = NewPosts(root / "drawn", texts, SEED)
    linker = load_quietly(RELEASE)

    def sure_answers(posts: Sequence[Post]) -> list[str | None]:
        return [link.best.entity_id if link.sure and not link.nil else None for link in linker.link(posts)]

    report: dict[str, Any] = {"corrections": size.said}
    for kind, (posts, between) in kinds_of(world, drawn, size.said, random.Random(SEED)).items():
        report[f"{kind}_in"] = share_in(root, posts, between, None)
        report[f"{kind}_in_with_linker"] = share_in(root, posts, between, sure_answers)
    shutil.rmtree(root / ".gemel")
    return report | timed(root, sorted(texts), world.inhabitants, size.dropped)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="16 corrections of each kind: too few to show much")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        report = run(QUICK if arguments.quick else FULL, Path(place))
        show(report, "Share of corrections that come in", as_json=arguments.json)


if __name__ == "__main__":
    main()
