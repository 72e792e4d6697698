"""A local schedule in one command, `make schedule`: server, deployments of prefect.yaml and a worker, until Ctrl-C.

A server that answers at PREFECT_API_URL is used as it is; else one is started here, on this machine alone.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from flows.command_line import errors_in_a_sentence
from flows.commands import CommandError, read_output
from gemel.core.errors import GemelError

ROOT = Path(__file__).resolve().parents[1]
POOL, LIMIT = "gemel", "gpu"
LOCAL = "http://127.0.0.1:4200/api"
PREFECT = (sys.executable, "-m", "prefect")
PATIENCE_SECONDS = 120


def schedule(root: Path, api: str) -> None:
    """Deploy what prefect.yaml says and work on it, until interrupted. api: address of the server.

    Raises: GemelError if there is no server and none can be started; CommandError if Prefect refuses something.
    """
    os.environ["PREFECT_API_URL"] = api
    with server(api):
        read_output([*PREFECT, "work-pool", "create", "--type", "process", "--overwrite", POOL], root)
        # One task that holds the accelerator at a time, whichever flow it is of.
        with contextlib.suppress(CommandError):
            read_output([*PREFECT, "concurrency-limit", "create", LIMIT, "1"], root)
        read_output([*PREFECT, "--no-prompt", "deploy", "--all"], root)
        sys.stdout.write(f"Scheduled; the page is {api.removesuffix('/api')}. Ctrl-C ends it.\n")
        sys.stdout.flush()
        with contextlib.suppress(KeyboardInterrupt):
            subprocess.run([*PREFECT, "worker", "start", "--pool", POOL], cwd=root, check=False)


@contextlib.contextmanager
def server(api: str) -> Iterator[None]:
    """A Prefect server at an address, started here if none answers there; such a one is ended on leaving.

    Raises: GemelError if there is no server and none can be started.
    """
    if _answers(api):
        yield
        return
    address = httpx.URL(api)
    if address.host not in ("127.0.0.1", "localhost"):
        raise GemelError(f"{api}: no Prefect server answers there; start it, or unset PREFECT_API_URL for a local one")
    command = [*PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(address.port or 80)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            _wait(api, process)
            yield
        finally:
            process.terminate()


def _wait(api: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not _answers(api):
        if process.poll() is not None or time.monotonic() > until:
            raise GemelError(f"{api}: the Prefect server did not start; `prefect server start` shows why")
        time.sleep(0.5)


def _answers(api: str) -> bool:
    try:
        return httpx.get(f"{api}/health", timeout=2).is_success
    except httpx.HTTPError:
        return False


def main() -> None:
    """Run the schedule from the command line."""
    with errors_in_a_sentence():
        schedule(ROOT, os.environ.get("PREFECT_API_URL") or LOCAL)


if __name__ == "__main__":
    main()
