"""Stage `entity_trie`: the names of the catalog as a packed trie of token ids."""

from __future__ import annotations

from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import BackboneSettings, TrieSettings
from gemel.entities.catalog import Catalog
from gemel.entities.spellings import readable, spellings_of
from gemel.entities.trie import write_trie
from gemel.entities.trie_build import build_trie
from gemel.llm.names import tokenize_names
from gemel.llm.tokens import load_tokenizer, tokenizer_fingerprint
from gemel.stages import ENTITY_TRIE, POSTS


def main() -> None:
    """Tokenize each name alone and pack the trie."""
    llm = load_section("backbone", BackboneSettings).llm
    read_manifest(POSTS, "posts")
    catalog = Catalog.read(POSTS / "entities.parquet")
    tokenizer = load_tokenizer(llm.model, llm.revision)
    every = spellings_of(catalog, aliases=load_section("entity_trie", TrieSettings).aliases)
    spellings, tokens = readable(every, tokenize_names(every.texts, tokenizer))
    trie = build_trie(tokens, spellings.owners)
    facts = {
        "tokenizer": tokenizer_fingerprint(tokenizer),
        "names": len(catalog),
        "names_sha256": catalog.names_sha256,
        "nodes": len(trie),
        **spellings.facts(),
    }
    with new_artifact(ENTITY_TRIE, "entity_trie", facts) as draft:
        write_trie(trie, draft)


if __name__ == "__main__":
    main()
