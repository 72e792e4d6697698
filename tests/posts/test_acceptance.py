"""How a version of a data set is accepted."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from gemel.core.errors import DataError
from gemel.posts.acceptance import MOST_HISTORY, Acceptance, accept, read_accepted
from gemel.posts.profile import Profile

FORMER = Profile("tiny", {"posts": 3}, {"image": {"none": 0.5, "read": 0.5}, "split": {"train": 1.0}})
NEW = Profile("tiny", {"posts": 9}, {"image": {"read": 1.0}, "split": {"train": 1.0}})


def write_run(folder: Path, profile: Profile, *failed: str) -> Path:
    profile.write(folder / "profile.json")
    checks = [{"name": name, "severity": "critical", "success": False} for name in failed]
    checks += [{"name": "few_nil", "severity": "warning", "success": False}]
    (folder / "validation.json").write_text(json.dumps({"checks": checks}))
    return folder


def accept_one(tmp_path: Path, profile: Profile, reason: str = "first version", *failed: str) -> Acceptance:
    run = write_run(tmp_path / "run", profile, *failed)
    return accept("tiny", (run,), tmp_path / "accepted", reason=reason)


def history(tmp_path: Path) -> list[dict[str, object]]:
    return json.loads((tmp_path / "accepted" / "tiny.json").read_text())["history"]


def test_nothing_is_accepted_at_first(tmp_path: Path) -> None:
    assert read_accepted(tmp_path / "accepted", "tiny") is None


def test_first_version_is_accepted(tmp_path: Path) -> None:
    accepted = accept_one(tmp_path, FORMER)
    assert (accepted.former, accepted.changes) == (None, ())
    assert read_accepted(tmp_path / "accepted", "tiny") == FORMER
    entry = {"reason": "first version", "former_sha256": None, "counts_before": None, "counts_after": {"posts": 3}}
    assert history(tmp_path) == [entry]


def test_later_version_says_what_changed_and_keeps_the_history(tmp_path: Path) -> None:
    accept_one(tmp_path, FORMER)
    accepted = accept_one(tmp_path, NEW, " a new feed ", "no_drift", "rows_kept")
    assert [change.feature for change in accepted.changes] == ["number of posts", "image", "split"]
    assert accepted.changes[1].moved == "none: 50.0% → 0.0%, read: 50.0% → 100.0%"
    assert read_accepted(tmp_path / "accepted", "tiny") == NEW
    assert [entry["reason"] for entry in history(tmp_path)] == ["first version", "a new feed"]
    assert history(tmp_path)[1] | {"reason": ""} == {
        "reason": "",
        "former_sha256": FORMER.sha256,
        "counts_before": {"posts": 3},
        "counts_after": {"posts": 9},
    }


def test_same_version_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for place in ("one", "two"):
        accept_one(tmp_path / place, FORMER)
        written.append((tmp_path / place / "accepted" / "tiny.json").read_bytes())
    assert written[0] == written[1]


def test_history_stays_short(tmp_path: Path) -> None:
    for number in range(MOST_HISTORY + 2):
        accept_one(tmp_path, FORMER, f"reason {number}")
    assert len(history(tmp_path)) == MOST_HISTORY
    assert history(tmp_path)[-1]["reason"] == f"reason {MOST_HISTORY + 1}"


def test_newest_run_is_accepted(tmp_path: Path) -> None:
    stopped, finished = write_run(tmp_path / "stopped", NEW), write_run(tmp_path / "finished", FORMER)
    os.utime(stopped / "profile.json", (1, 1))
    assert accept("tiny", (stopped, finished), tmp_path / "accepted", reason="x").source == finished
    os.utime(finished / "profile.json", (0, 0))
    assert accept("tiny", (stopped, finished), tmp_path / "accepted", reason="x").source == stopped


def test_blank_reason_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the reason is blank; say why this version is right, e.g. --reason"):
        accept_one(tmp_path, FORMER, "  ")
    assert not (tmp_path / "accepted").exists()


def test_without_a_run_there_is_nothing_to_accept(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no profile.json in .*one or .*two; run `dvc repro posts` first"):
        accept("tiny", (tmp_path / "one", tmp_path / "two"), tmp_path / "accepted", reason="x")


def test_run_that_failed_other_checks_is_refused(tmp_path: Path) -> None:
    accept_one(tmp_path, FORMER)
    with pytest.raises(DataError, match="run: this version failed schema; correct the data and run `dvc repro posts`"):
        accept_one(tmp_path, NEW, "x", "no_drift", "schema")
    assert read_accepted(tmp_path / "accepted", "tiny") == FORMER


def test_profile_of_another_data_set_is_refused(tmp_path: Path) -> None:
    words = "profile.json: expected the profile of data set 'tiny', found that of 'other'; run `dvc repro posts`"
    with pytest.raises(DataError, match=words):
        accept_one(tmp_path, replace(NEW, dataset="other"))


def test_accepted_file_of_another_data_set_is_refused(tmp_path: Path) -> None:
    replace(NEW, dataset="other").write(tmp_path / "tiny.json")
    with pytest.raises(DataError, match=r"tiny.json: expected the profile of data set 'tiny', found that of 'other'"):
        read_accepted(tmp_path, "tiny")
