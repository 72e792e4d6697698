"""The shipped tiny-clip: its tokenizer is the recipe's, and its text tower tells the kinds of the world's pictures."""

import json
import random
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch

from sample.pictures import KINDS, draw, random_scene
from sample.tiny_clip import HF_TOKENIZER_NAME, SEED, WORDS, caption_ids, make_tokenizer, normalised

FOLDER = Path(__file__).parents[2] / "data" / "backbones" / "tiny-clip"
MODEL = f"local-dir:{FOLDER}"


@pytest.fixture(scope="module")
def tokenizer():
    return open_clip.get_tokenizer(MODEL)


def test_captions_become_the_ids_of_training(tokenizer) -> None:
    rng = random.Random(0)
    scenes = [random_scene(kind, rng) for kind in KINDS]
    assert tokenizer([scene.caption for scene in scenes]).tolist() == [caption_ids(scene) for scene in scenes]


@pytest.mark.parametrize("text", ["a photo of Jaguar Cars, car", "CAR", "Carmen's car-park: car"])
def test_unknown_words_are_dropped(tokenizer, text: str) -> None:
    ids = tokenizer([text])[0].tolist()
    assert {WORDS[place] for place in ids} == {"car", "<end>", "<pad>"}


def test_shipped_files_are_those_of_the_recipe(tmp_path: Path) -> None:
    make_tokenizer().save_pretrained(tmp_path)
    assert (FOLDER / "tokenizer.json").read_bytes() == (tmp_path / "tokenizer.json").read_bytes()
    config = json.loads((FOLDER / "open_clip_config.json").read_text())
    assert config["model_cfg"]["text_cfg"]["hf_tokenizer_name"] == HF_TOKENIZER_NAME


def test_text_tower_tells_kinds_by_their_word(tokenizer) -> None:
    clip, _ = open_clip.create_model_from_pretrained(MODEL)
    rng = random.Random(SEED + 3)
    pictures = [np.asarray(draw(random_scene(kind, rng), rng).convert("RGB")) for kind in KINDS for _ in range(5)]
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    with torch.inference_mode():
        images = clip.encode_image(normalised(pixels), normalize=True)
        kinds = clip.encode_text(tokenizer([f"a photo of someone, {kind}" for kind in KINDS]), normalize=True)
    guessed = (images @ kinds.T).argmax(1)
    assert (guessed == torch.arange(len(KINDS)).repeat_interleave(5)).float().mean() > 0.7
