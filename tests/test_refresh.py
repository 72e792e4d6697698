"""A running linker takes up another release without a failed request."""

import json
import shutil
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from gemel.bundle import Contents, read_bundle, write_contents
from gemel.changes.assembly import with_entity_changes
from gemel.core.artifacts import MANIFEST, new_artifact, read_manifest
from gemel.core.schema import Link, Mention, Post
from gemel.entities.changed import EntityChange
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer
from gemel.predictor import Linker

POST = Post("Great shot of the Jaguar this morning", (Mention("Jaguar"),))
UPDATES, THREADS = 20, 3


@pytest.fixture
def release(tiny_release: Path, tmp_path: Path) -> Path:
    return shutil.copytree(tiny_release, tmp_path / "release")


@pytest.fixture
def linker(release: Path) -> Linker:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return Linker.load(release, watch=True)


@pytest.fixture
def rename_all(release: Path) -> Callable[[str], dict[str, str]]:
    """Put a release in place whose names all end with a version; gives id -> name."""
    bundle = read_bundle(release)
    facts = read_manifest(release, "release")
    tokenizer = load_tokenizer(facts["settings"]["backbone"]["llm"]["model"])
    mapper = shutil.copy(bundle.mapper, release.parent / "mapper.safetensors")
    base = Contents(Path(mapper), bundle.catalog, bundle.trie, bundle.demonstrations, bundle.vectors)
    names = dict(zip(bundle.catalog.ids, bundle.catalog.names, strict=True))

    def replace(version: str) -> dict[str, str]:
        now = {key: f"{name} {version}" for key, name in names.items()}
        changes = [EntityChange(key, name=name) for key, name in now.items()]
        changed = with_entity_changes(base, changes, lambda given: tokenize_names(given, tokenizer))
        with new_artifact(release, "release", facts) as draft:
            write_contents(draft, changed.contents)
        return now

    return replace


def names_of(link: Link) -> dict[str, str]:
    return {candidate.entity_id: candidate.name for candidate in link.candidates}


def test_new_release_is_taken_up_by_the_next_request(linker: Linker, rename_all: Callable[[str], dict]) -> None:
    before = names_of(linker.link([POST])[0])
    after = rename_all("two")
    found = names_of(linker.link([POST])[0])
    assert found.items() <= after.items()
    assert not found.items() & before.items()


def test_same_release_is_not_opened_again(linker: Linker, rename_all: Callable[[str], dict]) -> None:
    assert not linker.refresh()
    rename_all("two")
    assert linker.refresh()
    assert not linker.refresh()


def test_without_watching_the_release_stays(release: Path, linker: Linker, rename_all: Callable[[str], dict]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        still = Linker.load(release)
    before = still.link([POST])
    rename_all("two")
    assert still.link([POST]) == before
    assert still.refresh()
    assert still.link([POST]) == linker.link([POST])


def test_stream_goes_on_with_the_release_that_it_began_with(linker: Linker, rename_all: Callable[[str], dict]) -> None:
    stream = linker.link_stream([POST, POST], posts_at_once=1)
    first = next(stream)
    rename_all("two")
    assert next(stream).candidates == first.candidates
    assert linker.link([POST])[0].candidates != first.candidates


def test_absent_release_leaves_the_former_one_in_use(linker: Linker, release: Path) -> None:
    before = linker.link([POST])
    release.rename(release.with_name("gone"))
    assert linker.link([POST]) == before


def test_damaged_release_is_refused_once_with_a_warning(linker: Linker, release: Path) -> None:
    before = linker.link([POST])
    (release / "entities.parquet").write_bytes(b"no table")
    (release / MANIFEST).write_text((release / MANIFEST).read_text() + "\n")
    with pytest.warns(UserWarning, match="the new release is not taken up, the former one stays in use: .*entities"):
        assert linker.link([POST]) == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert linker.link([POST]) == before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda facts: facts["settings"]["backbone"]["llm"].update(dtype="bfloat16"), "; start the linker anew"),
        (lambda facts: facts.update(tokenizer="0" * 64), "its trie was built for tokenizer 000000000000"),
        (lambda facts: facts.pop("settings"), "'settings'"),
    ],
)
def test_release_for_other_models_is_refused(
    linker: Linker, release: Path, change: Callable[[dict], object], words: str
) -> None:
    before = linker.link([POST])
    manifest = json.loads((release / MANIFEST).read_text())
    change(manifest["facts"])
    (release / MANIFEST).write_text(json.dumps(manifest))
    with pytest.warns(UserWarning, match=words):
        assert linker.link([POST]) == before


def test_threads_link_while_releases_are_exchanged(linker: Linker, rename_all: Callable[[str], dict]) -> None:
    versions = [names_of(linker.link([POST])[0])]
    failures: list[BaseException] = []
    links: list[Link] = []
    done = threading.Event()

    def ask() -> None:
        try:
            while not done.is_set():
                links.extend(linker.link([POST]))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for version in range(UPDATES):
            versions.append(rename_all(f"v{version}"))
            seen = len(links)
            while len(links) < seen + THREADS and not failures:
                done.wait(0.01)
    done.set()
    for thread in threads:
        thread.join()
    assert not failures
    assert all(any(names_of(link).items() <= names.items() for names in versions) for link in links)
    assert names_of(linker.link([POST])[0]).items() <= versions[-1].items()
