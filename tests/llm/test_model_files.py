"""Models of the hub: from the cache, and all that keeps them from being had. No test reaches a network."""

import shutil
import time
import warnings
from pathlib import Path

import huggingface_hub.errors
import pytest
from huggingface_hub import constants

from gemel.core.errors import BackboneError
from gemel.core.settings import BackboneSettings, LLMSettings
from gemel.llm.loading import load_llm

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB_ID = "someone/some-llm"


@pytest.fixture
def cache(tmp_path: Path, tiny_backbones: BackboneSettings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Hugging Face cache that holds the tiny LLM as a model of the hub, at one commit that is `main`."""
    model = tmp_path / "hub" / f"models--{HUB_ID.replace('/', '--')}"
    shutil.copytree(tiny_backbones.llm.model, model / "snapshots" / COMMIT)
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return model / "snapshots" / COMMIT


@pytest.mark.parametrize("offline", [True, False])
def test_model_of_a_hub_that_can_not_be_reached_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, offline) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    began = time.monotonic()
    with pytest.raises(BackboneError) as caught:
        load_llm(LLMSettings("nobody/such-llm", "main"))
    assert time.monotonic() - began < 5
    assert str(caught.value).startswith("nobody/such-llm: not on this machine at revision 'main', and the hub can't be")
    assert "run `hf download nobody/such-llm --revision main` where it can" in str(caught.value)


def test_model_in_the_cache_is_loaded_by_its_commit(cache: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        llm = load_llm(LLMSettings(HUB_ID, COMMIT))
    assert llm.commit == cache.name


@pytest.mark.parametrize("revision", ["main", None])
def test_revision_that_may_change_is_said_with_its_commit(cache: Path, revision: str | None) -> None:
    with pytest.warns(UserWarning, match=f"{HUB_ID}: revision {revision!r} may change; what was loaded is {COMMIT}"):
        assert load_llm(LLMSettings(HUB_ID, revision)).commit == cache.name


@pytest.mark.parametrize("revision", ["other", "f" * 40])
@pytest.mark.usefixtures("cache")
def test_revision_that_the_cache_lacks_is_refused(revision: str) -> None:
    with pytest.raises(
        BackboneError, match=f"not on this machine at revision '{revision}', and the hub can't be reached"
    ):
        load_llm(LLMSettings(HUB_ID, revision))


def test_cache_without_weights_is_refused(cache: Path) -> None:
    (cache / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match="not on this machine at revision"):
        load_llm(LLMSettings(HUB_ID, COMMIT))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            "GatedRepoError",
            rf"its licence has to be accepted first; do so at https://huggingface.co/{HUB_ID}, then run",
        ),
        ("RevisionNotFoundError", "the hub has no revision 'v9'; write one of its commits there"),
        ("RepositoryNotFoundError", r"neither a folder here nor a model of the hub \(or a private one: run `hf auth"),
    ],
)
def test_refusal_of_the_hub_is_passed_on(monkeypatch: pytest.MonkeyPatch, error: str, words: str) -> None:
    class Refusal(getattr(huggingface_hub.errors, error)):
        def __init__(self) -> None:
            Exception.__init__(self, "no")

    def refuse(*_args: object, **_kwargs: object) -> None:
        raise Refusal

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    with pytest.raises(BackboneError, match=words):
        load_llm(LLMSettings(HUB_ID, "v9"))
