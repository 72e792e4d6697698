"""`gemel release promote | rollback | list | prune`: what they print, and errors in a sentence."""

import shutil

import pytest
from checkouts import Checkout
from typer.testing import CliRunner, Result

from gemel.cli import app
from gemel.core.errors import RequestError
from gemel.registry.errors import RegistryError


@pytest.fixture
def here(promoted: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.chdir(promoted.root)
    return promoted


def run(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, ["release", *words])


def test_promote_and_rollback_name_the_champion(here: Checkout) -> None:
    digests = [version.folder for version in here.registry.versions()]
    assert run("promote", "v1.0.0").output == f"v1.0.0: the champion, release {digests[1]}\n"
    assert run("rollback", "--why", "worse").output == f"v1.1.0: the champion again, release {digests[0]}\n"


def test_bundle_of_the_last_commit_becomes_a_version(here: Checkout) -> None:
    here.commit_release("three")
    assert run("promote", "--bundle", "artifacts/release", "--why", "a trial").output.startswith("v1.2.0: the champion")
    (event,) = here.registry.versions()[0].events
    assert event.why == "a trial"


@pytest.mark.parametrize("words", [(), ("v1.0.0", "--bundle", "artifacts/release")])
def test_promote_takes_a_version_or_a_bundle(here: Checkout, words: tuple[str, ...]) -> None:
    assert here.root.is_dir()
    error = run("promote", *words).exception
    assert isinstance(error, RequestError)
    assert "give either a version of `gemel release list`, or --bundle artifacts/release" in str(error)


def test_list_marks_the_champion_and_deleted_bundles(here: Checkout) -> None:
    shutil.rmtree(here.releases / here.registry.versions()[1].folder)
    newest, oldest = (line for line in run("list").output.splitlines() if "v1." in line)
    for words in ("v1.1.0", "90.0", "run-two", "champion", "promotion 20", "better: two"):
        assert words in newest
    assert "bundle deleted" in oldest
    assert "champion" not in oldest


def test_list_of_none_says_how_to_make_one(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout.root)
    assert run("list").output.startswith("no version yet; `gemel release promote --bundle artifacts/release`")


def test_list_says_that_the_champion_is_damaged(here: Checkout) -> None:
    (here.pointer / "mapper.safetensors").write_text("x")
    listed = run("list")
    assert listed.exit_code == 0
    assert "`gemel release promote v1.1.0` brings it back" in " ".join(listed.stderr.split())


def test_prune_says_what_it_did(here: Checkout) -> None:
    here.registry.promote(here.register("three"), why="")
    assert ": removed\n" in run("prune", "--keep", "1").output


def test_rollback_without_a_former_champion_is_refused(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(checkout.root)
    assert isinstance(run("rollback").exception, RegistryError)
