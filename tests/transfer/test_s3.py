"""Releases on S3, over HTTP to a local server."""

from pathlib import Path

import pytest
import s3fs

from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError
from gemel.transfer.errors import TransferError
from gemel.transfer.pull import pull_release
from gemel.transfer.push import push_release

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def test_pushed_and_pulled_it_is_the_same(release: Path, bucket: str, tmp_path: Path) -> None:
    target = f"s3://{bucket}/linkers/tiny"
    assert [push_release(release, target).already for _ in range(2)] == [False, True]
    pull_release(target, tmp_path / "mine")
    assert artifact_hash(tmp_path / "mine") == artifact_hash(release)
    assert not s3fs.S3FileSystem().exists(f"{target}/push.json")


def test_flipped_byte_on_s3_is_refused(release: Path, bucket: str, tmp_path: Path) -> None:
    target = f"s3://{bucket}/tiny"
    push_release(release, target)
    fs = s3fs.S3FileSystem()
    content = fs.cat_file(f"{target}/mapper.safetensors")
    fs.pipe_file(f"{target}/mapper.safetensors", content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError, match=r"s3://releases/tiny/mapper\.safetensors: its SHA-256 differs"):
        pull_release(target, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


@pytest.mark.usefixtures("bucket")
def test_missing_bucket_is_a_sentence(release: Path, tmp_path: Path) -> None:
    with pytest.raises(TransferError, match="s3://no-such/x: no such folder or bucket; make it first"):
        push_release(release, "s3://no-such/x")
    with pytest.raises(TransferError, match="s3://no-such/x: no release there"):
        pull_release("s3://no-such/x", tmp_path / "mine")


def test_missing_credentials_are_a_sentence(
    release: Path, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(TransferError, match="no credentials; for S3 set AWS_ACCESS_KEY_ID"):
        push_release(release, f"s3://{bucket}/x")


def test_server_that_is_not_there_is_a_sentence(release: Path, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(TransferError, match="can't be reached; check the address and the network"):
        push_release(release, f"s3://{bucket}/x")
