"""What the flows share when they are run from the command line."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from gemel.core.errors import GemelError


@contextlib.contextmanager
def errors_in_a_sentence() -> Iterator[None]:
    """An error that is meant for people becomes one sentence and exit status 1."""
    try:
        yield
    except GemelError as error:
        sys.exit(f"error: {error}")
