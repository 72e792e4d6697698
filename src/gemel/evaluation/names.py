"""What the linker's variants are called among predictions: by themselves, so that their readers load no model."""

FULL, BLIND, ALONE, CAPTIONED = "full", "without image", "without demonstrations", "gold caption"
