"""Linking posts through a release bundle: what comes back, what is refused, and what is said about images."""

import dataclasses
import json
import math
import re
import shutil
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import polars as pl
import pytest
import torch
from tiny_world import NOTICE, NUM_BEAMS, PREFIX_TOKENS, VISION_WIDTH, WHO, WIDTH, linker_settings, write_picture

from gemel import predictor
from gemel.answerer import Answerer
from gemel.bundle import ENTITIES, TRIE, read_bundle, settings_facts
from gemel.core.artifacts import MANIFEST, file_sha256, new_artifact, read_manifest
from gemel.core.errors import ArtifactError, BackboneError, RequestError, ShapeError
from gemel.core.schema import Mention, Post
from gemel.core.settings import BackboneSettings, PromptSettings, Rescoring
from gemel.entities.catalog import Catalog
from gemel.llm.loading import load_llm
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.mapper import WEIGHTS, load_mapper, save_mapper
from gemel.predictor import Linker, rooted
from gemel.tasks.linking.demonstrations import DemonstrationBook, read_corpus

TEXT = "Great shot of the Jaguar this morning"


@pytest.fixture(scope="module")
def linker(tiny_release: Path) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(tiny_release)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "picture.png", (200, 150, 40))


@pytest.fixture
def release(tiny_release: Path, tmp_path: Path) -> Path:
    """A copy of the bundle that a test may change."""
    return shutil.copytree(tiny_release, tmp_path / "release")


def post(*mentions: str, text: str = TEXT, image: Path | None = None, post_id: str = "p1") -> Post:
    return Post(text, tuple(map(Mention, mentions or ("Jaguar",))), image, post_id)


def approve(release: Path, **facts: object) -> None:
    """Make a changed bundle's manifest true again. facts: replace those of the manifest."""
    manifest = json.loads((release / MANIFEST).read_text())
    manifest["facts"] |= facts
    for name, entry in manifest["files"].items():
        entry.update(bytes=(release / name).stat().st_size, sha256=file_sha256(release / name))
    (release / MANIFEST).write_text(json.dumps(manifest))


def test_candidates_are_entities_of_the_catalog(linker: Linker, tiny_release: Path, picture: Path) -> None:
    catalog = Catalog.read(tiny_release / ENTITIES)
    (link,) = linker.link([post(image=picture)])
    assert len(link.candidates) == NUM_BEAMS
    for candidate in link.candidates:
        assert catalog.entity(candidate.entity_id).name == candidate.name


def test_candidates_are_all_different(linker: Linker) -> None:
    (link,) = linker.link([post()])
    assert len({candidate.entity_id for candidate in link.candidates}) == len(link.candidates)


def test_scores_descend_and_probabilities_sum_to_one(linker: Linker, picture: Path) -> None:
    (link,) = linker.link([post(image=picture)])
    scores = [candidate.score for candidate in link.candidates]
    probabilities = [candidate.probability for candidate in link.candidates]
    assert scores == sorted(scores, reverse=True)
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1.0)
    assert link.best == link.candidates[0]


def test_readable_image_is_said_to_be_read(linker: Linker, picture: Path) -> None:
    (link,) = linker.link([post(image=picture)])
    assert link.image == "read"


def test_image_changes_the_scores(linker: Linker, picture: Path) -> None:
    seen, unseen = (linker.link([post(image=image)])[0] for image in (picture, None))
    assert seen.candidates != unseen.candidates


def test_post_without_an_image_is_linked_by_its_text(linker: Linker) -> None:
    (link,) = linker.link([post()])
    assert link.image == "none"
    assert link.candidates


def test_missing_image_is_linked_by_the_text_and_said(linker: Linker, tmp_path: Path) -> None:
    (link,) = linker.link([post(image=tmp_path / "no.png")])
    assert link.image == f"unreadable: {tmp_path / 'no.png'}: no such file"
    assert link.candidates == linker.link([post()])[0].candidates


