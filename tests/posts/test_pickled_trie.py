"""Published prefix trees: the names in them, and that anything else in the file is refused and never run."""

import os
import pickle
from pathlib import Path
from typing import Any

import pytest

from gemel.core.errors import DataError
from gemel.posts import pickled_trie
from gemel.posts.pickled_trie import read_pickled_trie

EOS, VOCABULARY = 2, 50
TREE = {EOS: {5: {6: {EOS: {}, 7: {EOS: {}}}}, 9: {EOS: {}}}}


def read(tmp_path: Path, content: object) -> list[tuple[int, ...]]:
    (tmp_path / "tree.pkl").write_bytes(content if isinstance(content, bytes) else pickle.dumps(content))
    return list(read_pickled_trie(tmp_path / "tree.pkl", eos=EOS, vocabulary=VOCABULARY))


def pickled_chain(length: int) -> bytes:
    """A pickle of a single name, `length` times the token 3; made without recursion."""
    keys = b"K\x02}" + b"K\x03}" * length + b"K\x02}"
    return b"\x80\x02}" + keys + b"s" * (length + 2) + b"."


class RunsACommand:
    """Unpickled carelessly it makes a file."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self._trace}",)


def test_names_come_without_the_eos_at_both_ends(tmp_path: Path) -> None:
    assert read(tmp_path, TREE) == [(5, 6), (5, 6, 7), (9,)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_pickle_protocol_is_read(tmp_path: Path, protocol: int) -> None:
    assert len(read(tmp_path, pickle.dumps(TREE, protocol))) == 3


@pytest.mark.parametrize("length", [990, pickled_trie.LONGEST_NAME])
def test_long_name_is_walked_without_recursion(tmp_path: Path, length: int) -> None:
    assert read(tmp_path, pickled_chain(length)) == [(3,) * length]


def test_endless_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tree.pkl: behind the ids \[3, 3, .* …: a loop, a name of more than 1000 tok"):
        read(tmp_path, pickled_chain(200_000))


def test_loop_is_refused(tmp_path: Path) -> None:
    loop: dict[int, Any] = {EOS: {}}
    loop[4] = loop
    with pytest.raises(DataError, match=r"behind the ids \[4\]: a loop"):
        read(tmp_path, {EOS: loop})


def test_shared_branches_do_not_multiply(tmp_path: Path) -> None:
    tree: dict[int, Any] = {EOS: {}}
    for _ in range(60):
        tree = {3: tree, 4: tree}
    with pytest.raises(DataError, match="a loop, a name of more"):
        read(tmp_path, {EOS: tree})


def test_more_nodes_than_the_bound_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled_trie, "MOST_NODES", 2)
    with pytest.raises(DataError, match="or more than 2 nodes; get the published file again"):
        read(tmp_path, TREE)


def test_function_call_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    words = r"tree.pkl: not a pickle of plain dicts and numbers, nothing in it was run \(UnpicklingError: it refers to"
    with pytest.raises(DataError, match=words):
        read(tmp_path, {EOS: {5: RunsACommand(trace)}})
    assert not trace.exists()


def test_foreign_object_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="it refers to pathlib"):
        read(tmp_path, {EOS: {5: tmp_path}})


@pytest.mark.parametrize("content", [b"", b"no pickle", pickle.dumps(TREE)[:-9]], ids=["empty", "text", "truncated"])
def test_file_that_is_no_pickle_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="not a pickle of plain dicts and numbers, nothing in it was run"):
        read(tmp_path, content)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone.pkl: can't be read \(No such file or directory\); check the path"):
        list(read_pickled_trie(tmp_path / "gone.pkl", eos=EOS, vocabulary=VOCABULARY))


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ([1, 2], "expected a dict of token ids, found list; get the published file again"),
        ({}, "expected names that begin with the tokenizer's EOS, 2, found nothing"),
        ({0: {5: {EOS: {}}}}, "expected names that begin with the tokenizer's EOS, 2, found 0; name the tokenizer"),
        ({EOS: {}, 4: {}}, "begin with the tokenizer's EOS, 2, found 2, 4"),
        ({EOS: {}}, "the tree holds no name; get the published file again"),
        ({EOS: {5: {6: {}}}}, r"the name the ids \[5, 6\] does not end with EOS, 2"),
        ({EOS: {5: {EOS: {7: {EOS: {}}}}}}, r"behind the ids \[5\]: a name goes on behind its EOS, 2"),
        ({EOS: {5: 6}}, r"behind the ids \[5\]: expected a dict of token ids, found int"),
        ({EOS: [5]}, "behind the first EOS: expected a dict of token ids, found list"),
        ({EOS: {50: {EOS: {}}}}, "behind the first EOS: expected token ids from 0 to 49, found 50; name the tokenizer"),
        ({EOS: {-1: {EOS: {}}}}, "expected token ids from 0 to 49, found -1"),
        ({EOS: {10**6000: {EOS: {}}}}, "expected token ids from 0 to 49, found a key of type int"),
        ({EOS: {"a": {EOS: {}}}}, "expected token ids from 0 to 49, found a key of type str"),
        ({EOS: {True: {EOS: {}}}}, "expected token ids from 0 to 49, found a key of type bool"),
    ],
)
def test_other_trees_are_refused(tmp_path: Path, tree: object, words: str) -> None:
    with pytest.raises(DataError, match=f"tree.pkl: .*{words}"):
        read(tmp_path, tree)
