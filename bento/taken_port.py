"""A port that is in use already, said in a sentence: BentoML lets the error through with its traceback."""

from __future__ import annotations

import errno
import sys
from types import TracebackType


def say_taken_port() -> None:
    """From now on, end on a taken port with a sentence in place of a traceback; other errors end as before."""
    before = sys.excepthook

    def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            sys.stderr.write(
                "error: the port is in use already, perhaps by another `bentoml serve`; stop that one, or serve on "
                "another port with `bentoml serve --port 3001`\n"
            )
        else:
            before(kind, error, trace)

    sys.excepthook = say
