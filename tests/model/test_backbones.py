"""The shipped models: they know the sample world, and never met a post of its data set."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import AutoTokenizer

from gemel.core.settings import LLMSettings
from gemel.features.encoder import load_encoder
from gemel.llm.loading import load_llm
from sample import dataset, tiny_classifiers, tiny_clip, tiny_llms
from sample.curriculum import HARDENING, LESSONS, Curriculum, Lesson
from sample.dataset import dataset_texts
from sample.pictures import KINDS
from sample.tiny_llms import texts_hash
from sample.world import load_world

DATA = Path(__file__).parents[2] / "data"
LLAMA, CLIP = DATA / "backbones" / "tiny-llama", DATA / "backbones" / "tiny-clip"
LLMS = (LLAMA, *(DATA / "members" / name for name in tiny_llms.MEMBERS if name != LLAMA.name))
ENCODERS = (f"local-dir:{CLIP}", *(f"timm:local-dir:{DATA}/members/{name}" for name in tiny_classifiers.MEMBERS))
# Share of kinds that are read right at least; tiny-beit sees worse than the others.
READ = {"tiny-beit": 0.55}
MIB = 2**20


@pytest.fixture(scope="module")
def curriculum() -> Curriculum:
    tokenizer = AutoTokenizer.from_pretrained(LLAMA)
    return Curriculum(load_world(), tokenizer, dataset_texts(DATA / "sample"), seed=1)


@pytest.mark.parametrize("llm", LLMS, ids=lambda llm: llm.name)
def test_llm_was_trained_around_the_texts_of_this_data_set(llm: Path) -> None:
    recipe = json.loads((llm / "recipe.json").read_text())
    assert recipe["avoided_texts_sha256"] == texts_hash(dataset_texts(DATA / "sample"))


@pytest.mark.parametrize("lesson", (*LESSONS, *HARDENING))
def test_curriculum_shows_no_text_and_no_novel_name_of_the_data_set(curriculum: Curriculum, lesson: Lesson) -> None:
    curriculum.lesson = lesson
    prompts = [curriculum._tokenizer.decode(row) for _ in range(20) for row in curriculum.batch(8).ids]
    seen = "\n".join(prompts)
    texts = set(re.findall(r"\[Text\](.*)\n", seen))
    assert len(texts) > 20
    assert not texts & dataset_texts(DATA / "sample")
    novel = [one.name for one in load_world().inhabitants if one.role == "novel"]
    assert not [name for name in novel if f"[Answer]{name}\n" in seen]


@pytest.mark.parametrize("llm", LLMS[1:], ids=lambda llm: llm.name)
def test_llms_share_one_tokenizer(llm: Path) -> None:
    assert (llm / "tokenizer.json").read_bytes() == (LLAMA / "tokenizer.json").read_bytes()


@pytest.mark.parametrize("seed", [tiny_clip.SEED, tiny_classifiers.SEED])
def test_encoders_learned_from_other_pictures_than_the_data_sets(seed: int) -> None:
    assert seed != dataset.SEED
    drawn = [one for pictures, _ in tiny_clip.batches(3, seed) for one in pictures]
    trained = {hashlib.sha256(one.numpy().tobytes()).digest() for one in drawn}
    files = sorted((DATA / "sample" / "images").iterdir())[:500]
    shipped = {_pixels_hash(path) for path in files}
    assert len(shipped) == len(files)
    assert not trained & shipped


@pytest.mark.parametrize("model", ENCODERS, ids=lambda model: Path(model).name)
def test_encoder_tells_kinds_apart(model: str) -> None:
    """A linear read-out of the pooled vectors names the kind of new pictures."""
    encoder = load_encoder(model)
    posts = [json.loads(line) for line in (DATA / "sample" / "posts.jsonl").read_text().splitlines()]
    shown = [post for post in posts if post["image"]][:1_200]
    vectors = np.concatenate(
        [encoder.encode([Image.open(DATA / "sample" / post["image"]).convert("RGB")]) for post in shown]
    )
    kinds = np.array([KINDS.index(post["caption"].split()[1]) for post in shown])
    inputs = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])
    fit, held = inputs[:900], inputs[900:]
    weights = np.linalg.solve(fit.T @ fit + np.eye(fit.shape[1]), fit.T @ np.eye(len(KINDS))[kinds[:900]])
    assert ((held @ weights).argmax(1) == kinds[900:]).mean() > READ.get(Path(model).name, 0.9)


def test_data_and_models_stay_small() -> None:
    folders = ("sample", "backbones", "members")
    shipped = [path for folder in folders for path in (DATA / folder).rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) < 32 * MIB


@pytest.mark.parametrize("folder", LLMS, ids=lambda folder: folder.name)
def test_llm_is_small_and_loads_frozen(folder: Path) -> None:
    parameters = list(load_llm(LLMSettings(str(folder))).model.parameters())
    assert sum(parameter.numel() for parameter in parameters) < 5_000_000
    assert not any(parameter.requires_grad for parameter in parameters)


def _pixels_hash(path: Path) -> bytes:
    with Image.open(path) as image:
        return hashlib.sha256(np.asarray(image.convert("RGB")).transpose(2, 0, 1).tobytes()).digest()
