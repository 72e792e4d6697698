"""A section of params.yaml becomes a dataclass, or a refusal that names the key."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pytest

from gemel.core.config import load_section, parse_section, read_params
from gemel.core.errors import ConfigError
from gemel.core.settings import DemonstrationSettings, LinkerSettings, MapperSettings, TrainingCourse

COURSE = TrainingCourse(
    steps=4,
    batch_size=4,
    peak_rate=0.01,
    warmup_steps=1,
    weight_decay=0.01,
    clip_norm=1.0,
    check_every=2,
    patience=4,
)


@dataclass(frozen=True)
class Search:
    """num_beams: required. kind: has a default."""

    num_beams: int
    kind: Literal["beam", "greedy"] = "beam"


def params(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return path


def test_section_becomes_its_dataclass(tmp_path: Path) -> None:
    path = params(tmp_path, "search: {num_beams: 3}\nother: 1\n")
    assert load_section("search", Search, path) == Search(3, "beam")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "search: {num_beams: 3, beams: 5}",
            r"search.beams: Unexpected .* \(found 5\); known keys of search: num_beams, kind",
        ),
        ("search: {num_beams: many}", r"params.yaml: search.num_beams: .*valid integer.* \(found 'many'\)"),
        ("search: {num_beams: 1.5}", r"search.num_beams: .*integer.* \(found 1.5\)"),
        ("search: {num_beams: 3, kind: dfs}", r"search.kind: .*'beam' or 'greedy' \(found 'dfs'\)"),
        ("search: {}", r"search.num_beams: .* \(found .*\); known keys of search"),
        ("search: 7", r"params.yaml: search.*\(found 7\)"),
        ("search:", "params.yaml: section 'search' is missing"),
        ("other: {}", "params.yaml: section 'search' is missing"),
        ("[1, 2]", "params.yaml: expected a mapping of sections, found list"),
        ("", "params.yaml: expected a mapping of sections, found NoneType"),
        ("search: {num_beams: 3", "params.yaml: not valid YAML: "),
    ],
)
def test_bad_section_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_section("search", Search, params(tmp_path, text))


def test_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no such file; run from the project's root, where params.yaml lies"):
        read_params(tmp_path / "params.yaml")


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"search.num_beams: .*; search.beams: "):
        load_section("search", Search, params(tmp_path, "search: {num_beams: x, beams: 5}"))


def mapper_values(**course: object) -> dict[str, object]:
    return {"seeds": [0], "prefix_tokens": 2, "missing_image": "leave_out", "course": asdict(COURSE) | course}


def test_nested_section_becomes_nested_dataclasses() -> None:
    assert parse_section(mapper_values(), "mapper", MapperSettings).course == COURSE


@pytest.mark.parametrize(
    ("course", "words"),
    [
        ({"batch_size": 0}, "mapper.course: .*steps, batch_size and check_every must be at least 1"),
        ({"check_every": 3}, "check_every 3 does not divide steps 4: no look at dev would follow the last 1"),
        ({"warmup_steps": 4}, "warmup_steps 4 leave nothing of 4 steps"),
        ({"dtype": "float16"}, "epsilon 1e-08 is 0 in float16, and AdamW would divide by it; set 1.0e-6"),
        ({"dtype": "bfloat16"}, "mapper.course.dtype: .*'float32' or 'float16'"),
        ({"peak_rate": None}, "mapper.course.peak_rate: .*valid number"),
    ],
)
def test_impossible_course_is_refused(course: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_section(mapper_values(**course), "mapper", MapperSettings)


def test_unknown_key_inside_a_nested_section_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"mapper\.course\.epochs: .*\(found 3\)"):
        parse_section(mapper_values(epochs=3), "mapper", MapperSettings)


def test_unknown_key_two_levels_down_is_refused() -> None:
    backbone = {"llm": {"model": "m", "quantize": 4}, "vision": {"model": "v"}, "tracked": "t"}
    values = {"backbone": backbone, "demonstrations": {"method": "bm25", "count": 2, "encoder": "e"}}
    with pytest.raises(ConfigError, match=r"settings\.backbone\.llm\.quantize: .*\(found 4\)"):
        parse_section(values, "settings", LinkerSettings)


@pytest.mark.parametrize("weight", [-0.1, 1.5])
def test_image_weight_beyond_its_bounds_is_refused(weight: float) -> None:
    values = {"method": "bm25", "count": 2, "encoder": "e", "image_weight": weight}
    with pytest.raises(ConfigError, match=rf"image_weight: must be between 0 and 1, got {weight}"):
        parse_section(values, "demonstrations", DemonstrationSettings)


@pytest.mark.parametrize("name", ["without_demonstrations", "drop_images"])
def test_share_of_examples_beyond_its_bounds_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: must be between 0 and 1, got 2"):
        parse_section(mapper_values() | {name: 2}, "mapper", MapperSettings)


def test_methods_begin_with_the_linkers_own_and_have_no_repeats() -> None:
    settings = DemonstrationSettings("bm25", 2, "e", compare=("random", "bm25"))
    assert settings.methods == ("bm25", "random")
