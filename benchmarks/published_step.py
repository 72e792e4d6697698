"""The published training step, ported for comparison: one example at a time, as its authors' code runs it.

The mapper is called for each image and the embedding for each text, the LM head runs over all positions, and the
model's own loss leaves those before the name out.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import PreTrainedModel

from gemel.mapper.adapters.base import Adapter
from gemel.mapper.examples import Example

NO_LABEL = -100


def published_loss(llm: PreTrainedModel, mapper: Adapter, example: Example) -> Tensor:
    """The loss of one example: mean cross-entropy of its name's tokens and EOS."""
    embed, device = llm.get_input_embeddings(), llm.device
    rows = []
    for segment in example.segments:
        if segment.image is not None:
            rows.append(mapper(segment.image.to(device)).to(llm.dtype))
        rows.append(embed(torch.tensor(segment.token_ids, device=device)))
    target = torch.tensor(example.target_ids, device=device)
    prompt = torch.cat(rows)
    inputs = torch.cat([prompt, embed(target)])[None]
    labels = torch.cat([torch.full((len(prompt),), NO_LABEL, device=device), target])[None]
    mask = torch.ones(inputs.shape[:2], dtype=torch.int64, device=device)
    loss: Tensor = llm(inputs_embeds=inputs, attention_mask=mask, labels=labels, use_cache=False).loss
    return loss


def published_step(llm: PreTrainedModel, mapper: Adapter, batch: Sequence[Example]) -> float:
    """Add the gradient of a batch to the mapper's, one example after the other; return the mean loss."""
    total = 0.0
    for example in batch:
        loss = published_loss(llm, mapper, example) / len(batch)
        loss.backward()
        total += loss.item()
    return total
