"""A tokenizer that tests can read: one token a character, its code point."""

from collections.abc import Iterable


def encode(text: str) -> list[int]:
    return [ord(character) for character in text]


def decode(token_ids: Iterable[int]) -> str:
    return "".join(map(chr, token_ids))
