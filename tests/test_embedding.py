"""A bundle that holds its frozen models starts without any other folder, and links as before."""

import dataclasses
import json
import os
import shutil
import warnings
from pathlib import Path

import pytest
import timm
from safetensors.torch import save_file
from tiny_world import make_backbones, make_release

from gemel import embedding
from gemel.bundle import read_bundle
from gemel.core.artifacts import MANIFEST, artifact_hash
from gemel.core.errors import ArtifactError, BackboneError
from gemel.core.schema import Link, Mention, Post
from gemel.core.settings import BackboneSettings, VisionSettings
from gemel.embedding import embed, link_or_copy
from gemel.features.encoder import load_encoder
from gemel.predictor import Linker
from gemel.release_facts import read_facts

COMMIT = "b" * 40


def links(release: Path, image: Path, **options: object) -> list[Link]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        linker = Linker.load(release, **options)
    return linker.link([Post("A Jaguar in the morning", (Mention("Jaguar"),), image)])


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory, tiny_release: Path) -> Path:
    """Read it only."""
    into = tmp_path_factory.mktemp("embedded") / "release"
    embed(tiny_release, into)
    return into


@pytest.fixture
def backbones(tmp_path: Path) -> BackboneSettings:
    """Models that a test may change."""
    return make_backbones(tmp_path / "backbones")


def cache(hub: Path, hub_id: str, files: Path) -> None:
    """Put a folder into a Hugging Face cache, as a download of the main branch leaves it."""
    folder = hub / f"models--{hub_id.replace('/', '--')}"
    shutil.copytree(files, folder / "snapshots" / COMMIT)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(COMMIT)


def test_moved_and_without_its_originals_it_links_as_before(tmp_path: Path, tiny_dataset: Path) -> None:
    image = tiny_dataset / "images/00.png"
    release = make_release(tmp_path / "release", make_backbones(tmp_path / "backbones"), tiny_dataset)
    before = links(release, image)
    embed(release, tmp_path / "embedded")
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "embedded").rename(tmp_path / "elsewhere/other-name")
    for gone in (release, tmp_path / "backbones"):
        shutil.rmtree(gone)
    assert links(moved, image, root=tmp_path / "nowhere") == before


