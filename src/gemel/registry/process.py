"""Which process this is, and whether another one still runs: told without a clock."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import psutil

_STAT = "/proc/{}/stat"
# Fields of /proc/PID/stat behind the name, which may hold blanks: the state, and the start in ticks since boot.
_STATE, _START = 0, 19


def host_name() -> str:
    """This machine's name, for people and to tell machines apart."""
    return socket.gethostname()


def boot_name() -> str:
    """What tells this boot of the machine, and this container on it, from any other; empty where that isn't known."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def start_of(pid: int) -> str | None:
    """What tells a process from a later one of the same number; None if there is none, or it is but to be reaped."""
    if not Path("/proc/self/stat").exists():
        return _start_elsewhere(pid)
    try:
        fields = Path(_STAT.format(pid)).read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[_STATE] in "ZX" else fields[_START]


def own_start() -> str:
    """That of this process."""
    return start_of(os.getpid()) or ""


def _start_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None