def test_unreadable_image_is_linked_by_the_text_and_said(linker: Linker, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    (link,) = linker.link([post(image=tmp_path / "bad.png")])
    assert link.image.startswith("unreadable: ")
    assert "not an image of" in link.image
    assert link.candidates == linker.link([post()])[0].candidates


def test_unreadable_image_does_not_take_its_neighbours_vector(linker: Linker, picture: Path, tmp_path: Path) -> None:
    posts = [post(image=image) for image in (tmp_path / "no.png", picture, None)]
    links = linker.link(posts)
    assert [link.image.split(":")[0] for link in links] == ["unreadable", "read", "none"]
    assert links[0].candidates[0].score == pytest.approx(links[2].candidates[0].score, abs=1e-4)
    assert links[1].candidates[0].score == pytest.approx(linker.link([posts[1]])[0].candidates[0].score, abs=1e-4)


def test_mention_that_is_not_in_the_text_is_noted(linker: Linker) -> None:
    (link,) = linker.link([post("Amazon")])
    assert link.notes == ("the mention 'Amazon' does not occur in the text",)


@pytest.mark.parametrize(("words", "left_out"), [(1_800, 1), (1_900, 2)])
def test_demonstrations_that_do_not_fit_are_left_out_and_the_link_says_so(
    linker: Linker, words: int, left_out: int
) -> None:
    (link,) = linker.link([post(text="Jaguar".ljust(words, "."))])
    assert link.notes == (f"demonstrations left out, as the LLM's context has no room for them: {left_out}",)


def test_text_that_is_too_long_is_cut_around_the_mention_and_the_link_says_so(linker: Linker) -> None:
    text = f"{'word ' * 3_000}Jaguar {'word ' * 3_000}"
    (link,) = linker.link([post(text=text)])
    left_out, cut = link.notes
    assert left_out == "demonstrations left out, as the LLM's context has no room for them: 2"
    found = re.fullmatch(
        r"the text was cut to (\d+) of 30007 characters, as the LLM's context has no room for more", cut
    )
    assert found is not None
    kept = int(found[1])
    assert 1_800 < kept < 2_048
    around = " ".join(["word"] * (kept // 10))
    (window,) = linker.link([post(text=f"… {around} Jaguar {around} …")])
    assert link.candidates == window.candidates


def test_text_that_fits_has_nothing_to_note(linker: Linker) -> None:
    assert linker.link([post()])[0].notes == ()


def test_mention_beyond_the_llms_positions_is_refused(linker: Linker) -> None:
    words = r"the mention 'Jaguar.*': the question for it, without any text, takes 2\d\d\d positions"
    with pytest.raises(RequestError, match=words):
        linker.link([post("Jaguar" * 350)])


def among(*candidates: str, entity_type: str = "") -> Post:
    return Post(TEXT, (Mention("Jaguar", candidates=candidates, entity_type=entity_type),), post_id="p1")


def test_candidates_may_be_restricted_to_a_list(linker: Linker) -> None:
    (link,) = linker.link([among("Q925", "Q35694")])
    assert {candidate.entity_id for candidate in link.candidates} == {"Q925", "Q35694"}
    assert sum(candidate.probability for candidate in link.candidates) == pytest.approx(1.0)


def test_candidates_may_be_restricted_to_a_type(linker: Linker) -> None:
    (link,) = linker.link([among(entity_type="planet")])
    assert [candidate.entity_id for candidate in link.candidates] == ["Q308"]


def test_restricted_and_free_mentions_ride_together(linker: Linker) -> None:
    posts = [among("Q925"), post(), among("Q308", "Q925", entity_type="planet"), post()]
    found = [[candidate.entity_id for candidate in link.candidates] for link in linker.link(posts)]
    free = [candidate.entity_id for candidate in linker.link([post()])[0].candidates]
    assert found == [["Q925"], free, ["Q308"], free]


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (among("Q1"), "post 'p1': can't restrict the choice: no entity 'Q1' in the catalog of 5 entities"),
        (among(entity_type="god"), "no entity of type 'god'; the most common types: 'animal'"),
        (among("Q925", entity_type="planet"), "none of the 1 candidates is of type 'planet'"),
    ],
)
def test_choice_that_leaves_nothing_is_refused(linker: Linker, bad: Post, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        linker.link([post(), bad])


def test_fewer_results_are_the_first_of_all(linker: Linker, picture: Path) -> None:
    (every,), (two,) = (linker.link([post(image=picture)], results) for results in (None, 2))
    assert [each.entity_id for each in two.candidates] == [each.entity_id for each in every.candidates[:2]]
    assert sum(each.probability for each in two.candidates) == pytest.approx(1.0)


def test_score_is_the_mean_over_the_name_and_its_end_and_probability_its_share(linker: Linker) -> None:
    (link,) = linker.link([post()])
    powers = [math.exp(candidate.score) for candidate in link.candidates]
    shares = [power / sum(powers) for power in powers]
    assert [candidate.probability for candidate in link.candidates] == pytest.approx(shares)
    assert all(candidate.score < 0 for candidate in link.candidates)


def test_every_mention_of_a_post_is_linked_in_order(linker: Linker) -> None:
    links = linker.link([post("Jaguar", "Amazon", "Jaguar")])
    assert [link.mention.text for link in links] == ["Jaguar", "Amazon", "Jaguar"]
    ids = [[candidate.entity_id for candidate in link.candidates] for link in links]
    assert ids[0] == ids[2] != ids[1]


def test_posts_keep_their_order(linker: Linker) -> None:
    posts = [post(text=f"{TEXT}{'!' * (7 * number % 5)}", post_id=str(number)) for number in range(5)]
    assert [link.post_id for link in linker.link(posts)] == ["0", "1", "2", "3", "4"]


def test_answer_does_not_depend_on_the_batch(linker: Linker, picture: Path) -> None:
    posts = [
        post(image=picture, post_id="0"),
        post("Mercury", text="Mercury is near", post_id="1"),
        post(text="A Jaguar", image=picture, post_id="2"),
    ]
    together, alone = linker.link(posts), [linker.link([one])[0] for one in posts]
    for one, other in zip(together, alone, strict=True):
        assert [c.entity_id for c in one.candidates] == [c.entity_id for c in other.candidates]
        assert [c.score for c in one.candidates] == pytest.approx([c.score for c in other.candidates], abs=1e-4)


def test_stream_gives_the_links_of_a_list(linker: Linker) -> None:
    posts = [post(post_id=str(number)) for number in range(3)]
    streamed = list(linker.link_stream(iter(posts), posts_at_once=2))
    assert [link.post_id for link in streamed] == ["0", "1", "2"]
    assert [link.best.entity_id for link in streamed] == [link.best.entity_id for link in linker.link(posts)]


def test_no_post_gives_no_link(linker: Linker) -> None:
    assert linker.link([]) == []


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (Post(" \n", (Mention("Jaguar"),), post_id="p7"), "post 'p7': its text is empty; give the sentence"),
        (Post(TEXT, (Mention("Jaguar"), Mention(" ")), post_id="p7"), "post 'p7': a mention is empty; say which"),
        (Post(TEXT, (), post_id="p7"), "post 'p7': has no mention; say which string"),
        (Post("", (Mention("Jaguar"),)), "the post: its text is empty"),
    ],
)
def test_post_that_can_not_be_linked_is_refused(linker: Linker, bad: Post, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        linker.link([post(), bad])


def test_notice_is_said_once_on_loading(tiny_release: Path) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        linker = Linker.load(tiny_release)
        linker.link([post()])
    assert [str(notice.message) for notice in caught if notice.category is UserWarning].count(NOTICE) == 1


def test_zero_vector_stands_for_a_missing_image_where_it_is_set(
    release: Path, linker: Linker, tiny_backbones: BackboneSettings
) -> None:
    settings = dataclasses.replace(linker_settings(tiny_backbones), missing_image="zero_vector")
    approve(release, settings=settings_facts(settings))
    zeros = Linker.load(release)
    assert zeros.link([post()])[0].candidates != linker.link([post()])[0].candidates
    seen = zeros.opened.answerer._soft_tokens([])
    torch.testing.assert_close(seen[None], zeros.opened.answerer._mapper(torch.zeros(VISION_WIDTH)))


def test_missing_bundle_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no manifest.json, so it was never finished; run `dvc repro release`"):
        Linker.load(tmp_path / "release")


@pytest.mark.parametrize("name", [WEIGHTS, ENTITIES, "corpus.parquet", "vectors.npy", "images.json"])
def test_truncated_file_is_refused(release: Path, name: str) -> None:
    content = (release / name).read_bytes()
    (release / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ArtifactError, match=rf"{name}: .* bytes, but .* \(truncated\?\); run `dvc repro release`"):
        Linker.load(release)


def test_flipped_byte_in_the_trie_is_refused(release: Path) -> None:
    path = max((release / TRIE).iterdir(), key=lambda path: path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"its SHA-256 differs .*; run `dvc repro release`"):
        Linker.load(release)


def test_trie_of_another_tokenizer_is_refused(release: Path) -> None:
    approve(release, tokenizer="0" * 64)
    with pytest.raises(ArtifactError, match=r"its trie was built for tokenizer 000000000000, the LLM .* uses "):
        Linker.load(release)


@pytest.mark.parametrize(("vision", "llm"), [(VISION_WIDTH + 1, WIDTH), (VISION_WIDTH, WIDTH + 1)])
def test_mapper_of_another_width_is_refused(release: Path, vision: int, llm: int) -> None:
    save_mapper(LinearMapper(vision, llm, PREFIX_TOKENS), release / WEIGHTS)
    approve(release)
    with pytest.raises(ShapeError, match=r".* but a mapper 24 -> 2 x 32, as the frozen models need it, has"):
        Linker.load(release)


def test_missing_backbone_is_refused(release: Path, tiny_backbones: BackboneSettings, tmp_path: Path) -> None:
    settings = linker_settings(tiny_backbones)
    gone = dataclasses.replace(tiny_backbones.llm, model=str(tmp_path / "gone"))
    backbone = dataclasses.replace(settings.backbone, llm=gone)
    approve(release, settings=settings_facts(dataclasses.replace(settings, backbone=backbone)))
    with pytest.raises(BackboneError, match="gone: no such folder; run `dvc pull`"):
        Linker.load(release)


def test_bundle_from_before_a_setting_has_its_default(release: Path, tiny_backbones: BackboneSettings) -> None:
    former = {key: value for key, value in settings_facts(linker_settings(tiny_backbones)).items() if key != "prompt"}
    approve(release, settings=former)
    assert read_bundle(release).settings.prompt == PromptSettings("alone")


def test_names_of_demonstrations_are_encoded_as_the_bundle_says(
    release: Path, tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Mock(side_effect=DemonstrationBook)
    monkeypatch.setattr(predictor, "DemonstrationBook", book)
    settings = dataclasses.replace(linker_settings(tiny_backbones), prompt=PromptSettings("in_segment"))
    approve(release, settings=settings_facts(settings))
    with pytest.warns(UserWarning, match=NOTICE):
        Linker.load(release)
    assert book.call_args.args[2] == "in_segment"


def test_linker_shows_posts_of_like_images_where_they_have_a_weight(
    release: Path, tiny_backbones: BackboneSettings, tmp_path: Path
) -> None:
    settings = linker_settings(tiny_backbones)
    shown = dataclasses.replace(settings.demonstrations, image_weight=1.0)
    approve(release, settings=settings_facts(dataclasses.replace(settings, demonstrations=shown)))
    with pytest.warns(UserWarning, match=NOTICE):
        weighed = Linker.load(release)
    asked: list[list[tuple[int, ...]]] = []
    choose_all = weighed.opened.chooser.choose_all

    def noting(*arguments: Any) -> list[tuple[int, ...]]:
        asked.append(choose_all(*arguments))
        return asked[-1]

    weighed.opened.chooser.choose_all = noting  # type: ignore[method-assign]
    corpus = read_corpus(release)
    for entity_id, _, _, _, colour in WHO[:2]:
        picture = write_picture(tmp_path / f"{entity_id}.png", colour)
        weighed.link([post("Jaguar", image=picture)])
        assert corpus["entity_id"][asked[-1][0][0]] == entity_id


def test_images_of_entities_decide_where_they_count_for_much(
    release: Path, tiny_backbones: BackboneSettings, tmp_path: Path
) -> None:
    """The tiny pictures of an entity are of its colour; the level is beyond reach of those of another."""
    settings = dataclasses.replace(linker_settings(tiny_backbones), rescoring=Rescoring(slope=100.0, level=0.0))
    approve(release, settings=settings_facts(settings))
    with pytest.warns(UserWarning, match=NOTICE):
        looking = Linker.load(release)
    for entity_id, _, _, mention, colour in WHO[:2]:
        asked = post(mention, text=f"Look, {mention} again", image=write_picture(tmp_path / "new.png", colour))
        choice = dataclasses.replace(asked.mentions[0], candidates=("Q35694", "Q30055"))
        (link,) = looking.link([dataclasses.replace(asked, mentions=(choice,))])
        assert link.best.entity_id == entity_id
        assert sum(candidate.probability for candidate in link.candidates) == pytest.approx(1)
        (one,) = looking.link([dataclasses.replace(asked, mentions=(choice,))], results=1)
        assert (one.best.entity_id, one.best.probability) == (entity_id, pytest.approx(1))


def test_post_without_an_image_keeps_the_llms_scores(
    linker: Linker, release: Path, tiny_backbones: BackboneSettings
) -> None:
    settings = dataclasses.replace(linker_settings(tiny_backbones), rescoring=Rescoring(slope=100.0, level=0.0))
    approve(release, settings=settings_facts(settings))
    with pytest.warns(UserWarning, match=NOTICE):
        looking = Linker.load(release)
    (plain,), (link,) = linker.link([post()]), looking.link([post()])
    assert [each.score for each in link.candidates] == [each.score for each in plain.candidates]


def test_unknown_setting_in_the_manifest_is_refused(release: Path, tiny_backbones: BackboneSettings) -> None:
    from gemel.core.errors import ConfigError

    approve(release, settings=settings_facts(linker_settings(tiny_backbones)) | {"length_penalty": 2})
    with pytest.raises(ConfigError, match=r"settings.length_penalty: .*\(found 2\)"):
        Linker.load(release)


def test_bundle_with_fewer_vectors_than_images_is_refused(release: Path) -> None:
    np.save(release / "vectors.npy", np.load(release / "vectors.npy")[:-1])
    approve(release)
    with pytest.raises(ArtifactError, match="19 vectors for 20 images; run `dvc repro release`"):
        read_bundle(release)


def test_bundle_holds_no_frozen_weights(tiny_release: Path) -> None:
    assert {path.suffix for path in tiny_release.rglob("*") if path.is_file()} == {
        ".json",
        ".md",
        ".npy",
        ".parquet",
        ".safetensors",
    }
    assert (tiny_release / WEIGHTS).stat().st_size < 2 * 4 * (VISION_WIDTH + 1) * PREFIX_TOKENS * WIDTH


def test_bundle_without_any_image_still_links(tiny_release: Path, tmp_path: Path) -> None:
    target = tmp_path / "artifacts" / "release"
    with new_artifact(target, "release", read_manifest(tiny_release, "release")) as draft:
        shutil.copytree(tiny_release, draft, dirs_exist_ok=True)
        (draft / MANIFEST).unlink()
        corpus = pl.read_parquet(draft / "corpus.parquet").with_columns(image_sha256=pl.lit(None, pl.String))
        corpus.write_parquet(draft / "corpus.parquet")
        np.save(draft / "vectors.npy", np.zeros((0, 0), np.float32))
        (draft / "images.json").write_text("[]")
    (link,) = Linker.load(target).link([post()])
    assert link.candidates


def test_relative_models_start_from_the_root(tiny_backbones: BackboneSettings) -> None:
    root = Path(tiny_backbones.tracked)
    relative = dataclasses.replace(
        tiny_backbones,
        llm=dataclasses.replace(tiny_backbones.llm, model="llm"),
        vision=dataclasses.replace(tiny_backbones.vision, model="local-dir:vision"),
    )
    found = rooted(relative, root)
    assert (found.llm.model, found.vision.model) == (tiny_backbones.llm.model, tiny_backbones.vision.model)


def test_folder_of_timms_starts_from_the_root(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    vision = dataclasses.replace(tiny_backbones.vision, model="timm:local-dir:data/tiny-resnet")
    found = rooted(dataclasses.replace(tiny_backbones, vision=vision), tmp_path)
    assert found.vision.model == f"timm:local-dir:{tmp_path}/data/tiny-resnet"


def test_hub_ids_stay_as_they_are(tmp_path: Path, tiny_backbones: BackboneSettings) -> None:
    hub = dataclasses.replace(
        tiny_backbones,
        llm=dataclasses.replace(tiny_backbones.llm, model="meta-llama/Llama-2-7b-hf"),
        vision=dataclasses.replace(tiny_backbones.vision, model="ViT-L-14", pretrained="openai"),
    )
    assert rooted(hub, tmp_path) == hub


def test_text_that_is_no_unicode_is_refused(linker: Linker) -> None:
    with pytest.raises(RequestError, match=r"the post: .*lone surrogate"):
        linker.link([Post("The \ud800 Jaguar", (Mention("Jaguar"),))])


def test_names_that_leave_no_room_for_a_prompt_are_refused(
    tiny_release: Path, tiny_backbones: BackboneSettings
) -> None:
    bundle, llm = read_bundle(tiny_release), load_llm(tiny_backbones.llm)
    llm.model.config.max_position_embeddings = 10
    with pytest.raises(ShapeError, match="names of up to 18 tokens leave no room for a prompt in the LLM's 10"):
        Answerer(
            llm=llm,
            mapper=load_mapper(bundle.mapper, vision_dim=VISION_WIDTH, llm_dim=WIDTH),
            catalog=bundle.catalog,
            trie=bundle.trie,
            book=DemonstrationBook(bundle.demonstrations, llm.encode),
            vectors=bundle.vectors,
            settings=bundle.settings,
        )
