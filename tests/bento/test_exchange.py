"""Another release takes the place of the one in use while the service answers; a bad one does not."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from running import bentoml_home, running_service
from tiny_world import make_release

from bento.engine import Engine
from bento.release_store import RELEASE_VARIABLE
from bento.settings import ServiceSettings
from gemel.core.artifacts import artifact_hash
from gemel.core.drafts import draft_beside, put_in_place
from gemel.core.errors import ArtifactError
from gemel.core.settings import BackboneSettings
from gemel.embedding import embed
from gemel.registry.pointer import RELEASES, champion_link, point, put_bundle

POST = {"text": "A Jaguar in the morning", "mention": "Jaguar"}
PATIENCE = 60.0


@pytest.fixture
def release(tmp_path: Path, tiny_release: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the tiny release that the service is told to serve."""
    copy = shutil.copytree(tiny_release, tmp_path / "release")
    monkeypatch.setenv(RELEASE_VARIABLE, str(copy))
    monkeypatch.setenv("GEMEL_SERVICE_LOOK_SECONDS", "0.05")
    monkeypatch.setenv("GEMEL_SERVICE_FEEDBACK", "off")
    with bentoml_home(tmp_path / "bentoml"):
        yield copy


@pytest.fixture
def other(tmp_path: Path, tiny_backbones: BackboneSettings, tiny_dataset: Path) -> Path:
    """A release with another mapper."""
    return make_release(tmp_path / "other", tiny_backbones, tiny_dataset, seed=1)


def put(new: Path, place: Path) -> None:
    with draft_beside(place) as draft:
        shutil.copytree(new, draft, dirs_exist_ok=True)
        put_in_place(draft, place)


def name_of(release: Path) -> str:
    return artifact_hash(release)[:16]


def test_new_release_is_in_use_without_a_failed_request(release: Path, other: Path) -> None:
    former, later = name_of(release), name_of(other)
    with running_service() as client:
        seen = [client.post("/link", data=POST).json()["release"]]
        put(other, release)
        until = time.monotonic() + PATIENCE
        while seen[-1] != later and time.monotonic() < until:
            reply = client.post("/link", data=POST)
            assert reply.status_code == 200, reply.text
            seen.append(reply.json()["release"])
        assert client.get("/info").json()["release"] == later
    assert list(dict.fromkeys(seen)) == [former, later]


def promote(new: Path, root: Path) -> None:
    """As the registry promotes: the bundle to its place, then the pointer."""
    releases = root / RELEASES
    point(releases, put_bundle(new, releases, artifact_hash(new)).name)


def test_promotion_and_rollback_are_taken_up(
    release: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RELEASE_VARIABLE)
    promote(release, tmp_path)
    engine = Engine(tmp_path, ServiceSettings())
    assert engine.release.name == name_of(release)
    for new in (other, release):
        promote(new, tmp_path)
        after = engine.prepared()
        assert after is not None
        assert after.name == name_of(new)
        engine.take_up(after)
    assert engine.prepared() is None


def test_first_promotion_takes_the_place_of_the_last_runs_release(
    release: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RELEASE_VARIABLE)
    shutil.copytree(release, tmp_path / "artifacts" / "release")
    engine = Engine(tmp_path, ServiceSettings())
    promote(other, tmp_path)
    after = engine.prepared()
    assert after is not None
    assert after.name == name_of(other)


def test_promoted_bundle_that_is_deleted_leaves_the_one_in_use(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(RELEASE_VARIABLE)
    promote(release, tmp_path)
    engine = Engine(tmp_path, ServiceSettings())
    shutil.rmtree(champion_link(tmp_path).resolve())
    assert engine.prepared() is None
    assert Engine(tmp_path, ServiceSettings()).release.name == name_of(release)


def test_frozen_models_are_shared_between_the_two(
    release: Path, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(tmp_path, ServiceSettings())
    before = engine.release
    for load in ("load_llm", "load_encoder"):
        monkeypatch.delattr(f"gemel.predictor.{load}")
    put(other, release)
    after = engine.prepared()
    assert after is not None
    assert engine.release is before
    engine.take_up(after)
    assert engine.release.name == name_of(other)


def test_release_that_holds_its_models_takes_the_place_of_one_that_names_them(
    release: Path, other: Path, tmp_path: Path
) -> None:
    engine = Engine(tmp_path, ServiceSettings())
    embed(other, tmp_path / "embedded")
    put(tmp_path / "embedded", release)
    after = engine.prepared()
    assert after is not None
    assert after.name == name_of(tmp_path / "embedded")


def test_same_release_is_not_opened_again(release: Path, tmp_path: Path) -> None:
    assert release.is_dir()
    assert Engine(tmp_path, ServiceSettings()).prepared() is None


@pytest.mark.parametrize("broken", ["corpus.parquet", "mapper.safetensors", "entities.parquet"])
def test_damaged_release_is_refused_once_and_the_former_goes_on(
    release: Path, other: Path, tmp_path: Path, broken: str
) -> None:
    engine = Engine(tmp_path, ServiceSettings())
    whole = (other / broken).read_bytes()
    (other / broken).write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    put(other, release)
    with pytest.raises(ArtifactError, match=rf"{broken}: its SHA-256 differs from the manifest's"):
        engine.prepared()
    assert engine.prepared() is None
    (other / broken).write_bytes(whole)
    put(other, release)
    assert engine.prepared() is not None


def test_worker_that_comes_back_takes_the_release_that_was_served_if_the_new_one_is_bad(
    release: Path, other: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    served = Engine(tmp_path, ServiceSettings()).release.name
    (other / "corpus.parquet").write_bytes(b"x")
    put(other, release)
    assert Engine(tmp_path, ServiceSettings()).release.name == served
    (refusal,) = (record for record in caplog.records if record.message == "the release is refused")
    assert "corpus.parquet" in refusal.facts["why"]


def test_first_worker_does_not_start_with_a_bad_release(release: Path, tmp_path: Path) -> None:
    (release / "corpus.parquet").write_bytes(b"x")
    with pytest.raises(ArtifactError, match=r"corpus\.parquet"):
        Engine(tmp_path, ServiceSettings())


def test_service_says_that_a_release_was_refused_and_goes_on(
    release: Path, other: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bento.logs.write_log", lambda: None)
    former = name_of(release)
    (other / "trie" / "manifest.json").unlink(missing_ok=True)
    (other / "corpus.parquet").write_bytes(b"x")
    with running_service() as client, caplog.at_level("INFO", "gemel.service"):
        put(other, release)
        until = time.monotonic() + PATIENCE
        while "the new release is refused" not in caplog.messages and time.monotonic() < until:
            time.sleep(0.05)
        assert client.post("/link", data=POST).json()["release"] == former
    (refusal,) = (record for record in caplog.records if record.message == "the new release is refused")
    assert "corpus.parquet" in refusal.facts["why"]
