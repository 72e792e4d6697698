"""A DVC remote: whether it can be reached, read and written, before a push of an hour or a scheduled run finds out."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from gemel.transfer.errors import TransferError, in_words

PROBE = b"written and removed by gemel doctor\n"


@dataclass(frozen=True)
class RemoteState:
    """where: address of its objects. verified: whether what is pulled is hashed before it is used."""

    name: str
    where: str
    verified: bool


def check_remote(root: Path, name: str) -> RemoteState:
    """Write a small file into a remote, read it back and remove it.

    Raises: TransferError, saying what to do, if there is no such remote, or one of the three can't be done.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        repo = Repo(os.fspath(root.absolute()))
    except DvcException as error:
        raise TransferError(f"{root}: no DVC project ({error}); run it from the project's root") from error
    with contextlib.closing(repo):
        known = repo.config["remote"]
        if name not in known:
            raise TransferError(
                f"no DVC remote {name!r}; there are {', '.join(known) or 'none'}; run `dvc remote add {name} URL`"
            )
        where = known[name]["url"]
        with in_words(where):
            store = repo.cloud.get_remote_odb(name)
            _probe(store, where)
        return RemoteState(name, where, bool(store.verify))


def expect_reachable(store: Any) -> None:
    """See that a remote's bucket is there, before an answer of "no such object" is believed.

    store: the remote's objects. Raises: what its driver does, if it can't be listed; in_words says it.
    """
    if store.fs.protocol == "local":
        return
    try:
        store.fs.ls(store.path)
    except FileNotFoundError:
        # Nothing was pushed yet, or there is no bucket either.
        store.fs.ls(store.path.split("/", 1)[0])


def _probe(store: Any, where: str) -> None:
    expect_reachable(store)
    path = store.fs.join(store.path, f"probe-{uuid4().hex}")
    store.fs.makedirs(store.path)
    store.fs.pipe_file(path, PROBE)
    try:
        with store.fs.open(path, "rb") as file:
            found = file.read()
    finally:
        store.fs.remove(path)
    if found != PROBE:
        raise TransferError(f"{where}: gives back other bytes than were written; don't use it")
