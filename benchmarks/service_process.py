"""A running service of one's own: `bentoml serve` in a process, with a home, a port and settings of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parents[1]
MIB = 1024 * 1024
START_S, STOP_S = 600.0, 30.0
WORKER = "_bentoml_impl.worker.service"


class Served:
    """A service that starts when it is made; `ready` waits for it.

    url: its address. log: the file of its standard output.
    """

    def __init__(self, folder: Path, release: Path, **settings: object) -> None:
        """folder: for its home, feedback and log. settings: those of bento.settings that are not the default."""
        folder.mkdir(parents=True)
        # BentoML makes a home's folders when it is the default one only.
        (folder / "bentoml" / "models").mkdir(parents=True)
        given = {"feedback_folder": folder / "feedback", "records_folder": folder / "records"} | settings
        self.port, self.log = free_port(), folder / "log"
        self.url = f"http://127.0.0.1:{self.port}"
        variables = {f"GEMEL_SERVICE_{name.upper()}": _written(value) for name, value in given.items()}
        variables |= {"BENTOML_HOME": str(folder / "bentoml"), "GEMEL_RELEASE": str(release)}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GEMEL_SERVICE_")}
        command = [sys.executable, "-m", "bentoml", "serve", "bento.service:Gemel", "--port", str(self.port)]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=kept | variables, stdout=log, stderr=log, start_new_session=True
            )

    def ready(self) -> Served:
        """Wait until it answers.

        Raises: RuntimeError with the end of its log if it ends, or does not answer in time.
        """
        end = time.monotonic() + START_S
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"{self.log}: the service does not answer\n{self.log.read_text()[-2_000:]}")
            time.sleep(0.05)
        return self

    def answers(self) -> bool:
        """Whether it says that it is ready."""
        try:
            return httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    def info(self) -> dict[str, Any]:
        """What it says of itself."""
        found: dict[str, Any] = httpx.get(f"{self.url}/info", timeout=60).json()
        return found

    def worker(self) -> psutil.Process:
        """The process that links. Raises: StopIteration while there is none."""
        children = psutil.Process(self._process.pid).children(recursive=True)
        return next(child for child in children if WORKER in " ".join(child.cmdline()))

    def resident_mib(self) -> float:
        """Memory of the worker, in MiB."""
        return float(self.worker().memory_info().rss) / MIB

    def events(self, name: str) -> list[dict[str, Any]]:
        """Lines of its log that say this."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        found = [json.loads(line) for line in lines if line.startswith('{"time"')]
        return [line for line in found if line["event"] == name]

    def terminate(self) -> None:
        """Ask it to end, and return at once."""
        self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it, and all that it started."""
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children(recursive=True)
            self.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_S)
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self._process.kill()
        self._process.wait()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _written(value: object) -> str:
    return json.dumps(value) if isinstance(value, (list, tuple, dict)) else str(value)
