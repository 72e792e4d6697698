"""Ray writes the same parts as one process; without it, the error says what to install."""

import dataclasses
import sys
from pathlib import Path

import pytest
import torch

from gemel.core.errors import ConfigError, DataError
from gemel.core.image_files import ImageFolder
from gemel.core.settings import BackboneSettings
from gemel.features import parts, ray_parts
from gemel.features.encoder import load_encoder
from gemel.features.loading import Wanted
from gemel.features.parts import write_parts
from gemel.features.ray_parts import ActorSettings, write_parts_on_ray


@pytest.fixture(scope="module")
def ray():
    """One Ray for the tests of this file; it takes seconds to start."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'gemel[ray]'")
    ray_parts._ray()
    ray.init(include_dashboard=False, log_to_driver=False, num_cpus=2)
    yield ray
    ray.shutdown()


@pytest.fixture
def settings(tiny_backbones: BackboneSettings, files: ImageFolder, tmp_path: Path) -> ActorSettings:
    model = tiny_backbones.vision.model
    return ActorSettings(
        project=Path.cwd(),
        model=model,
        pretrained=None,
        device="cpu",
        fingerprint=load_encoder(model).fingerprint,
        threads=torch.get_num_threads(),
        files=files,
        folder=tmp_path / "parts",
        batch_size=2,
        workers=0,
    )


@pytest.mark.usefixtures("ray")
def test_parts_are_those_of_one_process(
    settings: ActorSettings, images: list[Wanted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ray_parts, "TASK_IMAGES", 2)
    told: list[int] = []
    found = list(write_parts_on_ray(images, settings, told.append))
    monkeypatch.setattr(parts, "PART_IMAGES", 2)
    encoder = load_encoder(settings.model)
    here = write_parts(images, settings.files, encoder, tmp_path / "here", batch_size=2, workers=0)
    assert {path.name for path in found} == {path.name for path in here}
    assert all(path.is_file() for path in found)
    assert sum(told) == len(images)


@pytest.mark.usefixtures("ray")
def test_error_of_an_actor_arrives_in_its_own_words(
    settings: ActorSettings, images: list[Wanted], files: ImageFolder
) -> None:
    (files.folder / images[0].name).unlink()
    with pytest.raises(DataError, match=rf"^{files.folder}/{images[0].name}: no such file; .*run `dvc repro posts`$"):
        list(write_parts_on_ray(images, settings))


@pytest.mark.usefixtures("ray")
def test_node_with_other_weights_is_refused(settings: ActorSettings, images: list[Wanted]) -> None:
    other = dataclasses.replace(settings, fingerprint="of other weights")
    with pytest.raises(DataError, match=r"other weights on .* than where the run began"):
        list(write_parts_on_ray(images, other))


def test_missing_ray_says_what_to_install(
    settings: ActorSettings, images: list[Wanted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"runtime.scale_out is ray, but Ray isn't installed: pip install 'gemel\["):
        list(write_parts_on_ray(images, settings))
