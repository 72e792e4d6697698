"""Which frozen models a release goes with: their names, their revisions, and what the files of local ones hold."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gemel.core.artifacts import file_sha256
from gemel.core.errors import ArtifactError
from gemel.core.settings import LinkerSettings, LLMSettings, VisionSettings
from gemel.llm.model_files import find_model, is_local
from gemel.retrieval.encoder import MINILM

LLM, VISION, SENTENCES = "llm", "vision", "sentences"
TITLES = {LLM: "LLM", VISION: "vision encoder", SENTENCES: "sentence encoder"}
LOCAL = "local-dir:"
CHECKPOINTS = (".safetensors", ".pth", ".pt", ".bin")
_CONFIGS = (".json", ".model", ".txt")
_MODULES = "modules.json"
_MODULE = re.compile(r"sentence_transformers(\.[a-z0-9_]+)+\.(Transformer|Pooling|Normalize)")


@dataclass(frozen=True)
class FrozenModel:
    """A frozen model as a release records it.

    name: folder, hub id, or what its library knows it by. revision: commit, branch or tag of the hub, or version of a
    package; None for local files. sha256: over the local files, see files_sha256; None for others.
    """

    name: str
    revision: str | None = None
    sha256: str | None = None


def identify(settings: LinkerSettings) -> dict[str, FrozenModel]:
    """The frozen models of a linker by what they are for; the sentence encoder only where demonstrations are dense.

    Relative paths start from the current folder. A local model that isn't there has no sha256.
    """
    llm, vision = settings.backbone.llm, settings.backbone.vision
    found = {LLM: _llm(llm), VISION: _vision(vision)}
    if settings.demonstrations.method == "dense":
        found[SENTENCES] = _sentences(settings.demonstrations.encoder)
    return found


def check_frozen(release: Path, recorded: Mapping[str, FrozenModel], settings: LinkerSettings) -> None:
    """Refuse local models that hold something else than those that a release was made with.

    recorded: of the release; what it lacks, or records without a hash, is not checked. settings: of the linker, with
    the paths that are in use.
    Raises: ArtifactError, naming the model and both hashes.
    """
    hashed = {what: model for what, model in recorded.items() if model.sha256}
    used = identify(settings) if hashed else {}
    for what, model in hashed.items():
        found = used.get(what)
        if found is not None and found.sha256 and found.sha256 != model.sha256:
            raise ArtifactError(
                f"{release}: made with the {TITLES[what]} {model.name} of SHA-256 {str(model.sha256)[:12]}, but "
                f"{found.name} holds {found.sha256[:12]}; bring back its files (`dvc checkout`), or run `dvc repro` to "
                "make the release for the ones that are there"
            )


def check_modules(release: Path, encoder: Path) -> None:
    """Refuse an embedded sentence encoder that is made of anything but the three modules that most are made of.

    Its file names them by import paths, which the library follows wherever they lead, as other modules do once more.
    Raises: ArtifactError, naming the module.
    """
    path = encoder / _MODULES
    try:
        modules = [str(module["type"]) for module in json.loads(path.read_text(encoding="utf-8"))]
    except FileNotFoundError:
        return
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{release}: {path} is damaged ({error}); get the release again") from error
    if foreign := [module for module in modules if not _MODULE.fullmatch(module)]:
        raise ArtifactError(
            f"{release}: its sentence encoder names {foreign[0]!r}, which is none of Transformer, Pooling and "
            "Normalize of sentence-transformers, and could run any code; don't use it, or push with --backbone "
            "reference"
        )


def model_files(place: Path) -> list[Path]:
    """The files that a local model is loaded from, in order of their names; pickles where there are no safetensors.

    place: its folder, or its checkpoint file. What is hidden is left out.
    """
    if place.is_file():
        return [place]
    every = sorted(path for path in place.rglob("*") if path.is_file() and not _hidden(path.relative_to(place)))
    wanted = (".safetensors",) if any(path.suffix == ".safetensors" for path in every) else CHECKPOINTS
    return [path for path in every if path.suffix in (*_CONFIGS, *wanted)]


def files_sha256(place: Path, files: Sequence[Path]) -> str:
    """SHA-256 over the names and the contents of files, as hex digits. place: what the names start from."""
    digest = hashlib.sha256()
    for path in files:
        name = path.name if path == place else path.relative_to(place).as_posix()
        digest.update(f"{file_sha256(path)}  {name}\n".encode())
    return digest.hexdigest()


def local_vision(settings: VisionSettings) -> Path | None:
    """The folder or checkpoint file that holds a vision encoder; None where its library fetches it."""
    if settings.pretrained is not None and Path(settings.pretrained).suffix in CHECKPOINTS:
        return Path(settings.pretrained)
    _, local, folder = settings.model.partition(LOCAL)
    return Path(folder) if local else None


def vision_hub_id(model: str, tag: str | None) -> str | None:
    """The hub's id of a vision encoder that its library fetches; None where the library knows none."""
    kind, _, rest = model.rpartition(":")
    if kind == "hf-hub":
        return rest
    if kind == "timm":
        return f"timm/{rest}.{tag}"
    import open_clip

    known = open_clip.get_pretrained_cfg(model, tag or "") or {}
    return str(known.get("hf_hub", "")).strip("/") or None


def _llm(settings: LLMSettings) -> FrozenModel:
    if is_local(settings.model):
        return _local(settings.model, Path(settings.model))
    folder = find_model(settings.model, settings.revision)
    return FrozenModel(settings.model, folder.name if folder else settings.revision)


def _vision(settings: VisionSettings) -> FrozenModel:
    name = settings.model if settings.pretrained is None else f"{settings.model}/{settings.pretrained}"
    place = local_vision(settings)
    return FrozenModel(name) if place is None else _local(name, place)


def _sentences(name: str) -> FrozenModel:
    if name == MINILM:
        try:
            return FrozenModel(name, version(MINILM))
        except PackageNotFoundError:
            return FrozenModel(name)
    return _local(name, Path(name)) if is_local(name) else FrozenModel(name)


def _local(name: str, place: Path) -> FrozenModel:
    return FrozenModel(name, sha256=files_sha256(place, model_files(place)) if place.exists() else None)


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
