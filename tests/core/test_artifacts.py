"""An artifact is whole or absent, and one that isn't says which stage to run."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gemel.core.artifacts import MANIFEST, artifact_hash, expect_fact, new_artifact, read_manifest
from gemel.core.errors import ArtifactError

# Writes half a file into a draft, says so, and waits to be killed.
WRITER = """
import sys, time
from pathlib import Path
from gemel.core.artifacts import new_artifact
with new_artifact(Path(sys.argv[1]), "mapper", {}) as draft:
    (draft / "weights.bin").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
"""


def write(target: Path, content: bytes = b"0123456789", **facts: Any) -> Path:
    with new_artifact(target, "mapper", facts) as draft:
        (draft / "inner").mkdir()
        (draft / "inner" / "weights.bin").write_bytes(content)
    return target


def refused(target: Path, stage: str = "mapper", check_hashes: bool = False) -> str:
    with pytest.raises(ArtifactError) as error:
        read_manifest(target, stage, check_hashes=check_hashes)
    return str(error.value)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "artifacts" / "mapper"


def test_artifact_gives_its_facts_back(target: Path) -> None:
    assert read_manifest(write(target, rows=3), "mapper", check_hashes=True) == {"rows": 3}


def test_facts_may_be_filled_while_writing(target: Path) -> None:
    facts: dict[str, int] = {}
    with new_artifact(target, "mapper", facts):
        facts["rows"] = 4
    assert read_manifest(target, "mapper") == {"rows": 4}


def test_equal_content_gives_an_equal_hash(tmp_path: Path) -> None:
    first, second, other = write(tmp_path / "a"), write(tmp_path / "b"), write(tmp_path / "c", b"else")
    assert artifact_hash(first) == artifact_hash(second) != artifact_hash(other)


def test_new_artifact_replaces_the_whole_of_the_old_one(target: Path) -> None:
    with new_artifact(target, "mapper", {}) as draft:
        (draft / "old.bin").write_bytes(b"old")
    write(target)
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == [MANIFEST, "weights.bin"]


def test_error_while_writing_leaves_the_old_artifact_and_no_draft(target: Path) -> None:
    before = artifact_hash(write(target))
    with pytest.raises(RuntimeError, match="disk full"), new_artifact(target, "mapper", {}) as draft:
        (draft / "weights.bin").write_bytes(b"new")
        raise RuntimeError("disk full")
    assert artifact_hash(target) == before
    assert [path.name for path in target.parent.iterdir()] == ["mapper"]


def test_error_while_writing_the_first_time_leaves_nothing(target: Path) -> None:
    with pytest.raises(RuntimeError), new_artifact(target, "mapper", {}):
        raise RuntimeError
    assert list(target.parent.iterdir()) == []


def test_fact_that_is_not_json_leaves_nothing(target: Path) -> None:
    with pytest.raises(TypeError), new_artifact(target, "mapper", {"bad": object()}):
        pass
    assert list(target.parent.iterdir()) == []


def test_missing_artifact_names_the_stage(target: Path) -> None:
    assert refused(target).endswith("no manifest.json, so it was never finished; run `dvc repro mapper`")


def test_folder_without_a_manifest_is_refused(target: Path) -> None:
    (write(target) / MANIFEST).unlink()
    assert "never finished; run `dvc repro mapper`" in refused(target)


def test_unreadable_manifest_is_refused(target: Path) -> None:
    (write(target) / MANIFEST).write_text('{"format": 1, "sta')
    assert re.search(r"manifest.json: damaged .*; run `dvc repro mapper`$", refused(target))


def test_manifest_that_is_no_object_is_refused(target: Path) -> None:
    (write(target) / MANIFEST).write_text("[1, 2]")
    assert re.search(r"manifest.json: damaged .*; run `dvc repro mapper`$", refused(target))


@pytest.mark.parametrize(
    "former,new",
    [
        ("files", "filer"),
        ("facts", "fac\\n"),
        ("sha256", "sha257"),
        ("bytes", "Bytes"),
        ('"bytes": 10', '"bytes": "1"'),
    ],
)
def test_manifest_with_a_flipped_bit_is_refused(target: Path, former: str, new: str) -> None:
    manifest = write(target) / MANIFEST
    text = manifest.read_text()
    assert former in text
    manifest.write_text(text.replace(former, new))
    assert re.search(r"manifest.json: damaged .*; run `dvc repro mapper`$", refused(target))


def test_artifact_of_another_stage_is_refused(target: Path) -> None:
    words = "expected format 1 of stage 'entity_trie', found format 1 of stage 'mapper'; run `dvc repro entity_trie`"
    assert words in refused(write(target), "entity_trie")


def test_artifact_of_another_format_is_refused(target: Path) -> None:
    manifest = json.loads((write(target) / MANIFEST).read_text())
    (target / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    assert "found format 99 of stage 'mapper'; run `dvc repro mapper`" in refused(target)


def test_missing_file_is_refused(target: Path) -> None:
    (write(target) / "inner" / "weights.bin").unlink()
    assert re.search(r"weights.bin: missing, though its manifest lists it; run `dvc repro mapper`$", refused(target))


def test_truncated_file_is_refused_without_hashing(target: Path) -> None:
    (write(target) / "inner" / "weights.bin").write_bytes(b"01234")
    words = r"weights.bin: 5 bytes, but its manifest says 10 \(truncated\?\); run `dvc repro mapper`$"
    assert re.search(words, refused(target))


@pytest.mark.parametrize("place", [0, 4, 9])
def test_flipped_byte_is_found_by_its_hash(target: Path, place: int) -> None:
    content = bytearray(b"0123456789")
    content[place] ^= 1
    (write(target) / "inner" / "weights.bin").write_bytes(content)
    assert re.search(
        r"weights.bin: its SHA-256 differs .*; run `dvc repro mapper`$", refused(target, check_hashes=True)
    )


def test_fact_that_differs_says_what_is_in_use(target: Path) -> None:
    facts = read_manifest(write(target, tokenizer="abc"), "mapper")
    expect_fact(target, facts, "tokenizer", "abc", "mapper")
    words = "built for tokenizer 'abc', but 'xyz' is in use; run `dvc repro mapper`"
    with pytest.raises(ArtifactError, match=words):
        expect_fact(target, facts, "tokenizer", "xyz", "mapper")


def kill_a_writer(target: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "writing\n"
        writer.kill()
        assert writer.wait() == -signal.SIGKILL


def test_kill_while_writing_leaves_no_artifact(target: Path) -> None:
    kill_a_writer(target)
    assert "never finished; run `dvc repro mapper`" in refused(target)
    (draft,) = target.parent.iterdir()
    assert "never finished" in refused(draft)


def test_kill_while_writing_leaves_the_old_artifact(target: Path) -> None:
    write(target, rows=1)
    kill_a_writer(target)
    assert read_manifest(target, "mapper", check_hashes=True) == {"rows": 1}


def test_write_after_a_kill_works_and_removes_the_stale_draft(target: Path) -> None:
    kill_a_writer(target)
    write(target, rows=2)
    assert read_manifest(target, "mapper", check_hashes=True) == {"rows": 2}
    assert [path.name for path in target.parent.iterdir()] == ["mapper"]
