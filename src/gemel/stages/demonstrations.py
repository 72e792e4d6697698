"""Stage `demonstrations`: the solved mentions, and those that are shown with each mention."""

from __future__ import annotations

from collections.abc import Mapping

from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import DemonstrationSettings, RuntimeSettings
from gemel.posts.tables import Tables
from gemel.retrieval.encoder import Vectors
from gemel.stages import DEMONSTRATIONS, IMAGE_FEATURES, POSTS
from gemel.tasks.linking.demonstrations import (
    CORPUS,
    CORPUS_SCHEMA,
    choose_for_all,
    chosen_path,
    image_vectors,
    make_chooser,
    solved_mentions,
)


def main() -> None:
    """Choose demonstrations from the training split for every mention of every split, by each method asked for.

    Where images have a weight, each method chooses once more as if no mention had one.
    """
    settings = load_section("demonstrations", DemonstrationSettings)
    device = load_section("runtime", RuntimeSettings).torch_device
    read_manifest(POSTS, "posts")
    tables = Tables.read(POSTS)
    solved = solved_mentions(tables.mentions, tables.posts, tables.entities, "train")
    facts = {"corpus": solved.height, "mentions": tables.mentions.height, "methods": settings.methods}
    with new_artifact(DEMONSTRATIONS, "demonstrations", facts) as draft:
        solved.select(*CORPUS_SCHEMA).write_parquet(draft / CORPUS)
        vectors = _vectors() if settings.image_weight else {}
        for method in settings.methods:
            chooser = make_chooser(solved, settings, vectors, method, device)
            images = _images_of_mentions(tables, vectors) if vectors else None
            choose_for_all(tables.mentions, chooser, images).write_parquet(chosen_path(draft, method))
            if vectors:
                choose_for_all(tables.mentions, chooser).write_parquet(chosen_path(draft, method, without_image=True))


def _vectors() -> Mapping[str, Vectors]:
    """Of all images. Imported here, so that a choice by text alone does not pay for it."""
    from gemel.features.store import FeatureStore

    read_manifest(IMAGE_FEATURES, "image_features")
    return FeatureStore(IMAGE_FEATURES)


def _images_of_mentions(tables: Tables, vectors: Mapping[str, Vectors]) -> list[Vectors | None]:
    of_posts = tables.posts.select("post_id", "image_sha256")
    joined = tables.mentions.select("post_id").join(of_posts, on="post_id", how="left", maintain_order="left")
    return image_vectors(joined["image_sha256"], vectors)


if __name__ == "__main__":
    main()
