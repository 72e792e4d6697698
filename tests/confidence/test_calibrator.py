"""The calibrator on disk."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from confidence.made_up_answers import made_up

from gemel.confidence.calibrator import CALIBRATOR, read_calibrator
from gemel.confidence.evidence import EVIDENCE
from gemel.confidence.fitting import fit_calibrator
from gemel.core.errors import ArtifactError


def written(folder: Path) -> None:
    evidence, outcomes, _ = made_up(200)
    known = outcomes < 2
    fit_calibrator(evidence[known], outcomes[known], np.ones(known.sum()), nil_precision=0.6, sure_precision=0.9).write(
        folder
    )


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    written(tmp_path)
    found, evidence = read_calibrator(tmp_path), made_up(20)[0]
    assert found.evidence == EVIDENCE
    again = tmp_path / "again"
    again.mkdir()
    found.write(again)
    assert (again / CALIBRATOR).read_bytes() == (tmp_path / CALIBRATOR).read_bytes()
    assert (read_calibrator(again).chances(evidence) == found.chances(evidence)).all()


def test_missing_file_names_the_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"confidence.json: no such file; run `dvc repro confidence release`"):
        read_calibrator(tmp_path)


def test_damaged_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / CALIBRATOR).write_text('{"evidence": ["score"')
    with pytest.raises(ArtifactError, match=r"confidence.json: damaged \(.*run `dvc repro confidence release`"):
        read_calibrator(tmp_path)


def test_other_evidence_is_refused(tmp_path: Path) -> None:
    written(tmp_path)
    facts = json.loads((tmp_path / CALIBRATOR).read_text()) | {"evidence": ["score"]}
    (tmp_path / CALIBRATOR).write_text(json.dumps(facts))
    with pytest.raises(ArtifactError, match=r"fitted on \['score'\], but \['score', 'margin', .*is in use"):
        read_calibrator(tmp_path)


def test_thresholds_are_kept(tmp_path: Path) -> None:
    written(tmp_path)
    dataclasses.replace(read_calibrator(tmp_path), nil_above=0.25).write(tmp_path)
    assert read_calibrator(tmp_path).nil_above == 0.25
