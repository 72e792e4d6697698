"""Import of published mappers: what is kept, and that a file of anything else is refused and never run."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from gemel.core.artifacts import file_sha256, read_manifest
from gemel.core.errors import ArtifactError, DataError, ShapeError
from gemel.mapper.mapper import WEIGHTS
from gemel.mapper.published import STAGE, CheckpointFacts, import_checkpoint, read_checkpoint

VISION, LLM, PREFIX = 6, 5, 3
WIDTHS = {"vision_dim": VISION, "llm_dim": LLM, "prefix_tokens": PREFIX}


def state(dtype: torch.dtype = torch.float16) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(torch.nn.Linear(VISION, PREFIX * LLM, dtype=dtype).state_dict())


@pytest.fixture
def save(tmp_path: Path) -> Callable[[object], Path]:
    """Write something as torch.save does."""

    def saved(content: object) -> Path:
        torch.save(content, tmp_path / "linear.pkl")
        return tmp_path / "linear.pkl"

    return saved


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "published"


class RunsACommand:
    """Unpickled carelessly it makes a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._trace}",)


def test_half_precision_becomes_single_without_loss(save: Callable[[object], Path], target: Path) -> None:
    import_checkpoint(save(state()), target, PREFIX)
    mapper, _ = read_checkpoint(target, **WIDTHS)
    assert mapper.linear.weight.dtype == torch.float32
    assert torch.equal(mapper.linear.weight.half(), state()["weight"])
    assert torch.equal(mapper.linear.bias.half(), state()["bias"])


def test_origin_and_widths_are_recorded(save: Callable[[object], Path], target: Path) -> None:
    source = save(state())
    facts = import_checkpoint(source, target, PREFIX)
    assert facts == CheckpointFacts("linear.pkl", file_sha256(source), "float16", VISION, PREFIX, LLM)
    assert read_checkpoint(target, **WIDTHS)[1] == facts
    assert read_manifest(target, STAGE, check_hashes=True)["dtype"] == "float16"


def test_one_soft_token_row_is_one_block_of_the_file(save: Callable[[object], Path], target: Path) -> None:
    import_checkpoint(save(state(torch.float32)), target, PREFIX)
    mapper, _ = read_checkpoint(target, **WIDTHS)
    image, weights = torch.randn(1, VISION), state(torch.float32)
    flat = image @ weights["weight"].T + weights["bias"]
    torch.testing.assert_close(mapper(image)[0, 1], flat[0, LLM : 2 * LLM])


def test_legacy_file_format_is_read(tmp_path: Path, target: Path) -> None:
    torch.save(state(), tmp_path / "old.pkl", _use_new_zipfile_serialization=False)
    assert import_checkpoint(tmp_path / "old.pkl", target, PREFIX).dtype == "float16"


def test_hostile_pickle_is_refused_and_not_run(tmp_path: Path, target: Path) -> None:
    trace, source = tmp_path / "trace", tmp_path / "linear.pkl"
    source.write_bytes(pickle.dumps({"weight": RunsACommand(trace), "bias": 0}, protocol=2))
    with pytest.raises(DataError, match=r"linear.pkl: not a file of weights alone, nothing in it was run \(Unpickling"):
        import_checkpoint(source, target, PREFIX)
    assert not trace.exists()
    assert not target.exists()


def test_hostile_object_in_a_torch_file_is_refused_and_not_run(
    save: Callable[[object], Path], tmp_path: Path, target: Path
) -> None:
    trace = tmp_path / "trace"
    with pytest.raises(DataError, match="not a file of weights alone, nothing in it was run"):
        import_checkpoint(save(state() | {"extra": RunsACommand(trace)}), target, PREFIX)
    assert not trace.exists()


def test_truncated_file_is_refused(save: Callable[[object], Path], target: Path) -> None:
    source = save(state())
    source.write_bytes(source.read_bytes()[:200])
    with pytest.raises(DataError, match="not a file of weights alone"):
        import_checkpoint(source, target, PREFIX)


