"""Tokenizers: loading, and their fingerprint."""

from __future__ import annotations

import hashlib
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from gemel.core.errors import BackboneError


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a local folder or a hub id.

    Raises: BackboneError if it can't be had, or has no EOS token to end names with.
    """
    _check_folder(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(name, revision=revision)
    except (OSError, ValueError) as error:
        raise BackboneError(loading_advice(name, error)) from error
    if tokenizer.eos_token_id is None:
        raise BackboneError(f"{name}: the tokenizer has no EOS token, so names could not end; choose another LLM")
    return tokenizer


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerBase) -> str:
    """SHA-256 over the vocabulary and special tokens, and over how a probe text is split.

    Two tokenizers with the same fingerprint give a trie the same token ids.
    """
    digest = hashlib.sha256()
    for token, index in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1]):
        digest.update(f"{index}\t{token}\n".encode())
    digest.update(f"eos={tokenizer.eos_token_id}".encode())
    probe = "Mercury (planet), Zürich – 北京 O'Neill 1998\n"
    digest.update(repr(tokenizer.encode(probe, add_special_tokens=False)).encode())
    return digest.hexdigest()


def _check_folder(name: str) -> None:
    if name.startswith((".", "/")) or name.count("/") > 1:
        folder = Path(name)
        if not folder.is_dir():
            raise BackboneError(f"{name}: no such folder; run `dvc pull`, or name a hub id or folder in conf/backbone/")


def loading_advice(name: str, error: Exception) -> str:
    """What to say where a model can't be loaded."""
    reason = str(error).splitlines()[0]
    return f"{name}: can't be loaded ({reason}); check the id, revision and network, or name a local folder"
