"""The linear mapper, in memory and on disk."""

from pathlib import Path

import pytest
import torch

from gemel.core.errors import ArtifactError, ShapeError
from gemel.mapper.mapper import WEIGHTS, LinearMapper, load_mapper, save_mapper

VISION, LLM, PREFIX = 6, 5, 3


@pytest.fixture
def mapper() -> LinearMapper:
    torch.manual_seed(0)
    return LinearMapper(VISION, LLM, PREFIX)


@pytest.fixture
def path(mapper: LinearMapper, tmp_path: Path) -> Path:
    save_mapper(mapper, tmp_path / WEIGHTS)
    return tmp_path / WEIGHTS


def test_one_image_becomes_a_row_of_soft_tokens(mapper: LinearMapper) -> None:
    assert mapper(torch.zeros(2, VISION)).shape == (2, PREFIX, LLM)


def test_soft_tokens_are_the_linear_layers_output_cut_in_rows(mapper: LinearMapper) -> None:
    image = torch.randn(1, VISION)
    flat = image @ mapper.linear.weight.T + mapper.linear.bias
    torch.testing.assert_close(mapper(image)[0, 1], flat[0, LLM : 2 * LLM])


def test_mapper_is_one_linear_layer_with_bias(mapper: LinearMapper) -> None:
    shapes = {name: tuple(parameter.shape) for name, parameter in mapper.named_parameters()}
    assert shapes == {"linear.weight": (PREFIX * LLM, VISION), "linear.bias": (PREFIX * LLM,)}


def test_image_of_another_width_is_refused(mapper: LinearMapper) -> None:
    with pytest.raises(ShapeError, match=r"width 7, but the mapper takes 6; .*run `dvc repro mapper`"):
        mapper(torch.zeros(2, 7))


def test_saved_mapper_comes_back_equal(mapper: LinearMapper, path: Path) -> None:
    found = load_mapper(path, vision_dim=VISION, llm_dim=LLM)
    assert found.prefix_tokens == PREFIX
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), mapper.parameters(), strict=True))


def test_equal_mappers_give_equal_bytes(mapper: LinearMapper, path: Path) -> None:
    save_mapper(mapper, path.with_name("again"))
    assert path.with_name("again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("vision", "llm"), [(VISION + 1, LLM), (VISION, LLM + 1)])
def test_mapper_of_another_width_is_refused(path: Path, vision: int, llm: int) -> None:
    words = rf"a mapper 6 -> 3 x 5, but the frozen models need {vision} -> 3 x {llm}; run `dvc repro mapper`"
    with pytest.raises(ShapeError, match=words):
        load_mapper(path, vision_dim=vision, llm_dim=llm)


@pytest.mark.parametrize("length", [0, 5, 40, 200])
def test_truncated_file_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ArtifactError, match=r"not a readable mapper \(.*\); run `dvc repro mapper`"):
        load_mapper(path, vision_dim=VISION, llm_dim=LLM)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no.safetensors: not a readable mapper .*; run `dvc repro mapper`"):
        load_mapper(tmp_path / "no.safetensors", vision_dim=VISION, llm_dim=LLM)


@pytest.mark.parametrize("name", ["other", "linear.weight"])
def test_safetensors_of_another_thing_is_refused(tmp_path: Path, name: str) -> None:
    from safetensors.torch import save_file

    save_file({name: torch.zeros(PREFIX * LLM, VISION)}, tmp_path / WEIGHTS, metadata={"prefix_tokens": str(PREFIX)})
    with pytest.raises(ArtifactError, match=r"not a readable mapper \(.*\); run `dvc repro mapper`"):
        load_mapper(tmp_path / WEIGHTS, vision_dim=VISION, llm_dim=LLM)


def test_matched_scale_makes_soft_tokens_as_large_as_embeddings(mapper: LinearMapper) -> None:
    images, embeddings = 50 * torch.randn(64, VISION), 0.02 * torch.randn(100, LLM)
    mapper.match_scale(images, embeddings)
    sizes = [values.square().mean().sqrt() for values in (mapper(images), embeddings)]
    torch.testing.assert_close(sizes[0], sizes[1])


def test_matched_scale_keeps_the_direction_of_the_weights(mapper: LinearMapper) -> None:
    before = mapper.linear.weight.detach().clone()
    mapper.match_scale(torch.randn(8, VISION), torch.randn(9, LLM))
    ratio = mapper.linear.weight.detach() / before
    torch.testing.assert_close(ratio, torch.full_like(ratio, ratio[0, 0].item()))


def test_matched_scale_takes_off_what_all_images_have_in_common(mapper: LinearMapper) -> None:
    images = 7 + torch.randn(64, VISION)
    mapper.match_scale(images, torch.randn(9, LLM))
    average = mapper(images).mean(dim=0)
    torch.testing.assert_close(average, torch.zeros_like(average), atol=1e-4, rtol=0)


def test_matched_scale_of_empty_images_stays_finite(mapper: LinearMapper) -> None:
    mapper.match_scale(torch.zeros(4, VISION), torch.randn(9, LLM))
    assert mapper.linear.weight.isfinite().all()
