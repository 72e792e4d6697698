"""Settings: one section of params.yaml becomes one frozen dataclass; unknown keys are refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from gemel.core.errors import ConfigError

PARAMS = Path("params.yaml")
Settings = TypeVar("Settings")


def load_section(section: str, settings: type[Settings], path: Path = PARAMS) -> Settings:
    """Read one section of a params file into a dataclass.

    Raises: ConfigError if the file or the section is missing, a key is unknown, or a value has the wrong type.
    """
    return parse_section(read_params(path).get(section), section, settings, path)


def read_params(path: Path = PARAMS) -> dict[str, Any]:
    """Read a whole params file.

    Raises: ConfigError if it is missing or isn't a YAML mapping.
    """
    try:
        params = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; run from the project's root, where params.yaml lies") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from error
    if not isinstance(params, dict):
        raise ConfigError(f"{path}: expected a mapping of sections, found {type(params).__name__}")
    return params


def parse_section(values: object, section: str, settings: type[Settings], path: Path = PARAMS) -> Settings:
    """Check the values of one section against its dataclass.

    Raises: ConfigError, naming the file, the key, what was found and the known keys.
    """
    if values is None:
        raise ConfigError(f"{path}: section {section!r} is missing")
    strict = with_config(ConfigDict(extra="forbid"))(settings)
    try:
        return TypeAdapter(strict).validate_python(values)
    except ValidationError as error:
        fields = ", ".join(field.name for field in dataclasses.fields(settings))  # type: ignore[arg-type]
        problems = "; ".join(
            f"{section}.{'.'.join(map(str, issue['loc']))}: {issue['msg']} (found {issue['input']!r})"
            for issue in error.errors()
        )
        raise ConfigError(f"{path}: {problems}; known keys of {section}: {fields}") from None
