"""Work in forked processes."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.process import BaseProcess

FORK = multiprocessing.get_context("fork")


def forked(work: Callable[..., object], *arguments: object) -> BaseProcess:
    """A process, not started yet, that does some work; its exit status is 0 if that raised nothing.

    It has not Python's own end, which fails where other tests left Prefect's threads behind.
    """

    def run() -> None:
        work(*arguments)
        os._exit(0)

    return FORK.Process(target=run)
