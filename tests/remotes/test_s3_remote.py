"""DVC's remote on S3, over HTTP to a local server: push, pull, damage, interruption, and what is said of mistakes."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from remotes.conftest import FILES, dvc, fresh_clone

from gemel.transfer.dvc_remote import check_remote
from gemel.transfer.errors import TransferError

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


def contents(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / "data").glob("*.txt")}


def keys(client: Any) -> list[str]:
    return [each["Key"] for each in client.list_objects_v2(Bucket="releases").get("Contents", [])]


def flip(client: Any) -> bytes:
    """Change one bit of a file in the bucket. Returns: what it is now."""
    key = next(key for key in keys(client) if not key.endswith(".dir"))
    content = client.get_object(Bucket="releases", Key=key)["Body"].read()
    flipped = content[:-1] + bytes([content[-1] ^ 1])
    client.put_object(Bucket="releases", Key=key, Body=flipped)
    return flipped


def test_fresh_clone_gets_the_same_bytes(project: Path, tmp_path: Path) -> None:
    assert f"{FILES + 1} files pushed" in dvc(project, "push").stdout
    clone = fresh_clone(project, tmp_path / "clone")
    assert dvc(clone, "pull").returncode == 0
    assert contents(clone) == contents(project)


def test_flipped_bit_is_found_on_pull_and_mended_by_the_next(project: Path, client: Any, tmp_path: Path) -> None:
    dvc(project, "push")
    flipped = flip(client)
    clone = fresh_clone(project, tmp_path / "clone")
    pulled = dvc(clone, "pull")
    assert pulled.returncode != 0
    assert "failed to pull data from the cloud" in pulled.stderr
    assert not [path for path in clone.rglob("*") if path.is_file() and path.read_bytes() == flipped]
    (key,) = [key for key in keys(client) if client.get_object(Bucket="releases", Key=key)["Body"].read() == flipped]
    # DVC takes a folder's files to be there while its list is.
    (listing,) = [key for key in keys(client) if key.endswith(".dir")]
    for each in (key, listing):
        client.delete_object(Bucket="releases", Key=each)
    assert "2 files pushed" in dvc(project, "push").stdout
    assert dvc(clone, "pull").returncode == 0
    assert contents(clone) == contents(project)


def test_without_verify_a_flipped_bit_comes_in(project: Path, client: Any, tmp_path: Path) -> None:
    dvc(project, "push")
    flipped = flip(client)
    clone = fresh_clone(project, tmp_path / "clone")
    dvc(clone, "remote", "modify", "team", "verify", "false")
    assert dvc(clone, "pull").returncode == 0
    assert flipped in contents(clone).values()


def test_interrupted_push_goes_on(project: Path, client: Any, tmp_path: Path) -> None:
    push = subprocess.Popen(
        [sys.executable, "-m", "dvc", "push", "-j", "1"], cwd=project, start_new_session=True, stdout=subprocess.DEVNULL
    )
    while not keys(client) and push.poll() is None:
        time.sleep(0.01)
    os.killpg(push.pid, signal.SIGKILL)
    push.wait()
    there = len(keys(client))
    assert 0 < there < FILES + 1
    assert f"{FILES + 1 - there} file" in dvc(project, "push").stdout
    clone = fresh_clone(project, tmp_path / "clone")
    assert dvc(clone, "pull").returncode == 0
    assert contents(clone) == contents(project)


def test_remote_that_works_is_said_to_and_nothing_is_left(project: Path, client: Any) -> None:
    assert check_remote(project, "team").verified
    assert keys(client) == []


def test_missing_bucket_says_what_to_do(project: Path) -> None:
    dvc(project, "remote", "modify", "team", "url", "s3://no-such/gemel")
    with pytest.raises(TransferError, match="s3://no-such/gemel: no such folder or bucket; make it first"):
        check_remote(project, "team")


def test_unknown_remote_is_named_with_those_there_are(project: Path) -> None:
    with pytest.raises(TransferError, match="no DVC remote 'other'; there are team; run `dvc remote add other"):
        check_remote(project, "other")


@pytest.fixture
def asked_for_credentials(s3_server: str, bucket: str) -> Iterator[None]:  # noqa: ARG001 (made before they are asked for)
    """The server takes no request of a key that it doesn't know."""
    count(s3_server, b"0")
    yield
    count(s3_server, b"inf")


def count(server: str, requests: bytes) -> None:
    address, plain = f"{server}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(address, data=requests, headers=plain, method="POST"))


@pytest.mark.usefixtures("asked_for_credentials")
def test_wrong_credentials_say_what_to_do(project: Path) -> None:
    with pytest.raises(TransferError, match="access denied; check who owns the place, and that your credentials"):
        check_remote(project, "team")


def test_no_credentials_say_what_to_do(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(TransferError, match="no credentials; for S3 set AWS_ACCESS_KEY_ID"):
        check_remote(project, "team")
