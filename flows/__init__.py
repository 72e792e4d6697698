"""Prefect flows around the DVC pipeline. Importing this package sets Prefect up, where the environment doesn't.

Telemetry is off. Without a server Prefect starts one of its own, and on a busy machine that takes longer than it waits.
"""

import os

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")
