"""What every package shares: the schema, the settings, artifacts on disk and the errors."""
