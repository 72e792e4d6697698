"""A taken port is said in a sentence; other errors end as before."""

import errno
import socket
import sys

import pytest

from bento.taken_port import say_taken_port


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What the former hook was called with, behind the one that is tested."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda _kind, error, _trace: errors.append(error))
    say_taken_port()
    return errors


def test_taken_port_is_a_sentence(ended: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as first, socket.socket() as second:
        first.bind(("127.0.0.1", 0))
        first.listen()
        with pytest.raises(OSError, match="in use") as caught:
            second.bind(first.getsockname())
    sys.excepthook(caught.type, caught.value, caught.tb)
    said = capsys.readouterr().err
    assert said.startswith("error: the port is in use already, perhaps by another `bentoml serve`; stop that one")
    assert len(said.splitlines()) == 1
    assert not ended


@pytest.mark.parametrize("error", [OSError(errno.EACCES, "denied"), ValueError("x")])
def test_other_errors_end_as_before(ended: list[BaseException], error: BaseException) -> None:
    sys.excepthook(type(error), error, None)
    assert ended == [error]
