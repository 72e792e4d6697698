"""Stage `image_features`: vectors of all readable images, by the frozen vision encoder."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.errors import DataError
from gemel.core.image_archive import open_images
from gemel.core.settings import BackboneSettings, ImagesSettings, RuntimeSettings
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.store import write_features
from gemel.posts.image_vectors import VECTORS, ImageVectors
from gemel.posts.tables import Tables
from gemel.stages import DATA, IMAGE_FEATURES, POSTS, PROGRESS


def main() -> None:
    """Encode every image that the posts table calls readable, each once; take over the vectors that the data set has.

    Raises: DataError if these were made by another encoder.
    """
    vision = load_section("backbone", BackboneSettings).vision
    runtime = load_section("runtime", RuntimeSettings)
    folder = DATA / read_manifest(POSTS, "posts")["dataset"]
    files, vectors = open_images(folder, load_section("images", ImagesSettings).root), ImageVectors(folder)
    readable = Tables.read(POSTS).posts.filter(pl.col("image_sha256").is_not_null())
    images = dict(readable.select("image_sha256", "image").iter_rows())
    encoder = load_encoder(vision.model, vision.pretrained, runtime.torch_device)
    _expect_same_encoder(folder, vectors, encoder)
    facts = {"encoder": encoder.name, "width": encoder.width, "parameters": encoder.parameters, "images": len(images)}
    with new_artifact(IMAGE_FEATURES, "image_features", facts) as draft:
        write_features(draft, images, files, encoder, PROGRESS / "image_features", runtime.encoder_batch, vectors)


def _expect_same_encoder(folder: Path, vectors: ImageVectors, encoder: VisionEncoder) -> None:
    if vectors and (vectors.encoder, vectors.width) != (encoder.name, encoder.width):
        raise DataError(
            f"{folder / VECTORS}: made by {vectors.encoder}, {vectors.width} numbers each, but backbone.vision is "
            f"{encoder.name}, which gives {encoder.width}; choose that backbone, or import without --vectors"
        )


if __name__ == "__main__":
    main()
