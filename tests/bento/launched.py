"""A service in processes of its own, started as a user starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180.0


@dataclass(frozen=True)
class Launched:
    """A running service. url: of its root. log: all that it wrote so far."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def end(self) -> int:
        """Ask it to end, and wait until it has. Returns: its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def launched(folder: Path, release: Path, settings: Mapping[str, str], root: Path = ROOT) -> Iterator[Launched]:
    """Start `bentoml serve` and wait until it is ready; it is ended on leaving. folder: for its home and its log."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", folder / "service.log"
    environment = {**os.environ, "GEMEL_RELEASE": str(release), "BENTOML_HOME": str(folder / "bentoml"), **settings}
    command = [str(Path(sys.executable).parent / "bentoml"), "serve", "--port", str(port)]
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=root, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait(url, process, log)
        yield Launched(url, process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"it ended by itself:\n{log.read_text()[-2000:]}")
        try:
            if httpx.get(f"{url}/readyz", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"not ready after {PATIENCE:.0f} s:\n{log.read_text()[-2000:]}")
