"""Whatever is dropped: rows are accounted for, the frozen sets stay, and a second look takes no row again."""

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from intake_world import correction, drop, gathered, lines_of, make_project, row, say, settings

from gemel.intake.applying import apply
from gemel.intake.lines import words_of
from gemel.intake.settings import CapSettings
from gemel.intake.settling import remember
from gemel.posts.dataset import read_dataset

TEXTS = st.sampled_from(
    ["A Jaguar slept", "a frozen jaguar Jaguar", "A frozen  Jaguar", "New Jaguar", "Old Jaguar", "Jaguar"]
)
ENTITIES = st.sampled_from(["Q1", "Q2", "Q3", "Q99", None])
ROWS = st.lists(
    st.builds(
        row,
        st.sampled_from(["p0", "p8", "n1", "n2", "n3", "n4"]),
        TEXTS,
        ENTITIES,
        split=st.sampled_from(["train", "dev", "test"]),
    ),
    max_size=8,
)
SAID = st.lists(st.builds(correction, TEXTS, ENTITIES, st.integers(0, 80_000)), max_size=6)


def frozen(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in lines if each["split"] != "train"]


@given(first=ROWS, second=ROWS, said=SAID, rows=st.integers(1, 9))
@hypothesis_settings(max_examples=40, deadline=None)
def test_rows_are_accounted_for_and_frozen_sets_stay(
    first: list[dict[str, Any]], second: list[dict[str, Any]], said: list[dict[str, Any]], rows: int
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = make_project(Path(place))
        for name, some in (("b1", first), ("b2", second)):
            drop(root, [*some, row(f"last-{name}", f"The last Jaguar of {name}")], batch=name)
        say(root, *said)
        before = lines_of(root / "data/tiny/posts.jsonl")
        chosen = settings(CapSettings(share=1, rows=rows))
        batch = gathered(root, chosen)
        words = {(each["text"], each["mentions"][0]["start"]) for each in said}
        assert sum(sum(found.values()) for found in batch.counts.values()) == len(first) + len(second) + 2 + len(words)
        apply(batch, root / "data/tiny")
        after = lines_of(root / "data/tiny/posts.jsonl")
        assert after[: len(before)] == before
        assert frozen(after) == frozen(before)
        assert not {words_of(each["text"]) for each in frozen(before)} & {
            words_of(each.row["text"]) for each in batch.rows
        }
        assert read_dataset(root / "data/tiny").rejected.is_empty()
        remember(batch, root)
        again = gathered(root, chosen)
        assert not {each.id for each in batch.rows} & {each.id for each in again.rows}
        # What was put off may contradict what came in meanwhile.
        assert batch.waiting or (again.quarantined, again.rejected) == ((), ())
