"""Tokenizers: loading, and their fingerprint."""

from __future__ import annotations

import hashlib

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from gemel.core.errors import BackboneError
from gemel.llm.model_files import fetch_model, loading_advice


def load_tokenizer(name: str, revision: str | None = None) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a local folder or a hub id.

    Raises: BackboneError if it can't be had, or has no EOS token to end names with.
    """
    folder = fetch_model(name, revision, weights=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder)
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
