"""`gemel intake`: a person looks at the quarantine and decides."""

from pathlib import Path

import pytest
from intake_world import correction, drop, gathered, row, say
from typer.testing import CliRunner, Result

from gemel.cli_intake import intake
from gemel.core.errors import RequestError
from gemel.intake.settling import remember, settle


def run(*arguments: str) -> Result:
    return CliRunner().invoke(intake, arguments, catch_exceptions=False, env={"COLUMNS": "300"})


@pytest.fixture
def doubtful(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The key of a quarantined correction; a rejected row is there too. The project is the current folder."""
    monkeypatch.chdir(root)
    say(root, correction("A Jaguar slept"))
    drop(root, [row("n1", "A frozen Jaguar")])
    batch = gathered(root)
    remember(batch, root)
    return batch.quarantined[0].candidate.key


def test_list_shows_rows_with_their_reasons(doubtful: str) -> None:
    shown = run("list").stdout
    assert doubtful in shown
    assert "contradiction" in shown
    assert "frozen" not in shown


def test_list_shows_what_can_never_come_in(doubtful: str) -> None:
    shown = run("list", "--rejected").stdout
    assert "leak" in shown
    assert doubtful not in shown


def test_released_row_is_marked_until_it_is_in(doubtful: str) -> None:
    assert "1 rows come in with the next run." in run("release", doubtful).stdout
    assert "released, not in yet" in run("list").stdout


def test_released_row_that_came_in_is_no_longer_listed(doubtful: str, root: Path) -> None:
    run("release", doubtful)
    settle(gathered(root), root, "promoted", "run1")
    assert "Nothing is in quarantine." in run("list").stdout


def test_discarded_row_is_no_longer_listed(doubtful: str) -> None:
    run("discard", doubtful)
    assert "Nothing is in quarantine." in run("list").stdout


def test_filters_leave_rows_out(doubtful: str) -> None:
    assert doubtful in run("list", "--rule", "contradiction", "--source", "feedback").stdout
    assert "No such rows." in run("list", "--rule", "burst").stdout


@pytest.mark.usefixtures("doubtful")
def test_nothing_given_is_refused() -> None:
    with pytest.raises(RequestError, match="give the keys of rows, as `gemel intake list` shows them, or --run"):
        run("release")
