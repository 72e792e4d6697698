"""The HTTP service. Importing it switches BentoML's telemetry off, unless it is set, and has taken ports said."""

import os

from bento.taken_port import say_taken_port

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
say_taken_port()
