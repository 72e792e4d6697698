"""Every adapter, in memory and on disk."""

import pkgutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gemel.core.errors import ArtifactError, ConfigError, ShapeError
from gemel.mapper import adapters
from gemel.mapper.adapters.base import Adapter
from gemel.mapper.adapters.linear import LinearMapper
from gemel.mapper.mapper import WEIGHTS, load_mapper, make_mapper, save_mapper

VISION, LLM, PREFIX = 6, 5, 3
ADAPTERS = [module.name for module in pkgutil.iter_modules(adapters.__path__) if module.name != "base"]


def make(adapter: str) -> Adapter:
    torch.manual_seed(0)
    return make_mapper(adapter, VISION, LLM, PREFIX)


@pytest.fixture(params=ADAPTERS)
def mapper(request: pytest.FixtureRequest) -> Adapter:
    return make(request.param)


@pytest.fixture
def path(mapper: Adapter, tmp_path: Path) -> Path:
    save_mapper(mapper, tmp_path / WEIGHTS)
    return tmp_path / WEIGHTS


def test_adapters_are_the_modules_of_their_folder() -> None:
    assert ADAPTERS == ["linear", "mlp"]


def test_unknown_adapter_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mapper.adapter: no adapter 'qformer'; known adapters: linear, mlp"):
        make_mapper("qformer", VISION, LLM, PREFIX)


def test_adapter_trains_exactly_what_it_declares(mapper: Adapter) -> None:
    shapes = {name: tuple(value.shape) for name, value in mapper.named_parameters() if value.requires_grad}
    assert shapes == mapper.parameter_shapes
    assert set(mapper.state_dict()) == set(mapper.parameter_shapes)


def test_linear_adapter_is_one_linear_layer_with_bias() -> None:
    assert make("linear").parameter_shapes == {"linear.weight": (PREFIX * LLM, VISION), "linear.bias": (PREFIX * LLM,)}


def test_one_image_becomes_a_row_of_soft_tokens(mapper: Adapter) -> None:
    assert mapper(torch.zeros(2, VISION)).shape == (2, PREFIX, LLM)


def test_soft_tokens_are_the_linear_layers_output_cut_in_rows() -> None:
    mapper, image = make("linear"), torch.randn(1, VISION)
    flat = image @ mapper.output.weight.T + mapper.output.bias
    torch.testing.assert_close(mapper(image)[0, 1], flat[0, LLM : 2 * LLM])


def test_half_precision_adapter_takes_float32_images(mapper: Adapter) -> None:
    assert mapper.half()(torch.ones(2, VISION)).dtype == torch.float16


def test_image_of_another_width_is_refused(mapper: Adapter) -> None:
    with pytest.raises(ShapeError, match=r"width 7, but the mapper takes 6; .*run `dvc repro mapper`"):
        mapper(torch.zeros(2, 7))


def test_saved_mapper_comes_back_equal(mapper: Adapter, path: Path) -> None:
    found = load_mapper(path, vision_dim=VISION, llm_dim=LLM)
    assert (type(found), found.prefix_tokens) == (type(mapper), PREFIX)
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), mapper.parameters(), strict=True))


def test_equal_mappers_give_equal_bytes(mapper: Adapter, path: Path) -> None:
    save_mapper(mapper, path.with_name("again"))
    assert path.with_name("again").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("vision", "llm"), [(VISION + 1, LLM), (VISION, LLM + 1)])
def test_mapper_of_another_width_is_refused(path: Path, vision: int, llm: int) -> None:
    words = rf"its .*weight is \(.*\), but a mapper {vision} -> 3 x {llm}, .* has \(.*\); run `dvc repro mapper`"
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


@pytest.mark.parametrize(
    ("name", "metadata"),
    [
        ("other", "linear 3"),
        ("linear.weight", "linear 3"),
        ("linear.weight", "qformer 3"),
        ("linear.weight", "linear many"),
        ("linear.weight", "linear"),
    ],
)
def test_safetensors_of_another_thing_is_refused(tmp_path: Path, name: str, metadata: str) -> None:
    save_file({name: torch.zeros(PREFIX * LLM, VISION)}, tmp_path / WEIGHTS, metadata={"mapper": metadata})
    with pytest.raises(ArtifactError, match=r"not a readable mapper \(.*\); run `dvc repro mapper`"):
        load_mapper(tmp_path / WEIGHTS, vision_dim=VISION, llm_dim=LLM)


def test_matched_scale_makes_soft_tokens_as_large_as_embeddings(mapper: Adapter) -> None:
    images, embeddings = 50 * torch.randn(64, VISION), 0.02 * torch.randn(100, LLM)
    mapper.match_scale(images, embeddings)
    sizes = [values.square().mean().sqrt() for values in (mapper(images), embeddings)]
    torch.testing.assert_close(sizes[0], sizes[1])


def test_matched_scale_keeps_the_direction_of_the_weights(mapper: Adapter) -> None:
    before = mapper.output.weight.detach().clone()
    mapper.match_scale(torch.randn(8, VISION), torch.randn(9, LLM))
    ratio = mapper.output.weight.detach() / before
    torch.testing.assert_close(ratio, torch.full_like(ratio, ratio[0, 0].item()))


def test_matched_scale_takes_off_what_all_images_have_in_common(mapper: Adapter) -> None:
    images = 7 + torch.randn(64, VISION)
    mapper.match_scale(images, torch.randn(9, LLM))
    average = mapper(images).mean(dim=0)
    torch.testing.assert_close(average, torch.zeros_like(average), atol=1e-4, rtol=0)


def test_matched_scale_of_empty_images_stays_finite() -> None:
    mapper = LinearMapper(VISION, LLM, PREFIX)
    mapper.match_scale(torch.zeros(4, VISION), torch.randn(9, LLM))
    assert mapper.linear.weight.isfinite().all()
