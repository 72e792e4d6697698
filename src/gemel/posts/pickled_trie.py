"""Prefix trees of the published code: a pickle of nested dicts of token ids, from EOS to EOS.

{2: {113: {5: {2: {}}}, …}} with EOS 2, which is OPT's BOS too, holds the name 113 5. Reading makes dicts and numbers
and runs nothing: a pickle that refers to any class or function is refused.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from gemel.core.errors import DataError

LONGEST_NAME = 1_000  # tokens
MOST_NODES = 100_000_000
LONGEST_REASON = 200
NEXT = "get the published file again"


class _DictsAndNumbers(pickle.Unpickler):
    """Makes nothing that has to be looked up by name."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise pickle.UnpicklingError(f"it refers to {module}.{name}")


def read_pickled_trie(path: Path, *, eos: int, vocabulary: int) -> Iterator[tuple[int, ...]]:
    """Give the token ids of each name, without the EOS at both ends, in the order of the file.

    eos: the token that names begin and end with. vocabulary: token ids are below it.
    Raises: DataError if the file can't be read, holds anything but such a tree, or holds no name; a flaw inside the
    tree is met after the names before it.
    """
    tree = _unpickled(path)
    if type(tree) is not dict:
        raise DataError(f"{path}: expected a dict of token ids, found {type(tree).__name__}; {NEXT}")
    if list(tree) != [eos]:
        found = ", ".join(_found(key) for key in list(tree)[:3]) or "nothing"
        raise DataError(
            f"{path}: expected names that begin with the tokenizer's EOS, {eos}, found {found}; name the tokenizer "
            "that the tree was made with"
        )
    names = _names(path, tree[eos], eos, vocabulary)
    first = next(names, None)
    if first is None:
        raise DataError(f"{path}: the tree holds no name; {NEXT}")
    yield first
    yield from names


def _unpickled(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            return _DictsAndNumbers(file).load()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror or error}); check the path") from error
    except Exception as error:  # a file made by anyone can break the unpickler in any way
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST_REASON]}"
        raise DataError(
            f"{path}: not a pickle of plain dicts and numbers, nothing in it was run ({why}); {NEXT}"
        ) from error


def _names(path: Path, root: object, eos: int, vocabulary: int) -> Iterator[tuple[int, ...]]:
    """Walk the tree with a list of what waits, as its depth is the file's choice."""
    waiting: list[tuple[tuple[int, ...], object]] = [((), root)]
    met: set[int] = set()
    while waiting:
        ids, node = waiting.pop()
        children = _children(path, ids, node, vocabulary)
        # A dict that hangs in two places makes few bytes a tree without end.
        if (children and id(children) in met) or len(ids) > LONGEST_NAME or len(met) > MOST_NODES:
            where = f"behind {_shown(ids)}: a loop, a name of more than {LONGEST_NAME} tokens"
            raise DataError(f"{path}: {where}, or more than {MOST_NODES} nodes; {NEXT}")
        met.add(id(children))
        if eos in children:
            if children[eos] != {}:
                raise DataError(f"{path}: behind {_shown(ids)}: a name goes on behind its EOS, {eos}; {NEXT}")
            yield ids
        elif not children and ids:
            raise DataError(f"{path}: the name {_shown(ids)} does not end with EOS, {eos}; {NEXT}")
        waiting += [((*ids, token), child) for token, child in reversed(children.items()) if token != eos]


def _children(path: Path, ids: tuple[int, ...], node: object, vocabulary: int) -> dict[int, object]:
    if type(node) is not dict:
        found = type(node).__name__
        raise DataError(f"{path}: behind {_shown(ids)}: expected a dict of token ids, found {found}; {NEXT}")
    for token in node:
        if type(token) is not int or not 0 <= token < vocabulary:
            raise DataError(
                f"{path}: behind {_shown(ids)}: expected token ids from 0 to {vocabulary - 1}, found {_found(token)}; "
                "name the tokenizer that the tree was made with"
            )
    return node


def _shown(ids: tuple[int, ...]) -> str:
    return f"the ids {list(ids[:8])}{' …' if len(ids) > 8 else ''}" if ids else "the first EOS"


def _found(key: object) -> str:
    # To write out what else a pickle may hold can take forever.
    return str(key) if type(key) is int and abs(key) < 2**63 else f"a key of type {type(key).__name__}"
