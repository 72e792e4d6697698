"""The formats of exports, by name."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What links can be written as."""

    KILT = "kilt"
    NIF = "nif"
    ELEVANT = "elevant"
    LABEL_STUDIO = "label-studio"
    JSONL = "jsonl"


# The formats that hold a link by the place of its mention.
OF_PLACES = frozenset({Format.KILT, Format.NIF, Format.ELEVANT})
