"""A post that a whole project holds is gone from all of it, but from git."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forgetting.conftest import IMAGE, MENTION, POST, TEXT, _row
from forgetting.searching import holding

from gemel.core.artifacts import artifact_hash, file_sha256, read_manifest
from gemel.forgetting import forget
from gemel.forgetting.forget import carry_out, plan, stages_to_run
from gemel.forgetting.left import left_behind
from gemel.forgetting.places import Place
from gemel.transfer.errors import TransferError

WORDS, IDS = (TEXT,), (POST, MENTION, "c0123456789abcdef")
SHOWN = Path("artifacts/demonstrations")


def picture_and_vector(root: Path) -> tuple[bytes, bytes]:
    picture = root / "data/tiny" / IMAGE
    vectors = np.load(root / "artifacts/image_features/shard-00000.npy")
    return picture.read_bytes(), vectors[_row(root, file_sha256(picture))].tobytes()


def test_nothing_of_it_is_left_outside_git(checkout: Path, tmp_path: Path) -> None:
    contents = picture_and_vector(checkout)
    sha256 = file_sha256(checkout / "data/tiny" / IMAGE)
    assert len(holding(tmp_path, WORDS, IDS, contents)) > 20
    done = carry_out(checkout, plan(checkout, [POST]))
    assert holding(tmp_path, WORDS, (*IDS, sha256), contents) == []
    assert done.cached > 5
    assert done.remote > 5
    assert [line.split(" ", 1)[1].rpartition(") ")[2] or line for line in done.lost][-1].endswith("data")


def test_all_others_stay_and_what_is_left_can_be_read(checkout: Path, tmp_path: Path) -> None:
    from gemel.bundle import read_bundle
    from gemel.features.store import FeatureStore
    from gemel.posts.tables import Tables
    from gemel.tasks.linking.demonstrations import read_chosen, read_corpus

    before, chosen = (
        read_corpus(SHOWN),
        read_chosen(SHOWN, "bm25"),
    )
    carry_out(checkout, plan(checkout, [POST]))
    for stage in ("posts", "image_features", "demonstrations", "release"):
        read_manifest(Path("artifacts") / stage, stage, check_hashes=True)
    assert Tables.read(Path("artifacts/posts")).posts.height == 21
    assert len(FeatureStore(Path("artifacts/image_features"))) == 19
    after = read_corpus(SHOWN)
    assert after.height == before.height - 1
    ids, left = before["mention_id"].to_list(), after["mention_id"].to_list()
    for mention_id, rows in read_chosen(SHOWN, "bm25").items():
        assert [left[row] for row in rows] == [ids[row] for row in chosen[mention_id] if ids[row] != MENTION]
    bundle = read_bundle(Path("artifacts/release"))
    assert set(bundle.vectors) == set(after["image_sha256"].drop_nulls())
    feedback = Path(".gemel/feedback/feedback.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in feedback] == ["p50"]
    assert pl.read_parquet(".gemel/records/2026-11-22/part-1.parquet")["text"].to_list() == ["Another one"]
    assert "<b>kept</b>" in Path(".gemel/monitoring/report.html").read_text()
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", checkout, clone], check=True)
    shutil.copy("data.dvc", clone)
    subprocess.run([sys.executable, "-m", "dvc", "push", "-q", "data.dvc"], check=True)
    subprocess.run([sys.executable, "-m", "dvc", "pull", "-q", "data.dvc"], cwd=clone, check=True)
    assert file_sha256(clone / "data/tiny/posts.jsonl") == file_sha256(Path("data/tiny/posts.jsonl"))


def test_pointer_leads_to_a_whole_release_named_by_its_hash(checkout: Path) -> None:
    from gemel.bundle import read_bundle

    former = Path(".gemel/releases/champion").resolve()
    carry_out(checkout, plan(checkout, [POST]))
    champion = Path(".gemel/releases/champion").resolve()
    assert champion.name == artifact_hash(champion)[:16] != former.name
    assert not former.exists()
    assert MENTION not in read_bundle(champion).demonstrations["mention_id"]


@pytest.mark.usefixtures("checkout")
def test_cut_off_anywhere_the_next_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = picture_and_vector(Path())
    calls = 0
    while len((what := plan(Path(), [POST])).places) > 1:
        with pytest.raises(KeyboardInterrupt):
            carry_out(Path(), dataclasses.replace(what, places=(*what.places[:3], replace_remove(what.places[-1]))))
        calls += 1
    for step in ("_record", "in_use", "delete_objects", "_delete_from_remote", "finish"):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(forget, step, killed)
            carry_out(Path(), plan(Path(), [POST]))
        assert not plan(Path(), [POST]).is_done
    carry_out(Path(), plan(Path(), [POST]))
    assert calls > 3
    assert holding(tmp_path, WORDS, IDS, contents) == []
    assert plan(Path(), [POST]).is_done


def replace_remove(place: Place) -> Place:
    return dataclasses.replace(place, remove=killed)


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_kept_history_can_be_deleted_later(checkout: Path, tmp_path: Path) -> None:
    assert carry_out(checkout, plan(checkout, [POST], keep_history=True)).cached == 0
    assert holding(tmp_path / "remote", WORDS, IDS)
    assert holding(checkout / "data", WORDS, IDS) == []
    assert plan(checkout, [POST], keep_history=True).is_done
    carry_out(checkout, plan(checkout, [POST]))
    assert holding(tmp_path, WORDS, IDS) == []


def test_remote_that_is_away_is_told_and_done_later(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: object) -> object:
        raise TransferError("the remote can't be reached (no route)")

    with monkeypatch.context() as patch:
        patch.setattr(forget, "remote_of", away)
        done = carry_out(checkout, plan(checkout, [POST]))
    assert "no route" in done.unreached
    assert not plan(checkout, [POST]).is_done
    carry_out(checkout, plan(checkout, [POST]))
    assert holding(tmp_path / "remote", WORDS, IDS) == []


def test_what_git_and_weights_keep_is_told(checkout: Path) -> None:
    Path("notes.md").write_text(f"We saw: {TEXT}\n")
    subprocess.run(["git", "add", "notes.md"], check=True)
    Path("mine.jsonl").write_text(json.dumps({"text": TEXT}) + "\n")
    told = " | ".join(left_behind(checkout, plan(checkout, [POST]).found))
    assert "git tracks notes.md" in told
    assert "mine.jsonl is a file of yours" in told
    assert "were trained on p16" in told


def test_every_stage_behind_the_data_is_named(checkout: Path) -> None:
    assert stages_to_run(checkout)[0] == "posts"
    assert stages_to_run(checkout)[-1] == "release"
