"""A release that a test may change, and S3 as moto serves it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def release(tiny_release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_release, tmp_path / "release")


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The address of a local S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of an empty bucket, with the environment that leads to it."""
    import boto3
    import s3fs

    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    client = boto3.client("s3")
    client.create_bucket(Bucket="releases")
    yield "releases"
    for each in client.list_objects_v2(Bucket="releases").get("Contents", []):
        client.delete_object(Bucket="releases", Key=each["Key"])
    client.delete_bucket(Bucket="releases")
    s3fs.S3FileSystem.clear_instance_cache()