def test_relative_place_of_a_bundle_is_no_matter(
    embedded: Path, tiny_dataset: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(embedded.parent)
    assert links(Path(embedded.name), tiny_dataset / "images/00.png", root="elsewhere")


def test_facts_name_the_origin_and_the_same_content(embedded: Path, tiny_release: Path) -> None:
    facts, former = read_facts(embedded), read_facts(tiny_release)
    assert facts["backbone"] == "embed"
    assert facts["models"] == former["models"]
    assert facts["settings"]["backbone"]["llm"]["model"] == "backbone/llm"
    assert "The bundle holds them." in (embedded / "README.md").read_text()


def test_weights_are_safetensors_alone(embedded: Path) -> None:
    kinds = {path.suffix for path in (embedded / "backbone").rglob("*") if path.is_file()}
    assert kinds == {".json", ".safetensors"}


def test_embedding_twice_gives_the_same_release(embedded: Path, tiny_release: Path, tmp_path: Path) -> None:
    embed(tiny_release, tmp_path / "again")
    assert artifact_hash(tmp_path / "again") == artifact_hash(embedded)


def test_changed_weights_are_refused_as_any_file_of_a_bundle(embedded: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(embedded, tmp_path / "copy")
    path = copy / "backbone/llm/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"backbone/llm/model\.safetensors: its SHA-256 differs"):
        Linker.load(copy)


def test_embedded_release_is_not_embedded_again(embedded: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="holds its frozen models already; use it as it is"):
        embed(embedded, tmp_path / "again")


@pytest.mark.parametrize("name", ["/etc", "../../other", "backbone/../../other", "owner/name"])
def test_embedded_release_that_names_a_model_elsewhere_is_refused(embedded: Path, tmp_path: Path, name: str) -> None:
    copy = shutil.copytree(embedded, tmp_path / "copy")
    manifest = json.loads((copy / MANIFEST).read_text())
    manifest["facts"]["settings"]["backbone"]["llm"]["model"] = name
    (copy / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ArtifactError, match=r"names '.*' outside backbone/; don't use it"):
        read_bundle(copy)


def test_pickled_weights_are_refused_and_leave_nothing(
    backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path
) -> None:
    release = make_release(tmp_path / "release", backbones, tiny_dataset)
    checkpoint = tmp_path / "vision.pt"
    checkpoint.write_bytes(b"")
    set_vision(release, "RN50", str(checkpoint))
    with pytest.raises(BackboneError, match=r"only vision\.pt, a pickle, which could run any code .*reference"):
        embed(release, tmp_path / "embedded")
    assert not (tmp_path / "embedded").exists()


def set_vision(release: Path, model: str, pretrained: str | None) -> None:
    """Have a release name another vision encoder, with nothing recorded about it."""
    manifest = json.loads((release / MANIFEST).read_text())
    manifest["facts"]["settings"]["backbone"]["vision"] = {"model": model, "pretrained": pretrained}
    manifest["facts"]["models"].pop("vision")
    (release / MANIFEST).write_text(json.dumps(manifest))


def test_release_for_other_weights_is_not_embedded_with_these(
    backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path
) -> None:
    release = make_release(tmp_path / "release", backbones, tiny_dataset)
    (tmp_path / "backbones/llm/config.json").write_text("{}")
    with pytest.raises(ArtifactError, match="made with the LLM"):
        embed(release, tmp_path / "embedded")


def test_models_of_the_hub_come_from_its_cache(
    backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_release(tmp_path / "release", backbones, tiny_dataset)
    before = links(release, tiny_dataset / "images/00.png")
    hub = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(hub))
    cache(hub, "owner/llm", tmp_path / "backbones/llm")
    cache(hub, "owner/eyes", tmp_path / "backbones/vision")
    manifest = json.loads((release / MANIFEST).read_text())
    llm = manifest["facts"]["settings"]["backbone"]["llm"] | {"model": "owner/llm", "revision": COMMIT}
    vision = {"model": "hf-hub:owner/eyes", "pretrained": None}
    manifest["facts"]["settings"]["backbone"] |= {"llm": llm, "vision": vision}
    manifest["facts"]["models"] = {}
    (release / MANIFEST).write_text(json.dumps(manifest))
    embed(release, tmp_path / "embedded")
    shutil.rmtree(hub)
    assert links(tmp_path / "embedded", tiny_dataset / "images/00.png") == before
    models = read_facts(tmp_path / "embedded")["models"]
    assert (models["llm"]["name"], models["llm"]["revision"]) == ("owner/llm", COMMIT)


def test_model_that_is_not_cached_says_how_to_get_it(
    tiny_release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = shutil.copytree(tiny_release, tmp_path / "release")
    set_vision(release, "hf-hub:owner/eyes", None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(BackboneError, match=r"hf-hub:owner/eyes: not in the .* cache, .*run `hf download owner/eyes`"):
        embed(release, tmp_path / "embedded")


def test_sentence_encoder_is_embedded_where_demonstrations_are_dense(
    tiny_backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path
) -> None:
    release = make_release(tmp_path / "release", tiny_backbones, tiny_dataset, method="dense")
    embed(release, tmp_path / "embedded")
    settings = read_bundle(tmp_path / "embedded").settings
    assert settings.demonstrations.encoder == str(tmp_path / "embedded/backbone/sentences")
    image = tiny_dataset / "images/00.png"
    assert links(tmp_path / "embedded", image) == links(release, image)


def test_release_of_the_former_format_is_embedded_with_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make_backbones(Path("backbones"))
    embed(Path(__file__).parent / "releases/format_1", tmp_path / "embedded")
    facts = read_facts(tmp_path / "embedded", check_hashes=True)
    assert (facts["format"], facts["models"]["llm"]["name"]) == (2, "backbones/llm")


def test_where_no_link_can_be_made_a_file_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"a"


def test_symbolic_link_becomes_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    link_or_copy(tmp_path / "link", tmp_path / "b")
    assert not (tmp_path / "b").is_symlink()


def test_checkpoint_file_is_embedded_with_the_name_of_its_architecture(
    backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path
) -> None:
    release = make_release(tmp_path / "release", backbones, tiny_dataset)
    checkpoint = tmp_path / "weights.safetensors"
    save_file(timm.create_model("test_resnet").state_dict(), checkpoint)
    set_vision(release, "timm:test_resnet.r160_in1k", str(checkpoint))
    embed(release, tmp_path / "embedded")
    wanted, vision = load_encoder("timm:test_resnet.r160_in1k", str(checkpoint)), read_vision(tmp_path / "embedded")
    assert vision.pretrained == str(tmp_path / "embedded/backbone/vision/weights.safetensors")
    found = load_encoder(vision.model, vision.pretrained)
    assert dataclasses.replace(found, name="").fingerprint == dataclasses.replace(wanted, name="").fingerprint


def read_vision(release: Path) -> VisionSettings:
    return read_bundle(release).settings.backbone.vision


def test_encoder_that_its_library_loads_otherwise_is_refused(
    backbones: BackboneSettings, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = make_release(tmp_path / "release", backbones, tiny_dataset)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    cache(tmp_path / "hub", "owner/eyes", tmp_path / "backbones/vision")
    other = make_backbones(tmp_path / "other", seed=1).vision.model.removeprefix("local-dir:")
    monkeypatch.setattr(embedding, "_snapshot", lambda *_: Path(other))
    set_vision(release, "hf-hub:owner/eyes", None)
    with pytest.raises(BackboneError, match="its files on the hub make another encoder than its library"):
        embed(release, tmp_path / "embedded")
