"""What the linker's variants are called among predictions: by themselves, so that their readers load no model."""

FULL, BLIND, ALONE, CAPTIONED = "full", "without image", "without demonstrations", "gold caption"
# As if the post had no image; BLIND has no image anywhere, neither have its demonstrations.
IMAGELESS = "post without image"
# The linker by the LLM's scores alone, where its beams are re-scored.
UNRESCORED = "without entity images"
