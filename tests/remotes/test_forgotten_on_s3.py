"""Old versions of a post are deleted from a bucket, and nothing else of it."""

import json
from pathlib import Path
from typing import Any

import pytest
from remotes.conftest import dvc, git

from gemel.forgetting.forget import carry_out, plan

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def posts(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two versions of a data set of which both have the post are in the bucket."""
    monkeypatch.setenv("BENTOML_HOME", str(project / ".gemel/bentoml"))
    folder = project / "data/one"
    folder.mkdir()
    (folder / "a.png").write_bytes(b"picture")
    for name in ("Two", "Three"):
        rows = [{"id": "p1", "text": "To be forgotten", "image": "a.png"}, {"id": "p2", "text": name}]
        (folder / "posts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        dvc(project, "add", "-q", "data")
        git(project, "commit", "-aqm", name)
    dvc(project, "push", "-q", "--all-commits")
    return project


def stored(client: Any) -> list[bytes]:
    listed = client.list_objects_v2(Bucket="releases").get("Contents", [])
    return [client.get_object(Bucket="releases", Key=each["Key"])["Body"].read() for each in listed]


def test_its_versions_and_picture_leave_the_bucket(posts: Path, client: Any) -> None:
    assert sum(b"To be forgotten" in each for each in stored(client)) == 2
    done = carry_out(posts, plan(posts, ["p1"]))
    left = stored(client)
    assert not [each for each in left if b"To be forgotten" in each or each == b"picture"]
    # Two versions of the posts, two lists of the folder, the picture.
    assert done.remote == 5
    assert sum(each.startswith(b"row ") for each in left) == 12
    assert [line.split()[-1] for line in done.lost] == ["Three", "Two"]
    assert "file" in dvc(posts, "push").stdout


def test_bucket_that_is_gone_is_told_after_the_rest_is_done(posts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    dvc(posts, "remote", "modify", "team", "endpointurl", "http://127.0.0.1:9")
    done = carry_out(posts, plan(posts, ["p1"]))
    assert "can't be reached; check the address and the network" in done.unreached
    assert "To be forgotten" not in (posts / "data/one/posts.jsonl").read_text()
