"""The prompt of entity linking: n demonstrations in ascending relevance, then the query.

Names are tokenized alone, everywhere: in demonstrations, targets and the trie. So a name has the same token ids in all
three, also with tokenizers (Llama's) that give other ids to a name that stands inside a sentence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from torch import Tensor

from gemel.llm.segments import Segment

Encode = Callable[[str], list[int]]
Prefix = Tensor | tuple[int, ...] | None


def question(text: str, mention: str) -> str:
    """The words of a query: text, question, and the mark after which the name is generated."""
    return f"[Text]{text}\n[Question]What does {mention} mentioned in the text refer to?\n[Answer]"


def query_segment(text: str, mention: str, prefix: Prefix, encode: Encode) -> Segment:
    """The last segment of a prompt: the mention to link."""
    return Segment(tuple(encode(question(text, mention))), prefix)


def demonstration_segment(text: str, mention: str, name: str, prefix: Prefix, encode: Encode) -> Segment:
    """A solved example: a query, the name of its entity, and a line break."""
    return Segment((*encode(question(text, mention)), *encode(name), *encode("\n")), prefix)


def build_prompt(demonstrations: Sequence[Segment], query: Segment, room: int) -> tuple[Segment, ...]:
    """Join a prompt: the demonstrations that fit, the most relevant one last, and the query.

    demonstrations: the most relevant first, as retrieval gives them. room: positions that the prompt may take; where
    they don't suffice, the least relevant demonstrations are left out. The query is never left out.
    """
    lengths = accumulate((segment.length for segment in demonstrations), initial=query.length)
    fitting = sum(length <= room for length in lengths) - 1
    return (*reversed(demonstrations[: max(0, fitting)]), query)
