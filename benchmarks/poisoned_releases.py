"""Challengers made of poisoned data, and the gate's decision on them; for benchmarks.poison."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from benchmarks.sample_release import load_quietly
from gemel.bundle import Contents, settings_facts, write_contents
from gemel.card import write_card
from gemel.core.artifacts import new_artifact
from gemel.core.errors import DataError
from gemel.core.images import read_image
from gemel.core.schema import Post
from gemel.features.store import FeatureStore
from gemel.gate.budget import Spent
from gemel.gate.decision import Decision, decide
from gemel.gate.frozen_posts import read_frozen_test
from gemel.gate.questions import Answer, make_questions, trained_counts
from gemel.gate.settings import GateSettings
from gemel.gate.sides import ask, grade
from gemel.posts.tables import Tables
from gemel.release_facts import read_facts
from gemel.stages import CONFIDENCE, DEMONSTRATIONS, IMAGE_FEATURES, MAPPER, MAPPER_SUMMARY, POSTS, RELEASE, RESCORING
from gemel.tasks.linking.demonstrations import CORPUS_SCHEMA, read_corpus
from gemel.tasks.linking.rescoring import read_rescoring

# A copy of the project shares all but what poisoned data change.
SHARED = ("artifacts/entity_trie", "data/backbones", "conf", "src")
TAKEN_OVER = "artifacts/image_features"


class Referee:
    """Decides on challengers as the gate does, the champion's answers being the same for all of them."""

    def __init__(self, project: Path) -> None:
        """project: whose release is the champion."""
        self.release = project / RELEASE
        self.linker = load_quietly(self.release)
        self.champion = self.linker.opened.bundle
        tables, catalog = Tables.read(project / POSTS), self.champion.catalog
        images = dict(tables.posts.select("post_id", "image_sha256").iter_rows())
        tail_at_most = yaml.safe_load((project / "params.yaml").read_text())["evaluation"]["tail_at_most"]
        trained = trained_counts(self.champion.demonstrations, catalog)
        self.trained_on = trained.total()
        frozen = read_frozen_test(project / "data/sample", images)
        features = FeatureStore(project / IMAGE_FEATURES)
        self._questions = make_questions(tables, frozen, catalog, trained, tail_at_most, features, ())
        self._graded = grade(self.linker, self.linker.opened, self.release, self._questions)

    def decide(self, challenger: Path) -> Decision:
        """The gate's decision, new data having come in and nothing of the budget being spent."""
        graded = grade(self.linker, self.linker.prepare(challenger), challenger, self._questions)
        return decide(self._graded, graded, new_data=True, settings=GateSettings(), spent=Spent())

    def change(self, challenger: Path, posts: Sequence[Post]) -> float:
        """The change of accuracy on posts of one mention each, with its right entity."""
        found = []
        for release in (self.release, challenger):
            self.linker.opened = self.linker.prepare(release)
            found.append(_right(ask(self.linker, posts), posts))
        return found[1] - found[0]


def _right(answers: Sequence[Answer], posts: Sequence[Post]) -> float:
    return float(np.mean([a.entity_id == post.mentions[0].entity_id for a, post in zip(answers, posts, strict=True)]))


def shown(rows: Sequence[dict[str, Any]], folder: Path, _: Path, referee: Referee) -> Path:
    """The champion with corrections among its demonstrations; nothing is trained. folder: of .gemel/feedback."""
    champion, feedback = referee.champion, folder / ".gemel/feedback"
    pictured = {Path(row["image"]).stem: feedback / row["image"] for row in rows if row["image"]}
    vectors = referee.linker.encode([read_image(path) for path in pictured.values()])
    new = pl.DataFrame([_demonstration(row, champion.catalog.entity) for row in rows], schema=CORPUS_SCHEMA)
    contents = Contents(
        mapper=champion.mapper,
        catalog=champion.catalog,
        trie=champion.trie,
        demonstrations=pl.concat([champion.demonstrations, new]),
        vectors={**champion.vectors, **dict(zip(pictured, vectors, strict=True))},
        calibrator=referee.release,
    )
    return _write(folder / "challenger", contents, read_facts(referee.release))


def trained(rows: Sequence[dict[str, Any]], folder: Path, project: Path, referee: Referee) -> Path | str:
    """A challenger of a mapper and a confidence trained on corrections as posts; or why its data were stopped."""
    copy = folder / "project"
    _copy_project(project, copy)
    _add_posts(rows, folder / ".gemel/feedback", copy / "data/sample")
    with contextlib.chdir(copy), contextlib.redirect_stdout(io.StringIO()):
        from gemel.stages import confidence, demonstrations, image_features, mapper, posts

        try:
            posts.main()
        except DataError as error:
            return str(error)
        for stage in (image_features, demonstrations, mapper, confidence):
            stage.main()
        best = json.loads(MAPPER_SUMMARY.read_text())["best_seed"]
        rescoring = read_rescoring(RESCORING)
    champion = referee.champion
    contents = Contents(
        mapper=copy / MAPPER / f"seed-{best}" / champion.mapper.name,
        catalog=champion.catalog,
        trie=champion.trie,
        demonstrations=read_corpus(copy / DEMONSTRATIONS),
        vectors=FeatureStore(copy / IMAGE_FEATURES),
        calibrator=copy / CONFIDENCE,
    )
    settings = dataclasses.replace(champion.settings, rescoring=rescoring)
    return _write(folder / "challenger", contents, read_facts(referee.release) | {"settings": settings_facts(settings)})


def _demonstration(row: dict[str, Any], entity_of: Any) -> dict[str, Any]:
    (mention,) = row["mentions"]
    return {
        "mention_id": mention["id"],
        "mention": mention["mention"],
        "text": row["text"],
        "entity_id": mention["entity"],
        "name": entity_of(mention["entity"]).name,
        "image_sha256": Path(row["image"]).stem if row["image"] else None,
        "caption": None,
    }


def _write(folder: Path, contents: Contents, facts: dict[str, Any]) -> Path:
    with new_artifact(folder, "release", facts) as draft:
        write_contents(draft, contents)
        write_card(draft, facts)
    return folder


def _copy_project(project: Path, copy: Path) -> None:
    """The sources, models and settings as links, the data and the image vectors as copies; one mapper is trained."""
    for name in SHARED:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).symlink_to((project / name).resolve())
    shutil.copytree(project / "data/sample", copy / "data/sample")
    shutil.copytree(project / TAKEN_OVER, copy / TAKEN_OVER)
    params = yaml.safe_load((project / "params.yaml").read_text())
    best = json.loads((project / MAPPER_SUMMARY).read_text())["best_seed"]
    params["mapper"]["seeds"], params["demonstrations"]["compare"] = [best], []
    (copy / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def _add_posts(rows: Sequence[dict[str, Any]], feedback: Path, data_set: Path) -> None:
    keys = ("id", "text", "image", "split", "mentions")
    lines = [json.dumps({key: row[key] for key in keys} | {"source": "feedback"}) + "\n" for row in rows]
    with (data_set / "posts.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(lines)
    for row in rows:
        if row["image"]:
            shutil.copyfile(feedback / row["image"], data_set / row["image"])
