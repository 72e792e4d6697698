"""Settings of the service come from a file and the environment, and what can't be used is told."""

from pathlib import Path

import pytest

from bento.settings import FILE_VARIABLE, read_settings
from gemel.core.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "service.yaml"
    monkeypatch.setenv(FILE_VARIABLE, str(path))
    return path


def test_file_is_read_and_the_environment_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("max_text: 100\nmax_body: 1MiB\nimage_hosts: [images.example.org]\n")
    monkeypatch.setenv("GEMEL_SERVICE_MAX_TEXT", "200")
    settings = read_settings()
    assert (settings.max_text, int(settings.max_body), settings.image_hosts) == (200, 1 << 20, ("images.example.org",))


def test_token_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_TOKEN", "s" * 16)
    assert "ssss" not in repr(read_settings())


def test_short_token_is_not_quoted_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_TOKEN", "hunter2")
    with pytest.raises(ConfigError, match=r"setting token of the service: .*at least 16") as error:
        read_settings()
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("max_txt: 3\n", "setting max_txt of the service: Extra inputs are not permitted"),
        ("max_text: many\n", "setting max_text of the service: Input should be a valid integer"),
        ("max_text: 0\n", "setting max_text of the service: Input should be greater than 0"),
        ("records: all\n", "setting records of the service: Input should be 'off', 'numbers' or 'texts'"),
        ("max_text: [\n", "not readable as settings of the service"),
        ("- 3\n", "not readable as settings of the service"),
    ],
)
def test_file_that_cannot_be_used_is_told(file: Path, content: str, words: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigError, match=words):
        read_settings()


def test_file_that_is_not_there_is_told(file: Path) -> None:
    with pytest.raises(ConfigError, match=rf"{file}: no such file, though {FILE_VARIABLE} names it"):
        read_settings()


def test_unknown_variable_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMEL_SERVICE_TOKENS", "x")
    with pytest.raises(ConfigError, match="GEMEL_SERVICE_TOKENS: no such setting; known are GEMEL_SERVICE_TOKEN,"):
        read_settings()
