"""gemel links mentions in image-text posts to the entities of a knowledge base by generating the entity's name."""
