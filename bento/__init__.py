"""The HTTP service. Importing this package switches BentoML's telemetry off, unless it is set."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
