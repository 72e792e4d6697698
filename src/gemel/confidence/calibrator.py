"""From evidence to chances: that the best candidate is right, that it is wrong, that the catalog has no such entity."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter, ValidationError
from scipy.special import softmax

from gemel.confidence.evidence import EVIDENCE
from gemel.core.errors import ArtifactError

Outcome = Literal["right", "wrong", "nil"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "nil")
RIGHT, WRONG, NIL = range(len(OUTCOMES))
CALIBRATOR = "confidence.json"
Floats = npt.NDArray[np.float64]
_ADVICE = "run `dvc repro confidence release`"


@dataclass(frozen=True)
class Calibrator:
    """A multinomial logistic regression over standardized evidence, and the two thresholds that are used with it.

    evidence: what it was fitted on, as EVIDENCE. centre, scale: of each piece of evidence. weights: of each outcome
    and piece of evidence. bias: of each outcome; null for one that never occurred and so has no chance.
    nil_above: chance of NIL from which on the answer is "not in the catalog"; null: it never is.
    sure_above: chance of being right from which on links had the wanted precision; null: none had.
    """

    evidence: tuple[str, ...]
    centre: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]
    bias: tuple[float | None, ...]
    nil_above: float | None
    sure_above: float | None

    def chances(self, evidence: Floats) -> Floats:
        """The chance of each outcome, in the order of OUTCOMES. evidence: (answers, pieces). Returns: (answers, 3)."""
        standardized = (evidence - np.array(self.centre)) / np.array(self.scale)
        bias = np.array([-np.inf if each is None else each for each in self.bias])
        logits = standardized @ np.array(self.weights).T + bias
        chances: Floats = softmax(logits, axis=1)
        return chances

    def says_nil(self, chances: Floats) -> npt.NDArray[np.bool_]:
        """Which answers are "not in the catalog". chances: (answers, 3)."""
        above = np.inf if self.nil_above is None else self.nil_above
        said: npt.NDArray[np.bool_] = chances[:, NIL] >= above
        return said

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / CALIBRATOR).write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def read_calibrator(folder: Path) -> Calibrator:
    """Read the calibrator of a folder.

    Raises: ArtifactError if it is absent, damaged, or was fitted on other evidence.
    """
    path = folder / CALIBRATOR
    try:
        found = TypeAdapter(Calibrator).validate_json(path.read_bytes())
    except FileNotFoundError:
        raise ArtifactError(f"{path}: no such file; {_ADVICE}") from None
    except (OSError, ValidationError) as error:
        raise ArtifactError(f"{path}: damaged ({str(error).splitlines()[0]}); {_ADVICE}") from error
    if found.evidence != EVIDENCE:
        raise ArtifactError(f"{path}: fitted on {list(found.evidence)}, but {list(EVIDENCE)} is in use; {_ADVICE}")
    return found
