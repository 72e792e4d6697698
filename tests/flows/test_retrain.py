"""Retraining runs of a light project: what they take in, promote, hold and refuse, and what a kill leaves."""

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

import flows.promotion
import flows.retrain
from benchmarks.light_project import DATASET, drop, make_project, post
from benchmarks.light_run import given
from flows.commands import DVC, CommandError, read_output
from flows.pipeline import StageError
from flows.retrain import retrain
from flows.workspace import git
from gemel.core.artifacts import artifact_hash
from gemel.core.errors import ArtifactError, ConfigError, DataError, GemelError
from gemel.registry.errors import LeaseError
from gemel.registry.lease import RETRAINING, Lease
from gemel.registry.registry import Registry
from gemel.stages import RELEASE

POSTS = f"data/{DATASET}/posts.jsonl"
Gate = Callable[[str], None]


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    """Sets the outcome that the gate gives."""
    return lambda outcome: monkeypatch.setattr(flows.promotion, "evaluate_and_decide", given(outcome))


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project without a champion."""
    return make_project(tmp_path_factory.mktemp("retraining") / "project")


@pytest.fixture(scope="module")
def crowned(blank: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with one."""
    root = copy(blank, tmp_path_factory.mktemp("crowned"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows.promotion, "evaluate_and_decide", given("promote"))
        assert retrain(root).kind == "promoted"
    return root


@pytest.fixture
def project(crowned: Path, tmp_path: Path) -> Path:
    return copy(crowned, tmp_path)


def copy(root: Path, folder: Path) -> Path:
    return shutil.copytree(root, folder / "project", symlinks=True)


def champion(root: Path) -> str:
    found = Registry(root).champion()
    assert found is not None
    return found.name


def ids_at(root: Path, commit: str) -> set[str]:
    """Ids of the posts that a commit's data hold, as DVC brings them."""
    target = root.parent / f"fetched-{commit.replace('/', '-')}.jsonl"
    read_output([*DVC, "get", "--quiet", ".", POSTS, "--rev", commit, "--out", str(target)], root)
    return {json.loads(line)["id"] for line in target.read_text().splitlines()}


def batches(root: Path) -> dict[str, str]:
    """Where each batch of posts lies now, below .gemel."""
    found = sorted((root / ".gemel").glob("**/posts.jsonl"))
    return {path.parent.name: str(path.parent.relative_to(root / ".gemel")) for path in found}


def test_first_run_makes_a_champion_and_leaves_the_checkout(blank: Path, crowned: Path) -> None:
    assert champion(crowned) == "v1.0.0"
    assert git(crowned, "rev-parse", "HEAD") == git(blank, "rev-parse", "HEAD")
    assert git(crowned, "status", "--porcelain") == ""
    assert git(crowned, "show", "--name-only", "--format=", "retraining").splitlines()[-1].startswith("decisions/")


def test_new_posts_are_in_the_data_of_the_version(project: Path, gate: Gate) -> None:
    gate("promote")
    drop(project, "monday", [post(100), post(101)])
    (project / "params.yaml").write_text("mine")
    outcome = retrain(project)
    assert (outcome.kind, champion(project)) == ("promoted", "v1.1.0")
    assert ids_at(project, "gemel@v1.1.0") - ids_at(project, "gemel@v1.0.0") == {"p100", "p101"}
    assert "p100" in (project / ".gemel/releases/champion/corpus.jsonl").read_text()
    assert batches(project) == {"monday": "drop/.done/agency/monday"}
    assert (project / "params.yaml").read_text() == "mine"


def test_run_with_nothing_new_changes_nothing_and_says_so(project: Path, gate: Gate) -> None:
    gate("promote")
    before = git(project, "show-ref")
    outcome = retrain(project)
    assert outcome.kind == "nothing new"
    assert outcome.said.startswith("nothing new: no post and no correction came in")
    assert git(project, "show-ref") == before


def test_held_posts_are_tried_again_with_newer_ones_alone(project: Path, gate: Gate) -> None:
    gate("hold")
    drop(project, "monday", [post(100)])
    held = retrain(project)
    assert (held.kind, champion(project)) == ("held", "v1.0.0")
    card = json.loads(git(project, "show", f"retraining:decisions/{held.run}/card.json"))
    assert (card["outcome"], card["mapper_start"]) == ("hold", "scratch")
    assert retrain(project).kind == "nothing new"
    gate("promote")
    drop(project, "tuesday", [post(101)])
    assert retrain(project).kind == "promoted"
    assert {"p100", "p101"} <= ids_at(project, "gemel@v1.1.0")


def test_refused_posts_are_set_aside_and_the_whole_commit_is_kept(project: Path, gate: Gate) -> None:
    gate("refuse")
    drop(project, "monday", [post(100)])
    refused = retrain(project)
    assert (refused.kind, champion(project)) == ("refused", "v1.0.0")
    assert batches(project) == {"monday": f"intake/refused/{refused.run}/agency/monday"}
    whole = git(project, "rev-parse", f"refs/retraining/{refused.run}")
    changed = git(project, "diff", "--name-only", whole, "retraining").splitlines()
    assert {"data.dvc", "dvc.lock"} <= set(changed)
    assert retrain(project).kind == "nothing new"


def test_data_that_the_checks_stop_are_set_aside(project: Path, gate: Gate) -> None:
    gate("promote")
    drop(project, "monday", [post(100, text="A BROKEN Jaguar")])
    with pytest.raises(StageError, match=r"(?s)stage 'posts' failed .*the check no_broken_text failed: 1 row"):
        retrain(project)
    assert champion(project) == "v1.0.0"
    assert batches(project)["monday"].startswith("intake/refused/")
    assert retrain(project).kind == "nothing new"


def test_posts_of_a_stage_that_failed_are_tried_again(project: Path, gate: Gate) -> None:
    gate("promote")
    drop(project, "monday", [post(100)])
    (project / "full.txt").write_text("")
    git(project, "add", "full.txt")
    git(project, "commit", "-q", "-m", "A full disk")
    with pytest.raises(StageError, match=r"(?s)stage 'release' failed .*No space left on device"):
        retrain(project)
    assert (champion(project), batches(project)["monday"]) == ("v1.0.0", "drop/agency/monday")
    git(project, "rm", "-q", "full.txt")
    git(project, "commit", "-q", "-m", "Room again")
    assert retrain(project).kind == "promoted"


def test_full_disk_is_told_in_a_sentence(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "posts.jsonl")

    monkeypatch.setattr(flows.retrain, "take_in", full)
    with pytest.raises(GemelError, match=r"No space left on device: 'posts.jsonl'; make room, .* the next run goes on"):
        retrain(project)


def killed_in(name: str, root: Path, monkeypatch: pytest.MonkeyPatch, *, after: bool = False) -> None:
    """A run that ends in a step of the promotion, before it or right after it."""
    step = getattr(Registry, name)

    def die(*arguments: object, **named: object) -> None:
        if after:
            step(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(BaseException):  # noqa: B017 (Prefect wraps it)
        patch.setattr(Registry, name, die)
        retrain(root)


@pytest.mark.parametrize(
    "step,after", [("register", False), ("register", True), ("promote", True)], ids=lambda value: str(value)
)
def test_interrupted_promotion_is_finished_once(
    project: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    gate("promote")
    drop(project, "monday", [post(100)])
    killed_in(step, project, monkeypatch, after=after)
    told: list[str] = []
    monkeypatch.setattr(flows.retrain, "notify", lambda _, subject, body: told.append(f"{subject}: {body}"))
    monkeypatch.setattr(
        flows.retrain, "build_bento", lambda place, _: told.append(artifact_hash(place.folder / RELEASE))
    )
    settings = project / "conf" / "retraining.yaml"
    settings.write_text(settings.read_text().replace("build_bento: false", "build_bento: true"))
    assert retrain(project).kind == "nothing new"
    if (step, after) == ("promote", True):
        assert told == []
    else:
        assert "v1.1.0 is the champion" in told[0]
        assert told[1:] == [Registry(project).versions()[0].digest]
    assert champion(project) == "v1.1.0"
    assert [version.name for version in Registry(project).versions()] == ["v1.1.0", "v1.0.0"]
    assert len([event for version in Registry(project).versions() for event in version.events]) == 2
    assert batches(project) == {"monday": "drop/.done/agency/monday"}


def test_data_that_can_t_be_pushed_promote_nothing(project: Path, gate: Gate) -> None:
    gate("promote")
    (project / ".dvc" / "config.local").write_text("[core]\nremote = gone\n['remote \"gone\"']\nurl = /proc/nowhere\n")
    drop(project, "monday", [post(100)])
    with pytest.raises(CommandError, match=r"(?s)dvc push` failed .*No such file or directory: '/proc/nowhere'$"):
        retrain(project)
    assert (champion(project), batches(project)["monday"]) == ("v1.0.0", "drop/agency/monday")
    (project / ".dvc" / "config.local").unlink()
    assert retrain(project).kind == "promoted"


def push_to(remote: Path, root: Path) -> None:
    with (root / "conf" / "retraining.yaml").open("a") as settings:
        settings.write(f"push_to: {remote}\n")


def refs(root: Path) -> list[str]:
    return git(root, "for-each-ref", "--format=%(refname)").splitlines()


def test_branch_and_the_registry_s_tags_are_pushed_alone(project: Path, gate: Gate, tmp_path: Path) -> None:
    gate("refuse")
    git(tmp_path, "init", "--quiet", "--bare", "hub.git")
    push_to(tmp_path / "hub.git", project)
    git(project, "tag", "mine")
    drop(project, "monday", [post(100)])
    assert retrain(project).kind == "refused"
    assert refs(tmp_path / "hub.git") == [
        "refs/heads/retraining",
        "refs/tags/gemel#champion#1",
        "refs/tags/gemel@v1.0.0",
    ]
    assert git(tmp_path / "hub.git", "rev-parse", "retraining") == git(project, "rev-parse", "retraining")


def test_what_could_not_be_pushed_is_told_and_pushed_by_the_next_run(project: Path, gate: Gate, tmp_path: Path) -> None:
    gate("promote")
    push_to(tmp_path / "hub.git", project)
    drop(project, "monday", [post(100)])
    outcome = retrain(project)
    assert (outcome.kind, champion(project)) == ("promoted", "v1.1.0")
    assert "retraining and its tags are not at" in outcome.said
    git(tmp_path, "init", "--quiet", "--bare", "hub.git")
    assert retrain(project).said.startswith("nothing new")
    assert "refs/tags/gemel@v1.1.0" in refs(tmp_path / "hub.git")


def test_second_run_at_the_same_time_is_told_who_is_at_work(project: Path) -> None:
    with Lease(project / RETRAINING, "another"), pytest.raises(LeaseError, match=r"held by .*another"):
        retrain(project)


def test_champion_that_was_deleted_by_hand_is_named(project: Path) -> None:
    shutil.rmtree((project / ".gemel/releases/champion").resolve())
    with pytest.raises(ArtifactError, match=r"v1\.0\.0 was promoted, but .*`gemel release promote v1\.0\.0`"):
        retrain(project)


def test_empty_feedback_is_nothing_new(project: Path, gate: Gate) -> None:
    gate("promote")
    (project / ".gemel" / "feedback").mkdir()
    (project / ".gemel" / "feedback" / "feedback.jsonl").write_text("")
    assert retrain(project).kind == "nothing new"


def test_half_written_batch_waits_and_is_named(project: Path, gate: Gate) -> None:
    gate("promote")
    (drop(project, "monday", [post(100)]) / "image.png.part").write_text("half")
    outcome = retrain(project)
    assert outcome.kind == "nothing new"
    assert "waiting: agency/monday: " in outcome.said
    assert "image.png.part" in outcome.said


def test_missing_drop_folder_is_named(project: Path) -> None:
    settings = project / "conf" / "retraining.yaml"
    settings.write_text("intake: {drop: /nowhere/at/all}\n")
    with pytest.raises(ConfigError, match=r"/nowhere/at/all"):
        retrain(project)


def test_unknown_setting_is_refused(project: Path) -> None:
    (project / "conf" / "retraining.yaml").write_text("retry: 3\n")
    with pytest.raises(ConfigError, match=r"retraining\.yaml: retry: Extra inputs .* found 3; docs/retraining.md"):
        retrain(project)


def start_from_champion(root: Path) -> None:
    path = root / "params.yaml"
    path.write_text(path.read_text().replace("start: scratch", "start: champion"))
    git(root, "commit", "-q", "-a", "-m", "Go on from the champion")


def test_champion_s_mapper_becomes_part_of_the_data(project: Path, gate: Gate) -> None:
    gate("promote")
    start_from_champion(project)
    drop(project, "monday", [post(100)])
    outcome = retrain(project)
    target = project.parent / "start"
    read_output([*DVC, "get", "--quiet", ".", "data/start", "--rev", "retraining", "--out", str(target)], project)
    assert (target / "mapper.safetensors").read_text() == "weights"
    card = json.loads(git(project, "show", f"retraining:decisions/{outcome.run}/card.json"))
    assert card["mapper_start"] == "champion"


def test_start_from_a_champion_that_is_not_there_is_refused(blank: Path, tmp_path: Path, gate: Gate) -> None:
    gate("promote")
    root = copy(blank, tmp_path)
    start_from_champion(root)
    with pytest.raises(DataError, match=r"mapper.start is champion, but there is none yet; set it to scratch"):
        retrain(root)
