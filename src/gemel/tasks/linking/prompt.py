"""The prompt of entity linking: n demonstrations in ascending relevance (a setting reverses them), then the query.

It fits its LLM: the least relevant demonstrations are left out where there is no room for them, and a text that is too
long for the query alone is cut to a window around its mention.

Names are tokenized alone, everywhere: in demonstrations, targets and the trie. So a name has the same token ids in all
three, also with tokenizers (Llama's) that give other ids to a name that stands inside a sentence. A setting gives
demonstrations the ids of the whole sentence, as the published code does.

Texts come from strangers: what the prompt itself is made of is taken out of them (see plain).
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

from torch import Tensor

from gemel.core.errors import RequestError
from gemel.core.schema import Mention
from gemel.core.settings import Order, ShownNames
from gemel.llm.segments import Segment

Encode = Callable[[str], list[int]]
Prefix = Tensor | tuple[int, ...] | None
Shown = TypeVar("Shown")
# Characters. A run without white space that is longer, as in Chinese or in a URL, is cut inside.
LONGEST_WORD = 32
LONGEST_VALUE = 80
_MARK = re.compile(r"\[(Text|Question|Answer)\]", re.IGNORECASE)
# Control characters, among them line breaks, and Unicode's own line and paragraph ends.
_NO_WORDS = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")


@dataclass(frozen=True)
class QuerySegment(Segment):
    """The last segment of a prompt: the mention to link.

    kept_characters: how many of the text it shows, where the LLM has no room for more; None where it shows all.
    """

    kept_characters: int | None = None


Segments = tuple[*tuple[Segment, ...], QuerySegment]


def question(text: str, mention: str) -> str:
    """The words of a query: text, question, and the mark after which the name is generated."""
    return f"[Text]{text}\n[Question]What does {mention} mentioned in the text refer to?\n[Answer]"


def plain(text: str) -> str:
    """A text, or a mention, that can't pass for a part of the prompt: for an answer, a line or a whole demonstration.

    The brackets of the prompt's marks become round ones, each control character and line break a space; offsets stay
    true. A text without these is not changed.
    """
    return _MARK.sub(r"(\1)", text).translate(_NO_WORDS)


def query_segment(text: str, mention: Mention, prefix: Prefix, encode: Encode, room: int) -> QuerySegment:
    """Ask for a mention. room: positions that the segment may take.

    A text that is too long is cut to the widest window that fits, as far to the left of the mention as to the right or
    to the text's end. The mention is at its offset, else at its first occurrence, else at the text's beginning.
    Raises: RequestError if the question does not fit without any text either.
    """
    text, name = plain(text), plain(mention.text)
    whole = QuerySegment(tuple(encode(question(text, name))), prefix)
    if whole.length <= room:
        return whole
    start, end = _place(text, name, mention.start)

    def asked(more: int) -> QuerySegment:
        shown, kept = ("", 0) if more < 0 else _window(text, start, end, more)
        return QuerySegment(tuple(encode(question(shown, name))), prefix, kept)

    widest = bisect_left(range(len(text)), True, key=lambda more: asked(more).length > room) - 1
    segment = asked(widest)
    if segment.length > room:
        raise RequestError(
            f"the mention {mention.text[:LONGEST_VALUE]!r}: the question for it, without any text, takes "
            f"{segment.length} positions ({segment.length - len(segment.token_ids)} of them stand for the image), but "
            f"the LLM's context has room for {max(0, room)} beside the name; shorten the mention, or use an LLM with a "
            "longer context"
        )
    return segment


def demonstration_segment(
    text: str, mention: str, name: str, prefix: Prefix, encode: Encode, names: ShownNames = "alone"
) -> Segment:
    """A solved example: a query, the name of its entity, and a line break. names: see PromptSettings."""
    parts = (question(plain(text), plain(mention)), name, "\n")
    strings = ("".join(parts),) if names == "in_segment" else parts
    return Segment(tuple(token for string in strings for token in encode(string)), prefix)


def build_prompt(
    demonstrations: Sequence[Segment], query: QuerySegment, room: int, order: Order = "relevance"
) -> Segments:
    """Join a prompt: the demonstrations that fit, the most relevant one last, and the query.

    demonstrations: the most relevant first, as retrieval gives them. room: positions that the prompt may take; where
    they don't suffice, the least relevant demonstrations are left out. The query is never left out. order: "reverse":
    the most relevant one first.
    """
    lengths = accumulate((segment.length for segment in demonstrations), initial=query.length)
    fitting = sum(length <= room for length in lengths) - 1
    return (*in_order(demonstrations[: max(0, fitting)], order), query)


def in_order(shown: Sequence[Shown], order: Order) -> Sequence[Shown]:
    """What belongs to demonstrations, as they stand in a prompt. shown: of the most relevant first."""
    return shown if order == "reverse" else shown[::-1]


def _place(text: str, mention: str, start: int | None) -> tuple[int, int]:
    """Where the mention starts and ends in the text; (0, 0) if it isn't there. start: as it was given."""
    if start is None or not 0 <= start < len(text):
        start = text.find(mention)
    return (0, 0) if start < 0 else (start, min(len(text), start + len(mention)))


def _window(text: str, start: int, end: int, more: int) -> tuple[str, int]:
    """The text from start to end with so many characters more on each side, or fewer, to cut between two words.

    Returns: it with … where something was cut off, and how many characters of the text are in it.
    """
    first, last = max(0, start - more), min(len(text), end + more)
    if first > 0 and (space := re.search(r"\s", text[first - 1 : min(start, first + LONGEST_WORD)])):
        first += space.start()
    if last < len(text) and (space := re.search(r"\s\S*\Z", text[max(end, last - LONGEST_WORD) : last + 1])):
        last = max(end, last - LONGEST_WORD) + space.start()
    kept = text[first:last]
    kept = kept.lstrip() if first > 0 else kept
    kept = kept.rstrip() if last < len(text) else kept
    return f"{'… ' if first > 0 else ''}{kept}{' …' if last < len(text) else ''}", len(kept)
