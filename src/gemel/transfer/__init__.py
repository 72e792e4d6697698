"""Releases that travel: to and from a folder, an object store, the Hugging Face hub. What comes in is not trusted."""
