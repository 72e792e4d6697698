"""The service's log: one JSON object a line, on the standard output."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

LOGGER = "gemel.service"


class _Lines(logging.Formatter):
    """A record as JSON: time, level, what is said, and the facts that were given as `extra={"facts": …}`."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def write_log() -> None:
    """Have the log written. A second call changes nothing."""
    log = logging.getLogger(LOGGER)
    if log.handlers:
        return
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines())
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False
