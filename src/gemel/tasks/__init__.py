"""One package per task. Each has the same files: prompt, demonstrations, targets, metrics."""
