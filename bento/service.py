"""The HTTP service: `bentoml serve`.

curl -F text="Great shot of the Jaguar this morning" -F mention=Jaguar -F image=@jaguar.jpg localhost:3000/link
"""

from __future__ import annotations

import sys
from pathlib import Path

import bentoml
from bentoml.exceptions import BentoMLException

from bento.app import app
from bento.desk import Desk
from bento.guard import Guard
from bento.logs import write_log
from bento.memory import give_back_freed_memory
from bento.release_store import find_release
from bento.settings import read_settings
from gemel.core.errors import GemelError

ROOT = Path(__file__).resolve().parents[1]
SWITCH_SECONDS = 0.0005


# Loopback: whoever opens it to a network says so, with `--host`. The guard writes a line for each request itself.
# More requests may be open than mentions wait: so it is the service that refuses, with a sentence, and look-ups go on.
@bentoml.service(
    traffic={"timeout": 600, "max_concurrency": 1_024},
    http={"host": "127.0.0.1", "port": 3000},
    logging={"access": {"enabled": False}},
    workers=1,
)
@bentoml.asgi_app(app, path="/")
class Gemel:
    """Links mentions in image-text posts to the entities of a knowledge base."""

    @bentoml.on_deployment  # type: ignore[untyped-decorator]
    @staticmethod
    def check() -> None:
        """Before any worker starts: what can't be served is told once, and the release is imported once."""
        try:
            read_settings()
            find_release(ROOT)
        except GemelError as error:
            raise BentoMLException(str(error)) from None

    def __init__(self) -> None:
        write_log()
        give_back_freed_memory()
        # While the linker computes, each step of a request waits for its turn: as long as this, at Python's 5 ms.
        sys.setswitchinterval(SWITCH_SECONDS)
        app.state.desk = Desk(ROOT, read_settings())


Gemel.add_asgi_middleware(Guard, check_room=lambda: app.state.desk.check_room())  # type: ignore[attr-defined]
