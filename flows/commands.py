"""Commands that a flow runs: their lines go to its log, and nothing of them outlives it."""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from gemel.core.errors import GemelError

LAST_LINES = 20
PATIENCE_SECONDS = 5.0
DVC = (sys.executable, "-m", "dvc")  # not with --quiet, which keeps what went wrong to itself
FAREWELL = "Having any troubles?"  # under each of DVC's errors, about none of them
Log = logging.Logger | logging.LoggerAdapter[logging.Logger]


class CommandError(GemelError):
    """A command failed. status: its exit status. tail: its last lines."""

    def __init__(self, message: str, status: int, tail: str) -> None:
        super().__init__(message)
        self.status, self.tail = status, tail


def run_logged(command: Sequence[str], root: Path, log: Log, env: Mapping[str, str] | None = None) -> None:
    """Run a command in a checkout, its lines going to a log as they come.

    env: added to this process's environment. On any error, a cancelled run for one, the command's whole family of
    processes is ended: a stage must not go on writing by itself.
    Raises: CommandError with the last lines if it fails.
    """
    tail: deque[str] = deque(maxlen=LAST_LINES)
    environment = environment_of(root) | dict(env or {})
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in _lines(process):
                log.info(line)
                tail.append(line)
        except BaseException:
            end_family(psutil.Process(process.pid))
            raise
    if process.returncode:
        last = _told(tail)
        named = " ".join(Path(command[0]).name if place == 0 else word for place, word in enumerate(command))
        raise CommandError(
            f"`{named}` failed with exit status {process.returncode}; its last lines:\n{last}",
            process.returncode,
            last,
        )


def read_output(command: Sequence[str], root: Path) -> str:
    """What a short command prints, without the spaces around it.

    Raises: CommandError with what it said if it fails.
    """
    done = subprocess.run(command, cwd=root, env=environment_of(root), capture_output=True, text=True, check=False)
    if done.returncode:
        said = _told((done.stderr or done.stdout).splitlines())
        raise CommandError(
            f"`{' '.join(command)}` failed with exit status {done.returncode}: {said}", done.returncode, said
        )
    return done.stdout.strip()


def environment_of(root: Path) -> dict[str, str]:
    """This process's environment for commands of a checkout: its own Python, activated or not, and that code."""
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    code = [str(root / "src"), str(root), os.environ.get("PYTHONPATH", "")]
    paths = {"PATH": os.pathsep.join(programs), "PYTHONPATH": os.pathsep.join(filter(None, code))}
    return {**os.environ, **paths, "PYTHONUNBUFFERED": "1"}


def end_family(process: psutil.Process) -> None:
    """End a process and all that it started."""
    try:
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for each in family:
        _quietly(each.terminate)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
    for each in alive:
        _quietly(each.kill)


def end_all_inside(folder: Path) -> tuple[int, ...]:
    """End every process that works in a folder: what a killed run left running. Returns: their ids."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder.resolve())
        except (psutil.Error, OSError):
            continue
        if inside and process.pid != os.getpid():
            found.append(process.pid)
            end_family(process)
    return tuple(found)


def _told(lines: Iterable[str]) -> str:
    return "\n".join(line for line in lines if line.strip() and not line.startswith(FAREWELL))


def _quietly(end: Callable[[], object]) -> None:
    try:
        end()
    except psutil.NoSuchProcess:
        return


def _lines(process: subprocess.Popen[bytes]) -> Iterator[str]:
    """The lines that a process writes; of a progress bar that redraws itself, the last state."""
    assert process.stdout is not None
    for line in io.TextIOWrapper(process.stdout, encoding="utf-8", errors="replace", newline="\n"):
        if shown := line.rstrip().rsplit("\r", 1)[-1].rstrip():
            yield shown
