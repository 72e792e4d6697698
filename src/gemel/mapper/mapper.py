"""The mapper, the only trained weights of gemel: made by the name of its adapter, written and read."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gemel.core.errors import ArtifactError, ConfigError, ShapeError
from gemel.mapper import adapters
from gemel.mapper.adapters.base import Adapter

WEIGHTS = "mapper.safetensors"


def make_mapper(adapter: str, vision_dim: int, llm_dim: int, prefix_tokens: int) -> Adapter:
    """A fresh mapper. adapter: the name of a module under mapper/adapters/.

    Raises: ConfigError if there is no such adapter.
    """
    known = sorted(module.name for module in pkgutil.iter_modules(adapters.__path__) if module.name != "base")
    if adapter not in known:
        raise ConfigError(f"mapper.adapter: no adapter {adapter!r}; known adapters: {', '.join(known)}")
    module = import_module(f"{adapters.__name__}.{adapter}")
    (kind,) = (
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Adapter) and kind.__module__ == module.__name__
    )
    mapper: Adapter = kind(vision_dim, llm_dim, prefix_tokens)
    return mapper


def save_mapper(mapper: Adapter, path: Path) -> None:
    """Write the mapper alone, as safetensors; the frozen models are named in the manifest beside it."""
    weights = {name: tensor.detach().float().contiguous().cpu() for name, tensor in mapper.state_dict().items()}
    # One entry alone: safetensors writes several in an order that differs from run to run.
    save_file(weights, path, metadata={"mapper": f"{adapter_name(mapper)} {mapper.prefix_tokens}"})


def load_mapper(path: Path, *, vision_dim: int, llm_dim: int, advice: str = "run `dvc repro mapper`") -> Adapter:
    """Read a mapper for an encoder and an LLM of the given widths. advice: what to do about one that can't be used.

    Raises: ArtifactError if the file can't be read; ShapeError if it was trained for other widths.
    """
    try:
        with safe_open(path, framework="pt") as file:
            adapter, prefix_tokens = file.metadata()["mapper"].split()
            mapper = make_mapper(adapter, vision_dim, llm_dim, int(prefix_tokens))
            weights = {name: file.get_tensor(name) for name in mapper.parameter_shapes}
    except (OSError, SafetensorError, ConfigError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(f"{path}: not a readable mapper ({error}); {advice}") from error
    for name, shape in mapper.parameter_shapes.items():
        found = tuple(weights[name].shape)
        if found != shape:
            raise ShapeError(
                f"{path}: its {name} is {found}, but a mapper {vision_dim} -> {prefix_tokens} x {llm_dim}, as the "
                f"frozen models need it, has {shape}; {advice}"
            )
    mapper.load_state_dict(weights)
    return mapper


def adapter_name(mapper: Adapter) -> str:
    """What settings call this kind of mapper."""
    return type(mapper).__module__.rpartition(".")[2]