def test_missing_file_is_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(DataError, match=r"gone.pkl: can't be read \(No such file or directory\); check the path"):
        import_checkpoint(tmp_path / "gone.pkl", target, PREFIX)


ALONE = "expected a state dict of weight and bias alone, found "


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([1, 2], ALONE + "list"),
        ({"linear.weight": 1, "linear.bias": 2}, ALONE + r"\['linear.bias', 'linear.weight'\]"),
        (state() | {"step": 3}, ALONE + r"\['bias', 'step', 'weight'\]"),
        ({"weight": [1.0], "bias": state()["bias"]}, "weight: expected a contiguous tensor of .*, found list"),
        (state() | {"bias": torch.zeros(15, dtype=torch.int64)}, "bias: expected .*, found a tensor of torch.int64"),
        (state() | {"weight": torch.zeros(1, 1).expand(15, 6)}, "weight: expected a contiguous tensor"),
        (state() | {"weight": torch.eye(15).to_sparse()}, "weight: expected .*, torch.sparse_coo"),
        (state() | {"bias": torch.zeros(14)}, r"and bias \(rows,\), found \(15, 6\) and \(14,\)"),
        (state() | {"weight": torch.zeros(15)}, r"found \(15,\) and \(15,\)"),
        (state() | {"weight": torch.zeros(15, 0)}, r"found \(15, 0\) and \(15,\)"),
        (state() | {"bias": torch.full((15,), torch.nan)}, "15 of its numbers are infinite or NaN"),
        (state() | {"weight": torch.full((15, 6), torch.inf)}, "90 of its numbers are infinite or NaN"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_content_is_refused(content: object, words: str, save: Callable[[object], Path], target: Path) -> None:
    with pytest.raises(DataError, match=f"linear.pkl: .*{words}"):
        import_checkpoint(save(content), target, PREFIX)
    assert not target.exists()


@pytest.mark.parametrize("prefix_tokens", [0, 4])
def test_rows_that_are_no_soft_tokens_are_refused(
    prefix_tokens: int, save: Callable[[object], Path], target: Path
) -> None:
    words = f"its 15 rows are not {prefix_tokens} soft tokens of one width; give --prefix-tokens as the file"
    with pytest.raises(DataError, match=words):
        import_checkpoint(save(state()), target, prefix_tokens)


def test_folder_of_something_else_is_left_alone(save: Callable[[object], Path], target: Path) -> None:
    target.mkdir(parents=True)
    (target / "posts.jsonl").touch()
    with pytest.raises(DataError, match="exists and is no imported checkpoint; move it away, or import into another"):
        import_checkpoint(save(state()), target, PREFIX)
    assert (target / "posts.jsonl").exists()


def test_damaged_checkpoint_is_replaced(save: Callable[[object], Path], target: Path) -> None:
    import_checkpoint(save(state()), target, PREFIX)
    (target / WEIGHTS).unlink()
    import_checkpoint(save(state()), target, PREFIX)
    assert read_checkpoint(target, **WIDTHS)[0].prefix_tokens == PREFIX


def test_changed_weights_are_refused(save: Callable[[object], Path], target: Path) -> None:
    import_checkpoint(save(state()), target, PREFIX)
    weights = bytearray((target / WEIGHTS).read_bytes())
    weights[-1] ^= 1
    (target / WEIGHTS).write_bytes(weights)
    with pytest.raises(ArtifactError, match=r"its SHA-256 differs .*; run `gemel import checkpoint` again"):
        read_checkpoint(target, **WIDTHS)


def test_other_widths_are_refused(save: Callable[[object], Path], target: Path) -> None:
    import_checkpoint(save(state()), target, PREFIX)
    words = r"published: a mapper 6 -> 3 x 5, but the settings need 7 -> 3 x 5; choose the backbone and mapper.prefix"
    with pytest.raises(ShapeError, match=words):
        read_checkpoint(target, **WIDTHS | {"vision_dim": 7})
