"""Where the files of a frozen model lie: a local folder, or the Hugging Face cache, which is filled from the hub.

What is here is used as it is, without asking the hub whether a branch has moved since.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError, RevisionNotFoundError

from gemel.core.errors import BackboneError

CONFIG = "config.json"
_INDEX = "model.safetensors.index.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SMALL_FILES = ("*.json", "*.txt", "*.model")
_SECONDS = 5.0


def is_local(name: str) -> bool:
    """Tell whether a model's name is that of a folder, which may be missing, and not of the hub."""
    return name.startswith((".", "/", "~")) or name.count("/") > 1 or Path(name).is_dir()


def is_pinned(name: str, revision: str | None) -> bool:
    """Tell whether a name and a revision always mean the same weights: a local folder, or a commit of the hub."""
    return is_local(name) or bool(_COMMIT.fullmatch(revision or ""))


def commit_of(name: str, folder: Path) -> str | None:
    """The commit whose files a folder holds; None for a local folder. name: as in the settings."""
    return None if is_local(name) else folder.name


def find_model(name: str, revision: str | None) -> Path | None:
    """The folder that holds a model's config.json, if it is on this machine.

    name: a folder or a hub id. Returns: the folder, or that of the revision in the Hugging Face cache, or None.
    """
    if is_local(name):
        return Path(name) if (Path(name) / CONFIG).is_file() else None
    try:
        found = try_to_load_from_cache(name, CONFIG, revision=revision)
    except HFValidationError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def has_weights(folder: Path) -> bool:
    """Tell whether a folder holds all safetensors of a model."""
    if (index := folder / _INDEX).is_file():
        parts = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        return all((folder / part).is_file() for part in parts)
    return any(folder.glob("*.safetensors"))


def fetch_model(name: str, revision: str | None, *, weights: bool) -> Path:
    """Return the folder that holds a model's files, from the hub where they aren't here.

    weights: whether its weights are needed, or only its config and tokenizer.
    Raises: BackboneError, within seconds, if they can't be had, saying how to get them.
    """
    if is_local(name):
        if not Path(name).is_dir():
            raise BackboneError(f"{name}: no such folder; run `dvc pull`, or name a hub id or folder in conf/backbone/")
        _check_files(Path(name), name, weights)
        return Path(name)
    folder = find_model(name, revision)
    if folder is None or (weights and not has_weights(folder)):
        commit = _ask_hub(name, revision)
        patterns = [*_SMALL_FILES, "*.safetensors"] if weights else [*_SMALL_FILES]
        try:
            folder = Path(snapshot_download(name, revision=commit, allow_patterns=patterns))
        except OSError as error:
            raise BackboneError(_unreachable(name, revision, error)) from error
        _check_files(folder, name, weights)
    return folder


def download_command(name: str, revision: str | None) -> str:
    """The command that brings a model into the Hugging Face cache."""
    return f"hf download {name}" + (f" --revision {revision}" if revision else "")


def loading_advice(name: str, error: Exception) -> str:
    """What to say where the files of a model can't be read."""
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return f"{name}: can't be loaded ({reason}); its files may be damaged or cut off: fetch them again"


def _check_files(folder: Path, name: str, weights: bool) -> None:
    if not (folder / CONFIG).is_file():
        raise BackboneError(f"{name}: no {CONFIG}, so this is no model of transformers; name another folder or hub id")
    if not weights or has_weights(folder):
        return
    if (folder / _INDEX).is_file():
        raise BackboneError(f"{name}: files that {_INDEX} names are missing; fetch the model again")
    pickles = sorted(path.name for path in folder.glob("*.bin"))
    raise BackboneError(
        f"{name}: no *.safetensors"
        + (f", only {pickles[0]}, a pickle, which could run any code" if pickles else "")
        + "; "
        "convert its weights with transformers' save_pretrained where you trust them, or take a revision that has "
        "safetensors (the hub's converter offers them as refs/pr/NUMBER)"
    )


def _ask_hub(name: str, revision: str | None) -> str:
    """The commit that a revision is on the hub. One request with a short limit; libraries would try for minutes."""
    try:
        return str(HfApi().model_info(name, revision=revision, timeout=_SECONDS).sha)
    except GatedRepoError as error:
        raise BackboneError(
            f"{name}: its licence has to be accepted first; do so at https://huggingface.co/{name}, then run "
            f"`hf auth login` and `{download_command(name, revision)}`"
        ) from error
    except RevisionNotFoundError as error:
        raise BackboneError(f"{name}: the hub has no revision {revision!r}; write one of its commits there") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise BackboneError(
            f"{name}: neither a folder here nor a model of the hub (or a private one: run `hf auth login`); check "
            "backbone.llm.model"
        ) from error
    # Whatever the HTTP client of the day raises.
    except Exception as error:
        raise BackboneError(_unreachable(name, revision, error)) from error


def _unreachable(name: str, revision: str | None, error: Exception) -> str:
    reason = (str(error) or type(error).__name__).splitlines()[0]
    return (
        f"{name}: not on this machine at revision {revision!r}, and the hub can't be reached ({reason}); run "
        f"`{download_command(name, revision)}` where it can and bring the cache here, or name a local folder in "
        "conf/backbone/"
    )
