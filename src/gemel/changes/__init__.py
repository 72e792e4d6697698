"""Changes to a release without training: entities that come, go, or get another name."""
