"""A release with an LLM of a published size and random weights, for the speed of the service at that size."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.linking_models import SHAPES, Vocabulary, make_llm
from gemel.bundle import Contents, read_bundle, write_contents
from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.settings import RuntimeSettings
from gemel.llm.tokens import load_tokenizer
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.mapper import save_mapper

DEMONSTRATIONS, PREFIX_TOKENS = 16, 4


def shaped(release: Path, shape: str, folder: Path) -> Path:
    """Write a release like another one, but for the LLM, the mapper, and as many demonstrations as were published.

    Its answers mean nothing, and in 16 bit they may differ with what a mention is linked together with. shape: a name
    of SHAPES. folder: for the LLM and the release. Returns: the release.
    """
    bundle, facts = read_bundle(release), read_manifest(release, "release")
    device = torch.device(RuntimeSettings().torch_device)
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    tokenizer = load_tokenizer(facts["settings"]["backbone"]["llm"]["model"])
    llm = make_llm(SHAPES[shape], Vocabulary.of(tokenizer), device, dtype)
    llm.save_pretrained(folder / "llm")
    tokenizer.save_pretrained(folder / "llm")
    facts["settings"]["backbone"]["llm"] |= {"model": str(folder / "llm"), "dtype": str(dtype).removeprefix("torch.")}
    facts["settings"]["demonstrations"]["count"] = DEMONSTRATIONS
    vision_dim = len(next(iter(bundle.vectors.values())))
    mapper = folder / "mapper.safetensors"
    save_mapper(LinearMapper(vision_dim, SHAPES[shape].hidden, PREFIX_TOKENS), mapper)
    contents = Contents(mapper, bundle.catalog, bundle.trie, bundle.demonstrations, bundle.vectors, release)
    with new_artifact(folder / "release", "release", facts) as draft:
        write_contents(draft, contents)
    return folder / "release"
