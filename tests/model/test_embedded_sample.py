"""The sample's release with its models inside links the sample's posts as the release that names them."""

import json
from pathlib import Path

import pytest

from gemel.core.schema import Mention, Post
from gemel.embedding import embed
from gemel.predictor import Linker
from gemel.release_facts import read_facts
from gemel.stages import RELEASE

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore:The tiny backbones know the sample world alone")
def test_embedded_sample_links_as_the_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    if not (RELEASE / "manifest.json").is_file() or read_facts(RELEASE)["dataset"] != "sample":
        pytest.skip("no release of the sample here; `make repro` makes it")
    lines = Path("data/sample/posts.jsonl").read_text().splitlines()[:8]
    posts = [
        Post(row["text"], tuple(Mention(each["mention"]) for each in row["mentions"]), image(row.get("image")))
        for row in map(json.loads, lines)
    ]
    expected = Linker.load(RELEASE).link(posts)
    embed(RELEASE, tmp_path / "embedded")
    monkeypatch.chdir(tmp_path)
    assert Linker.load("embedded").link(posts) == expected


def image(name: str | None) -> Path | None:
    return None if name is None else (ROOT / "data/sample" / name).absolute()
