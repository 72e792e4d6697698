"""The data set in use, and where changes to its release lie."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gemel.core.config import PARAMS
from gemel.core.errors import ConfigError
from gemel.stages import CHANGES, DATA


def dataset_in_use(params: Mapping[str, Any]) -> str:
    """The name of the data set that params.yaml states. Raises: ConfigError if it names no folder of DATA."""
    name = params.get("dataset")
    if not isinstance(name, str) or not name or name.startswith(".") or Path(name).name != name:
        raise ConfigError(f"{PARAMS}: dataset: expected the name of a folder in {DATA}/, found {name!r}")
    return name


def changes_in_use(params: Mapping[str, Any]) -> Path:
    """The folder of changes to the release of the data set in use. Raises: ConfigError as dataset_in_use."""
    return CHANGES / dataset_in_use(params)
