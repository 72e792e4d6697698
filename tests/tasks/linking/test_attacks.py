"""The posts of `benchmarks.adversarial`: they attack, and the question for them is one query still."""

import pytest
from characters import decode, encode

from benchmarks.attacks import IN_MENTION, IN_TEXT, KINDS, attacked
from gemel.core.schema import Mention, Post
from gemel.tasks.linking.prompt import query_segment

POST = Post("A Jaguar slept", (Mention("Jaguar", 2, 8, "Q30055"),))
ROOMY = 200_000


@pytest.mark.parametrize("kind", KINDS)
def test_attack_changes_the_post_and_keeps_its_mention_in_the_text(kind: str) -> None:
    post = attacked(POST, kind, "Jaguar Cars", "<end>")
    (mention,) = post.mentions
    assert post.text != POST.text
    assert mention.text in post.text
    assert (mention.start, mention.entity_id) == (None, "Q30055")


@pytest.mark.parametrize("kind", [*IN_TEXT, *IN_MENTION])
def test_query_under_attack_has_the_marks_of_one_query(kind: str) -> None:
    post = attacked(POST, kind, "Jaguar Cars", "<end>")
    words = decode(query_segment(post.text, post.mentions[0], None, encode, ROOMY).token_ids)
    assert [words.count(mark) for mark in ("[Text]", "[Question]", "[Answer]", "\n")] == [1, 1, 1, 2]
