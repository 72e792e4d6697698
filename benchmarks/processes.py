"""Work in a process of its own, and how much memory a process takes."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
Result = TypeVar("Result")


def alone(part: Callable[P, Result], *arguments: P.args, **named: P.kwargs) -> Result:
    """Run a function in a fresh process, so that its memory is its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(part, *arguments, **named).result()


def peak_bytes() -> int:
    """The most memory that this process has had, in bytes."""
    # Not `ru_maxrss`, which a child inherits from its parent.
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def resident_bytes() -> int:
    """Memory that this process has now, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
