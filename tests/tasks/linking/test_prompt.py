"""The words of a prompt and their order."""

import pytest
import torch
from characters import decode, encode

from gemel.llm.segments import Segment
from gemel.tasks.linking.prompt import build_prompt, demonstration_segment, query_segment, question

ASKED = "[Text]A Jaguar slept\n[Question]What does Jaguar mentioned in the text refer to?\n[Answer]"


def test_question_has_the_papers_words() -> None:
    assert question("A Jaguar slept", "Jaguar") == ASKED


def test_query_ends_where_the_name_begins() -> None:
    segment = query_segment("A Jaguar slept", "Jaguar", None, encode)
    assert decode(segment.token_ids) == ASKED
    assert segment.prefix is None


def test_demonstration_goes_on_with_the_name_and_a_line_break() -> None:
    segment = demonstration_segment("A Jaguar slept", "Jaguar", "Jaguar (animal)", None, encode)
    assert decode(segment.token_ids) == f"{ASKED}Jaguar (animal)\n"


def test_name_is_encoded_apart_from_the_question() -> None:
    parts: list[str] = []

    def noting(text: str) -> list[int]:
        parts.append(text)
        return encode(text)

    demonstration_segment("A Jaguar slept", "Jaguar", "Jaguar (animal)", None, noting)
    assert parts == [ASKED, "Jaguar (animal)", "\n"]


def test_prefix_is_kept_as_given() -> None:
    soft = torch.zeros(2, 4)
    assert query_segment("text", "it", soft, encode).prefix is soft
    assert demonstration_segment("text", "it", "name", (1, 2), encode).prefix == (1, 2)


def test_most_relevant_demonstration_stands_next_to_the_query() -> None:
    best, second, query = Segment((1,)), Segment((2,)), Segment((3,))
    assert build_prompt([best, second], query, room=3) == (second, best, query)


def test_prompt_without_demonstrations_is_the_query() -> None:
    assert build_prompt([], Segment((3,)), room=1) == (Segment((3,)),)


@pytest.mark.parametrize(("room", "kept"), [(9, 3), (8, 2), (6, 2), (5, 1), (3, 1), (2, 0), (1, 0)])
def test_least_relevant_demonstrations_are_left_out_where_there_is_no_room(room: int, kept: int) -> None:
    best, second, third = Segment((1,), (7,)), Segment((2,), torch.zeros(2, 4)), Segment((3, 3, 3))
    query = Segment((4,))
    assert build_prompt([best, second, third], query, room) == (*[third, second, best][3 - kept :], query)
