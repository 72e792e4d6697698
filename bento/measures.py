"""What Prometheus is told beside BentoML's own measures: `GET /metrics`."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

from bento.batcher import Timed
from bento.engine import Linked

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

links = Counter("gemel_links", "Mentions linked", ["answer", "image"])
waited = Histogram("gemel_waited_seconds", "From a question to the beginning of its batch", buckets=SECONDS)
worked = Histogram("gemel_batch_seconds", "Linking a batch", buckets=SECONDS)
together = Histogram("gemel_batch_mentions", "Mentions of a batch", buckets=(1, 2, 4, 8, 16, 32, 64, 128))
lost = Gauge("gemel_records_lost", "Rows of the records that could not be written", multiprocess_mode="livesum")
releases = Counter("gemel_releases", "Other releases that were found", ["outcome"])


def count(timed: Timed[Linked]) -> None:
    """Count the links of a post."""
    for link in timed.answer.links:
        answer = "nil" if link.nil else "sure" if link.sure else "unsure"
        links.labels(answer, "read" if link.image == "read" else "none").inc()
    waited.observe(timed.waited)
    worked.observe(timed.worked)
    together.observe(timed.together)
