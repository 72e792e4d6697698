"""Image towers of open_clip models, without the projection into the text space."""

from __future__ import annotations

from pathlib import Path

import open_clip

from gemel.core.errors import BackboneError
from gemel.features.tower import Tower, no_weights_named


def load_open_clip(model: str, pretrained: str | None) -> Tower:
    """Load a vision transformer and take its projection off.

    model: an open_clip name ("ViT-L-14"), "hf-hub:…" or "local-dir:…". pretrained: a tag ("openai") or a checkpoint
    file; None with a folder or hub id, which bring their own weights.
    Raises: BackboneError if no weights are named, the folder isn't there, or there is no projection to take off; what
    open_clip raises if it can't load them.
    """
    if pretrained is None and ":" not in model:
        raise no_weights_named(model)
    if model.startswith("local-dir:") and not Path(model.removeprefix("local-dir:")).is_dir():
        raise BackboneError(f"{model}: no such folder; run `dvc pull`, or choose another encoder in conf/backbone/")
    clip, preprocess = open_clip.create_model_from_pretrained(model, pretrained=pretrained, device="cpu")
    visual = clip.visual
    if getattr(visual, "proj", None) is None:
        raise BackboneError(f"{model}: its image tower has no final projection, so there is no vector before it")
    width = int(visual.proj.shape[0])
    visual.proj = None
    return Tower(visual, width, preprocess)
