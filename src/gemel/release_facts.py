"""What the manifest of a release says, whichever gemel wrote it: formats, and what an older one lacks.

Format 1 has settings, tokenizer, data set and accuracy. Format 2 adds `format`, `gemel`, `backbone`, `models` and
`metrics`, and a model card beside the manifest. A gemel reads its own format and the one before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from gemel.core.artifacts import read_manifest
from gemel.core.errors import ArtifactError
from gemel.frozen import FrozenModel

RELEASE_FORMAT = 2
Backbone = Literal["reference", "embed"]
REFERENCE: Backbone = "reference"
EMBED: Backbone = "embed"
BACKBONES: tuple[Backbone, ...] = (REFERENCE, EMBED)
# Whether sure links are right, and right at all, is what somebody else wants to know of a linker first.
TOLD = (
    "accuracy",
    "hits_at_5",
    "accuracy_without_image",
    "accuracy_without_demonstrations",
    "accuracy_unseen",
    "accuracy_head",
    "accuracy_tail",
    "accuracy_of_all",
    "coverage_sure",
    "precision_sure",
    "calibration_error",
)
_FORMER: dict[str, Any] = {
    "format": 1,
    "gemel": "",
    "backbone": REFERENCE,
    "models": {},
    "metrics": {},
    "protocol": {},
    "graded_by": "id",
    "changes": {},
    "corrections": {},
    "made_from": {},
}


def format_facts(models: Mapping[str, FrozenModel], backbone: Backbone = REFERENCE) -> dict[str, Any]:
    """What format 2 adds about the format itself and the frozen models. backbone: whether the bundle holds these."""
    return {
        "format": RELEASE_FORMAT,
        "gemel": gemel_version(),
        "backbone": backbone,
        "models": {what: asdict(model) for what, model in models.items()},
    }


def told(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The metrics that go with a release, of dev and test. metrics: all of evaluation's."""
    return {split: {key: metrics[split][key] for key in TOLD if key in metrics[split]} for split in ("dev", "test")}


def read_facts(folder: Path, *, check_hashes: bool = False, advice: str | None = None) -> dict[str, Any]:
    """The facts of a release, of any format that this gemel reads. advice: as for read_manifest.

    Raises: ArtifactError if it is absent, damaged, or of another format.
    """
    facts = read_manifest(folder, "release", check_hashes=check_hashes, advice=advice)
    return complete_facts(facts, str(folder), advice or "run `dvc repro release`")


def complete_facts(facts: object, where: str, advice: str) -> dict[str, Any]:
    """The facts with what an older format lacks.

    Raises: ArtifactError if they are of a newer format or none.
    """
    if not isinstance(facts, dict):
        raise ArtifactError(f"{where}: damaged (its facts are no object); {advice}")
    found = facts.get("format", 1)
    if isinstance(found, bool) or not isinstance(found, int) or found < 1:
        raise ArtifactError(f"{where}: {found!r} is no format of a release; {advice}")
    if found > RELEASE_FORMAT:
        raise ArtifactError(
            f"{where}: format {found}, written by a newer gemel ({facts.get('gemel', 'unknown')}); this one reads up "
            f"to format {RELEASE_FORMAT}: upgrade gemel"
        )
    if facts.get("backbone", REFERENCE) not in BACKBONES:
        raise ArtifactError(f"{where}: backbone {facts['backbone']!r} instead of reference or embed; {advice}")
    return _FORMER | facts


def models_of(facts: Mapping[str, Any], where: str) -> dict[str, FrozenModel]:
    """The recorded frozen models.

    Raises: ArtifactError if they are garbled.
    """
    try:
        return {str(what): FrozenModel(**model) for what, model in facts["models"].items()}
    except (AttributeError, TypeError) as error:
        raise ArtifactError(f"{where}: damaged (models: {error}); run `dvc repro release`, or fetch it again") from None


def gemel_version() -> str:
    """The version of this package; "unknown" where it runs uninstalled."""
    try:
        return version("gemel")
    except PackageNotFoundError:
        return "unknown"
