"""Ids, words and pictures are known again, and other posts are not taken for them."""

import html
import json

import numpy as np
import pytest

from gemel.forgetting.trace import REMOVED, Trace

QUOTED = 'She said "now", & we\nran <fast>'
TRACE = Trace(frozenset({"p7", "m7", "12"}), frozenset({QUOTED, "Hi"}), frozenset({"ab" * 32}))


@pytest.mark.parametrize(
    "value",
    [
        {"id": "p7"},
        {"mention_id": "m7", "entity_id": "Q1"},
        {"comment": "none", "text": QUOTED},
        {"row": {"id": "p7", "text": "cut"}, "reason": "why"},
        {"row": json.dumps({"id": "p7"})},
        [{"images": ["ab" * 32]}],
    ],
)
def test_value_that_holds_it(value: object) -> None:
    assert TRACE.in_value(value)


@pytest.mark.parametrize(
    "value", [{"id": "p70", "text": QUOTED}, {"entity": "p7"}, {"text": f"{QUOTED}!"}, {"count": 12}, {"row": "{torn"}]
)
def test_value_of_another(value: object) -> None:
    assert not TRACE.in_value(value)


def test_torn_line_is_looked_at_as_words() -> None:
    assert TRACE.in_line('{"id": "p7", "te')
    assert not TRACE.in_line('{"id": "p8", "te')


@pytest.mark.parametrize("write", [str, repr, json.dumps, html.escape, lambda text: html.escape(html.escape(text))])
def test_words_are_found_as_pages_write_them(write: object) -> None:
    page = f"<td>{write(QUOTED)}</td>"  # type: ignore[operator]
    assert "now" not in TRACE.quoted.sub(REMOVED, page)


@pytest.mark.parametrize(
    ("page", "left"),
    [
        ("p7 'x' p7", f"{REMOVED} 'x' {REMOVED}"),
        ("p70 up7 p7-a", "p70 up7 p7-a"),
        ('{"rows": 12, "id": "12"}', f'{{"rows": 12, "id": "{REMOVED}"}}'),
        ("Hi there, <b>Hi</b>", f"Hi there, <b>{REMOVED}</b>"),
    ],
)
def test_ids_and_short_words_are_no_part_of_others(page: str, left: str) -> None:
    assert TRACE.quoted.sub(REMOVED, page) == left


def test_words_that_a_page_cut_off_are_found() -> None:
    text = "word " * 60
    assert Trace(frozenset(), frozenset({text})).quoted.search(text[:119])


def test_vector_is_known_in_half_precision() -> None:
    vector = np.linspace(-2, 2, 9, dtype=np.float32)
    trace = Trace(frozenset(), frozenset(), vectors=(vector,))
    assert trace.in_vector(vector.astype(np.float16).tolist())
    assert not trace.in_vector((vector + 0.1).tolist())
    assert not trace.in_vector(None)


def test_nothing_asked_finds_nothing() -> None:
    assert Trace(frozenset(), frozenset()).quoted.search("anything at all") is None
