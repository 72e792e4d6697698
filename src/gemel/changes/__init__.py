"""Changes to a running release: kept beside the data sets, so that only the stage `release` runs again."""
