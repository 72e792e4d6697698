"""DVC stages: each reads its settings, calls the library and writes one artifact."""

from pathlib import Path

DATA = Path("data")
CHANGES = DATA / "changes"
START = DATA / "start"
PROGRESS = Path(".gemel")  # state of unfinished work; outside DVC's outs, which DVC deletes before a stage runs

POSTS = Path("artifacts/posts")
IMAGE_FEATURES = Path("artifacts/image_features")
DEMONSTRATIONS = Path("artifacts/demonstrations")
ENTITY_TRIE = Path("artifacts/entity_trie")
MAPPER = Path("artifacts/mapper")
CONFIDENCE = Path("artifacts/confidence")
EVALUATION = Path("artifacts/evaluation")
BASELINES = Path("artifacts/baselines")
RELEASE = Path("artifacts/release")

MAPPER_SUMMARY = MAPPER / "summary.json"
METRICS = EVALUATION / "metrics.json"
RESCORING = CONFIDENCE / "rescoring.json"
