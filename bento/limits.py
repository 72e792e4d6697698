"""What a post may hold: the operator's limits, each refused with a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from bento.refusals import bad_request
from bento.settings import ServiceSettings
from gemel.core.schema import Mention
from gemel.posts.mentions import find_mention
from gemel.posts.rows import MentionLine
from gemel.wire import FeedbackRequest, LinkRequest


def check_link(wanted: LinkRequest, settings: ServiceSettings) -> None:
    """Hold a post to the limits.

    Raises: RefusedError that says which one it breaks.
    """
    check_text(wanted.text, settings)
    mentions = wanted.to_mentions()
    if wanted.mentions is not None and not mentions:
        raise bad_request("mentions: the list is empty; leave it out to have the mentions found in the text")
    check_count("mentions", len(mentions), settings.max_mentions, "of a post; send it in parts")
    for mention in mentions:
        check_mention(mention, wanted.text, settings)
    if wanted.top_k is not None:
        check_count("top_k", wanted.top_k, settings.max_top_k, "candidates")
    if wanted.image is not None and wanted.image_url is not None:
        raise bad_request("image and image_url: a post has one image; give one of the two")


def check_text(text: str, settings: ServiceSettings) -> None:
    """Raises: RefusedError if a text is empty, too long, or no Unicode."""
    if not text.strip():
        raise bad_request("text: is empty; give the sentence that the mention stands in")
    check_count("text", len(text), settings.max_text, "characters; send the part around the mention")
    if "\0" in text:
        raise bad_request(f"text: holds a NUL at character {text.index(chr(0))}, which no text has; leave it out")


def check_mention(mention: Mention, text: str, settings: ServiceSettings) -> None:
    """Raises: RefusedError if a mention is empty or too long, misplaced, or has too many candidates."""
    if not mention.text.strip() or "\0" in mention.text:
        raise bad_request("mention: is empty, or holds a NUL; say which string of the text to link")
    check_count("mention", len(mention.text), settings.max_mention, "characters; link a part of it")
    check_count("candidates", len(mention.candidates), settings.max_candidates, "of a mention")
    check_place(mention.text, mention.start, mention.end, text)


def check_feedback(given: FeedbackRequest, settings: ServiceSettings) -> None:
    """Raises: RefusedError if a correction is of no mention of its text, or a field is too long."""
    check_text(given.text, settings)
    check_mention(Mention(given.mention, given.start, given.end), given.text, settings)
    if given.mention not in given.text:
        raise bad_request(f"mention: {given.mention[:80]!r} is not in the text; give it as it is written there")
    check_count("comment", len(given.comment), settings.max_text, "characters")
    for name, entity_id in (("entity_id", given.entity_id), ("answered", given.answered)):
        check_count(name, len(entity_id or ""), settings.max_mention, "characters")


def check_place(mention: str, start: int | None, end: int | None, text: str) -> None:
    """Raises: RefusedError if offsets don't hold the mention."""
    try:
        find_mention(MentionLine(id="-", mention=mention, entity=None, start=start, end=end), text)
    except ValueError as error:
        raise bad_request(f"mention: {error}") from None


def check_count(what: str, found: int, most: int, words: str) -> None:
    """Raises: RefusedError if there are more than allowed."""
    if found > most:
        raise bad_request(f"{what}: {found}, more than the {most} allowed ({words})")


def check_batch(posts: Sequence[LinkRequest], settings: ServiceSettings) -> None:
    """Raises: RefusedError if a batch has too many posts or mentions."""
    check_count("posts", len(posts), settings.max_posts, "of a batch; send it in parts")
    mentions = sum(len(post.mentions or ()) for post in posts)
    check_count("mentions", mentions, settings.max_batch_mentions, "of a batch; send it in parts")


def check_room(weight: int, settings: ServiceSettings) -> None:
    """Raises: RefusedError if a batch takes more room than there is for all: it would find none later either."""
    words = "that may wait, each that is to be explained counting as four; send it in parts"
    check_count("posts", weight, settings.max_inside, f"mentions {words}")
