"""A Prefect server of a benchmark's own, so that runs need not start one each."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from benchmarks.service_process import free_port
from flows.schedule import server


@contextlib.contextmanager
def own_server(home: Path) -> Iterator[str]:
    """A server, which this process and those that it starts use meanwhile. home: for its database.

    Yields: its address.
    """
    api, before = f"http://127.0.0.1:{free_port()}/api", dict(os.environ)
    os.environ |= {"PREFECT_API_URL": api, "PREFECT_HOME": str(home)}
    try:
        with server(api):
            yield api
    finally:
        os.environ.clear()
        os.environ |= before
