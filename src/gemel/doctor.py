"""Whether the frozen models of each backbone can be had and held here, and what to do where not. Nothing is fetched."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import try_to_load_from_cache
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import OmegaConf

from gemel.core.config import parse_section
from gemel.core.errors import BackboneError, ConfigError
from gemel.core.settings import BackboneSettings, DemonstrationSettings, LLMSettings, VisionSettings
from gemel.frozen import CHECKPOINTS, vision_hub_id
from gemel.installation import Machine
from gemel.llm.footprint import measure
from gemel.llm.loading import check_settings
from gemel.llm.model_files import download_command, fetch_model, find_model, has_weights, is_local, is_pinned
from gemel.retrieval.encoder import MINILM

CONF = Path("conf/backbone")
_WEIGHTS = ("open_clip_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin", "pytorch_model.bin")
_ASK_FIRST = ("meta-llama/",)


@dataclass(frozen=True)
class Finding:
    """One frozen model of a backbone.

    what: "LLM", "vision" or "sentences". name: as in the settings. usable: whether it is here, and fits and loads as
    far as its config tells. pinned: whether its name always means the same weights. parameters, weight_bytes: None
    where the config isn't here. advice: what to do.
    """

    what: str
    name: str
    usable: bool
    pinned: bool
    advice: tuple[str, ...] = ()
    parameters: int | None = None
    weight_bytes: int | None = None


@dataclass(frozen=True)
class Diagnosis:
    """A backbone by its name in conf/, its frozen models, and whether params.yaml uses it."""

    name: str
    used: bool
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether all of its models are."""
        return all(finding.usable for finding in self.findings)


def diagnose(params: dict[str, object], machine: Machine, conf: Path = CONF) -> list[Diagnosis]:
    """Look for the models of every backbone in a folder of settings, and of params.yaml where that has others.

    params: all of params.yaml. conf: a file for each backbone.
    Raises: ConfigError if a file or params.yaml has settings that are unknown or wrong.
    """
    used = _sections(params, Path("params.yaml"))
    choices = {path.stem: _sections(_read(path), path) for path in sorted(conf.glob("*.yaml"))}
    if used not in choices.values():
        # Those of a group, some of them set otherwise for one run.
        choices["params.yaml"] = used
    return [
        Diagnosis(name, each == used, tuple(_findings(*each, machine)))
        for name, each in sorted(choices.items(), key=lambda choice: choice[1] != used)
    ]


def _read(path: Path) -> dict[str, object]:
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected the sections backbone and demonstrations, found {type(values).__name__}")
    return _composed(path) if "defaults" in values else values


def _composed(path: Path) -> dict[str, object]:
    """A settings file that states only what differs from others of its folder, as Hydra completes it."""
    try:
        with initialize_config_dir(str(path.parent.absolute()), version_base=None):
            values: Any = OmegaConf.to_object(compose(path.stem))
            return dict(values)
    except HydraException as error:
        raise ConfigError(f"{path}: can't be composed ({error})") from error


def _sections(values: dict[str, object], path: Path) -> tuple[BackboneSettings, DemonstrationSettings]:
    return (
        parse_section(values.get("backbone"), "backbone", BackboneSettings, path),
        parse_section(values.get("demonstrations"), "demonstrations", DemonstrationSettings, path),
    )


def _findings(backbone: BackboneSettings, shown: DemonstrationSettings, machine: Machine) -> list[Finding]:
    found = [_llm(backbone.llm, machine), _vision(backbone.vision)]
    return [*found, _sentences(shown.encoder)] if "dense" in shown.methods else found


def _llm(settings: LLMSettings, machine: Machine) -> Finding:
    name, revision = settings.model, settings.revision
    folder = find_model(name, revision)
    found = Finding("LLM", name, usable=False, pinned=is_pinned(name, revision))
    if not found.pinned:
        found = _with(found, _pin_advice(settings, folder))
    try:
        if folder is not None:
            size = measure(folder, settings.dtype)
            found = replace(found, parameters=size.parameters, weight_bytes=size.weight_bytes(settings.weights))
        if not is_local(name) and (folder is None or not has_weights(folder)):
            return _with(found, *_how_to_get(name, revision))
        check_settings(settings, fetch_model(name, revision, weights=True), machine.device, machine.model_bytes)
    except BackboneError as error:
        return _with(found, str(error))
    return replace(found, usable=True)


def _pin_advice(settings: LLMSettings, folder: Path | None) -> str:
    commit = f"the commit that `hf models info {settings.model}` shows" if folder is None else folder.name
    return f"not pinned, revision {settings.revision!r} may change: write {commit} as backbone.llm.revision in conf/"


def _vision(settings: VisionSettings) -> Finding:
    model, tag = settings.model, settings.pretrained
    name = model if tag is None else f"{model}/{tag}"
    if tag is not None and Path(tag).suffix in CHECKPOINTS:
        return _at("vision", name, Path(tag).is_file(), f"no such checkpoint file {tag}")
    family, local, place = model.partition("local-dir:")
    if local:
        folder, config = Path(place), "config.json" if family == "timm:" else "open_clip_config.json"
        found = _at("vision", name, (folder / config).is_file(), f"{folder}: no {config}; run `dvc pull`")
        return replace(found, weight_bytes=_bytes_of(folder))
    return _of_hub("vision", name, vision_hub_id(model, tag))


def _sentences(name: str) -> Finding:
    if name == MINILM:
        return _at("sentences", name, find_spec(name) is not None, "run `pip install 'gemel[minilm]'`")
    if is_local(name):
        return _at("sentences", name, Path(name).is_dir(), "no such folder; correct demonstrations.encoder")
    return _of_hub("sentences", name, name)


def _at(what: str, name: str, here: bool, advice: str) -> Finding:
    return Finding(what, name, usable=here, pinned=True, advice=() if here else (advice,))


def _of_hub(what: str, name: str, hub_id: str | None) -> Finding:
    """A model whose library takes it from the hub without a revision. hub_id: None where it isn't there."""
    if hub_id is None:
        return Finding(what, name, False, False, (f"{name}: unknown to its library; correct the name or the tag",))
    cached = [found for file in _WEIGHTS if isinstance(found := try_to_load_from_cache(hub_id, file), str)]
    if not cached:
        return Finding(what, name, False, False, tuple(_how_to_get(hub_id, None)))
    return Finding(what, name, True, False, weight_bytes=Path(cached[0]).stat().st_size)


def _how_to_get(hub_id: str, revision: str | None) -> list[str]:
    first = [f"accept its licence at https://huggingface.co/{hub_id} and run `hf auth login`"]
    return [*(first if hub_id.startswith(_ASK_FIRST) else []), f"not here: run `{download_command(hub_id, revision)}`"]


def _bytes_of(folder: Path) -> int | None:
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) or None


def _with(found: Finding, *advice: str) -> Finding:
    return replace(found, advice=(*found.advice, *advice))
