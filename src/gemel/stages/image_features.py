"""Stage `image_features`: vectors of all readable images, by the frozen vision encoder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import polars as pl
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.errors import DataError
from gemel.core.image_archive import open_images
from gemel.core.image_files import ImageFiles
from gemel.core.settings import BackboneSettings, ImagesSettings, RuntimeSettings, VisionSettings
from gemel.features.encoder import VisionEncoder, load_encoder
from gemel.features.loading import Wanted
from gemel.features.parts import KnownVectors, write_parts
from gemel.features.ray_parts import ActorSettings, write_parts_on_ray
from gemel.features.store import FINGERPRINT, former_store, write_features
from gemel.posts.image_vectors import VECTORS, ImageVectors
from gemel.posts.tables import Tables
from gemel.stages import DATA, IMAGE_FEATURES, POSTS, PROGRESS


class Speed(ProgressColumn):
    """Images per second."""

    def render(self, task: Task) -> Text:
        """The present speed; of a finished task its mean."""
        return Text(f"{task.finished_speed or task.speed or 0:.1f} images/s")


def main() -> None:
    """Encode every image that the posts table calls readable and that has no vector yet.

    Raises: DataError if the data set brings vectors that another encoder made.
    """
    vision = load_section("backbone", BackboneSettings).vision
    runtime = load_section("runtime", RuntimeSettings)
    folder = DATA / read_manifest(POSTS, "posts")["dataset"]
    files, vectors = open_images(folder, load_section("images", ImagesSettings).root), ImageVectors(folder)
    readable = Tables.read(POSTS).posts.filter(pl.col("image_sha256").is_not_null())
    images = dict(readable.select("image_sha256", "image").iter_rows())
    encoder = load_encoder(vision.model, vision.pretrained, runtime.torch_device)
    _expect_same_encoder(folder, vectors, encoder)
    parts = PROGRESS / "image_features" / encoder.fingerprint
    encode = partial(_encode, files=files, encoder=encoder, parts=parts, vision=vision, runtime=runtime)
    facts = {
        "encoder": encoder.name,
        FINGERPRINT: encoder.fingerprint,
        "width": encoder.width,
        "parameters": encoder.parameters,
        "images": len(images),
    }
    former = former_store(IMAGE_FEATURES, encoder.fingerprint)
    brought = [KnownVectors(folder / VECTORS, vectors.rows())] if vectors else []
    with new_artifact(IMAGE_FEATURES, "image_features", facts) as draft:
        encoded = write_features(draft, images, encode, parts, former, brought)
    Console().print(f"{len(images)} images: {encoded} encoded, {len(images) - encoded} had their vectors.")


def _encode(
    missing: Sequence[Wanted],
    *,
    files: ImageFiles,
    encoder: VisionEncoder,
    parts: Path,
    vision: VisionSettings,
    runtime: RuntimeSettings,
) -> list[Path]:
    """Encode here or on Ray, with a progress bar."""
    columns = (TextColumn("encoding"), BarColumn(), MofNCompleteColumn(), Speed(), TimeRemainingColumn())
    shape = {"batch_size": runtime.encoder_batch, "workers": runtime.decoders}
    with Progress(*columns) as progress:
        advance = partial(progress.advance, progress.add_task("", total=len(missing)))
        if runtime.scale_out == "none":
            return list(write_parts(missing, files, encoder, parts, **shape, advance=advance))
        settings = ActorSettings(
            project=Path.cwd(),
            model=vision.model,
            pretrained=vision.pretrained,
            device=runtime.torch_device,
            fingerprint=encoder.fingerprint,
            threads=torch.get_num_threads(),
            files=files,
            folder=parts,
            **shape,
        )
        return list(write_parts_on_ray(missing, settings, advance))


def _expect_same_encoder(folder: Path, vectors: ImageVectors, encoder: VisionEncoder) -> None:
    if vectors and (vectors.encoder, vectors.width) != (encoder.name, encoder.width):
        raise DataError(
            f"{folder / VECTORS}: made by {vectors.encoder}, {vectors.width} numbers each, but backbone.vision is "
            f"{encoder.name}, which gives {encoder.width}; choose that backbone, or import without --vectors"
        )


if __name__ == "__main__":
    main()
