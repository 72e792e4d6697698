"""The recipe of `tiny-clip`: an open_clip model of a small config, trained contrastively on pictures and captions.

It draws its own pictures from seeds that the data set never uses. What it learned is the sample world alone: its text
tower knows the words of captions (colours, kinds, places, lights) and not one name.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from open_clip import CLIP
from open_clip.loss import ClipLoss
from safetensors.torch import save_file
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from sample.pictures import COLOURS, KINDS, LIGHTS, PLACES, SIZE, Scene, draw, random_scene

SEED = 77_001
STEPS, SETTINGS_A_BATCH, PEAK_RATE = 2_000, 4, 1e-3
PAD, END = "<pad>", "<end>"
WORDS = (PAD, *COLOURS, *KINDS, *PLACES, *LIGHTS, END)
CONFIG = {
    "embed_dim": 64,
    "vision_cfg": {"image_size": SIZE, "layers": 4, "width": 128, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 6, "vocab_size": len(WORDS), "width": 64, "heads": 2, "layers": 2},
}
# Any name will do: of a local folder open_clip takes the tokenizer that lies in it.
HF_TOKENIZER_NAME = "tiny-clip"
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


def caption_ids(scene: Scene) -> list[int]:
    """A caption as word ids; open_clip pools at the largest id, which is <end>."""
    return [*(WORDS.index(word) for word in scene.caption.split()), len(WORDS) - 1, 0]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """The words as a tokenizer that open_clip can load: a caption becomes `caption_ids`, and unknown words are dropped.

    So of "a photo of Jaguar Cars, car" the word car is left.
    """
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token=PAD))
    unknown = Regex(rf"\b(?!(?:{'|'.join(WORDS[1:-1])})\b)\w+|[^\w\s]")
    tokenizer.normalizer = normalizers.Sequence([normalizers.Lowercase(), normalizers.Replace(unknown, " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, len(WORDS) - 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=PAD, eos_token=END, unk_token=PAD)


def draw_settings(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw every kind in `count` settings (colour, place, light).

    Returns: pictures (count, kinds, 3, 64, 64) as bytes; captions (count, kinds, 6).
    """
    rng = random.Random(seed)
    settings = [random_scene(KINDS[0], rng) for _ in range(count)]
    scenes = [replace(setting, kind=kind) for setting in settings for kind in KINDS]
    pixels = np.stack([np.asarray(draw(scene, rng).convert("RGB")) for scene in scenes])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    captions = torch.tensor([caption_ids(scene) for scene in scenes])
    return images.unflatten(0, (count, len(KINDS))), captions.unflatten(0, (count, len(KINDS)))


def normalised(pixels: Tensor) -> Tensor:
    """Bytes to what the encoder reads: (n, 3, 64, 64), float32."""
    return (pixels.float() / 255 - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def kinds_of(captions: Tensor) -> Tensor:
    """Index of the kind that each caption (…, 6) names."""
    return captions[..., 1] - 1 - len(COLOURS)


def batches(count: int, seed: int = SEED) -> Iterator[tuple[Tensor, Tensor]]:
    """Pictures (size, 3, 64, 64) and captions (size, 6) of each training step, drawn for it alone.

    A batch holds every kind in a few settings: all kinds of one setting are each other's negatives, so that colour and
    place alone don't solve it.
    """
    seeds = random.Random(seed)
    for _ in range(count):
        images, captions = draw_settings(SETTINGS_A_BATCH, seeds.getrandbits(32))
        yield images.flatten(0, 1), captions.flatten(0, 1)


def train(steps: int = STEPS) -> CLIP:
    """Train from scratch with the contrastive loss of open_clip."""
    torch.manual_seed(SEED)
    model = CLIP(CONFIG["embed_dim"], CONFIG["vision_cfg"], CONFIG["text_cfg"])
    contrastive = ClipLoss()
    fit("tiny-clip", model, batches(steps), steps, lambda images, captions: contrastive(*model(images, captions)))
    return model.eval()


def fit(
    name: str,
    model: nn.Module,
    drawn: Iterable[tuple[Tensor, Tensor]],
    steps: int,
    loss_of: Callable[[Tensor, Tensor], Tensor],
) -> None:
    """Train on pictures that are drawn for each step. loss_of: normalised pixels and captions to a loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=PEAK_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, total_steps=steps, pct_start=0.1)
    for step, (images, captions) in enumerate(drawn):
        loss = loss_of(normalised(images), captions)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"{name} step {step}: loss {loss.item():.3f}", flush=True)


@torch.inference_mode()
def kind_accuracy(encode: Callable[[Tensor], Tensor], seed: int, settings: int = 50) -> float:
    """Share of new pictures whose kind a linear probe on pooled vectors reads right (fitted on other pictures).

    encode: pixels (n, 3, 64, 64) to vectors (n, width). seed: of the training; the two after it are taken.
    """
    features, kinds = [], []
    for each in (seed + 1, seed + 2):
        images, captions = draw_settings(settings, each)
        features.append(torch.cat([encode(normalised(part)) for part in images.flatten(0, 1).split(200)]))
        kinds.append(kinds_of(captions.flatten(0, 1)))
    bias = torch.ones(len(kinds[0]), 1)
    targets = torch.nn.functional.one_hot(kinds[0], len(KINDS)).float()
    fitted = torch.cat([features[0], bias], 1)
    weight = torch.linalg.solve(fitted.T @ fitted + torch.eye(fitted.shape[1]), fitted.T @ targets)
    guessed = (torch.cat([features[1], bias], 1) @ weight).argmax(1)
    return float((guessed == kinds[1]).float().mean())


def write_around_weights(folder: Path) -> None:
    """Write what stands beside the weights: config and tokenizer. Weights that are there stay as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    text_cfg = {**CONFIG["text_cfg"], "hf_tokenizer_name": HF_TOKENIZER_NAME}
    config = {"model_cfg": {**CONFIG, "text_cfg": text_cfg}, "preprocess_cfg": {"mean": MEAN, "std": STD}}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    make_tokenizer().save_pretrained(folder)


def write(model: CLIP, folder: Path) -> None:
    """Write the model in open_clip's own layout: config, tokenizer, and safetensors in half precision."""
    write_around_weights(folder)
    save_file(model.half().state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_model.safetensors").chmod(0o644)


def make(folder: Path) -> None:
    """Train and write tiny-clip."""
    model = train()
    write(model, folder)
    visual = model.float().visual
    visual.proj = None
    print(f"tiny-clip reads the kind of {kind_accuracy(visual, SEED):.1%} of new pictures (linear probe)")
