"""What may come in: each rule catches its case, and the next one to it passes."""

from pathlib import Path
from typing import Any

import pytest
from intake_world import correction, drop, gathered, ids, lines_of, picture, row, say, settings, why, write_lines

from gemel.intake.batch import Batch
from gemel.intake.places import state_places
from gemel.intake.quarantine import decide
from gemel.intake.settings import CapSettings, SuspicionSettings
from gemel.intake.settling import remember

CALM = SuspicionSettings(known=100, most_alike=100)


def dropped(root: Path, *rows: dict[str, Any], images: dict[str, bytes] | None = None, **chosen: Any) -> Batch:
    drop(root, rows, images=images)
    return gathered(root, settings(**chosen))


def rules(batch: Batch) -> list[str]:
    return [rule for rule, _ in why(batch)]


def test_known_row_comes_in_once(root: Path) -> None:
    batch = dropped(root, row("p0", "A Jaguar slept", split="train"))
    assert (batch.is_empty, batch.counts) == (True, {"wire": {"known": 1}})


def test_known_content_under_another_id_comes_in_once(root: Path) -> None:
    batch = dropped(root, row("other", "A Jaguar slept"))
    assert batch.counts == {"wire": {"known": 1}}


def test_known_id_with_other_content_is_quarantined(root: Path) -> None:
    batch = dropped(root, row("p0", "A Jaguar woke"))
    assert why(batch) == [("id", "id 'p0': a post of other content has it; give this one another id")]


def test_known_row_with_another_image_is_another(root: Path) -> None:
    again = row("p7", "This Jaguar was seen", image="images/a.png")
    assert rules(dropped(root, again, images={"images/a.png": picture(21)})) == ["id"]


def test_taken_mention_id_is_quarantined(root: Path) -> None:
    new = row("n1", "A new Jaguar")
    new["mentions"][0]["id"] = "m-p0"
    assert why(dropped(root, new))[0][1].startswith("mention id 'm-p0': a mention of 'p0' has it")


@pytest.mark.parametrize("split", ["test", "dev"])
def test_frozen_sets_do_not_grow_by_themselves(root: Path, split: str) -> None:
    batch = dropped(root, row("n1", "A new Jaguar", split=split))
    assert rules(batch) == ["split"]
    assert len(batch.rejected) == 1


@pytest.mark.parametrize("text", ["A frozen Jaguar", "a  FROZEN Jaguar!", "The Jaguar of dev", "A ｆrozen Jaguar…"])
def test_text_of_a_frozen_post_never_comes_in(root: Path, text: str) -> None:
    say(root, correction(text))
    batch = dropped(root, row("n1", text))
    assert rules(batch) == ["leak", "leak"]
    assert len(batch.rejected) == 2


def test_another_text_than_a_frozen_one_comes_in(root: Path) -> None:
    assert ids(dropped(root, row("n1", "A frozen Jaguar thaws"))) == ["n1"]


def test_image_of_a_frozen_post_is_quarantined(root: Path) -> None:
    batch = dropped(root, row("n1", "A new Jaguar", image="a.png"), images={"a.png": picture(10)})
    assert why(batch) == [("picture", "its image is that of 'p8' in test")]


def test_unknown_entity_is_quarantined(root: Path) -> None:
    assert rules(dropped(root, row("n1", "A new Jaguar", "Q99"))) == ["entity"]


def test_entity_of_the_batch_comes_in_with_its_rows(root: Path) -> None:
    drop(root, [row("n1", "A new Jaguar", "Q99")], entities=[{"id": "Q99", "label": "Jaguar (band)"}])
    batch = gathered(root)
    assert (ids(batch), [each.id for each in batch.entities]) == (["n1"], ["Q99"])


def test_known_entity_with_other_facts_is_rejected(root: Path) -> None:
    drop(root, [row("n1", "A new Jaguar")], entities=[{"id": "Q1", "label": "Cat"}, {"id": "Q3", "label": "Paris"}])
    assert [reason for _, reason in why(gathered(root))] == [
        "'Q1' is 'Jaguar' already, with other facts; change it with `gemel entities`",
        "'Q3' is 'Paris' already, with other facts; change it with `gemel entities`",
    ]


def test_merged_entity_is_known_by_its_old_id(root: Path) -> None:
    (root / "data/tiny/redirects.tsv").write_text("Q77\tQ1\n")
    assert ids(dropped(root, row("n1", "A new Jaguar", "Q77"))) == ["n1"]


def test_entity_that_the_data_set_has_by_an_old_id_is_known_by_both(root: Path) -> None:
    (root / "data/tiny/redirects.tsv").write_text("Q1\tQ100\n")
    assert len(dropped(root, row("n1", "A new Jaguar", "Q1"), row("n2", "One more Jaguar", "Q100")).rows) == 2


def test_damaged_image_is_rejected(root: Path) -> None:
    batch = dropped(root, row("n1", "A new Jaguar", image="a.png"), images={"a.png": picture()[:40]})
    assert rules(batch) == ["image"]


def test_images_can_not_join_an_archive(root: Path) -> None:
    (root / "data/tiny/images.parquet").write_bytes(b"")
    batch = dropped(root, row("n1", "A new Jaguar", image="a.png"), images={"a.png": picture()})
    assert why(batch)[0][1].startswith("the images of the data set lie in an archive")


def test_broken_row_is_rejected_and_the_others_come_in(root: Path) -> None:
    broken = row("n2", "No cat")
    batch = dropped(root, row("n1", "A new Jaguar"), {"id": "n3"}, broken | {"mentions": [{"id": "m"}]})
    assert ids(batch) == ["n1"]
    assert [reason[:10] for _, reason in why(batch)] == ["mention 1:", "text: Fiel"]


def test_too_long_a_text_is_quarantined(root: Path) -> None:
    batch = dropped(root, row("n1", "A new Jaguar"), caps=CapSettings(share=1, text=5))
    assert rules(batch) == ["size"]


def test_rows_beyond_the_cap_wait(root: Path) -> None:
    rows = [row(f"n{number}", f"Jaguar number {number}") for number in range(5)]
    batch = dropped(root, *rows, caps=CapSettings(share=1, rows=2))
    assert ids(batch) == ["n0", "n1"]
    assert batch.waiting[0].reason.startswith("3 rows: no more than 2 rows of one source come in at a time")


def test_rows_wait_with_the_entities_that_they_name(root: Path) -> None:
    named = [{"id": f"Q9{number}", "label": f"Band {number}"} for number in range(2)]
    drop(root, [row(f"n{number}", f"Jaguar of {number}", f"Q9{number}") for number in range(2)], entities=named)
    batch = gathered(root, settings(CapSettings(share=1, entities=1)))
    assert (ids(batch), batch.counts) == (["n0"], {"wire": {"later": 2, "taken": 2}})


def test_source_has_no_more_than_its_share(root: Path) -> None:
    rows = [row(f"n{number}", f"Jaguar number {number}") for number in range(9)]
    # Five training mentions are there: five and three make eight, of which three are less than two fifths.
    assert len(dropped(root, *rows, caps=CapSettings(share=0.4)).rows) == 3


def test_mentions_of_one_entity_from_one_source_are_capped(root: Path) -> None:
    rows = [row(f"n{number}", f"Jaguar number {number}") for number in range(3)]
    batch = dropped(root, *rows, caps=CapSettings(share=1, per_entity=2))
    assert (ids(batch), rules(batch)) == (["n0", "n1"], ["per_entity"])


def test_share_of_new_posts_goes_to_dev(root: Path) -> None:
    rows = [row(f"n{number}", f"Jaguar number {number}") for number in range(40)]
    splits = [
        each.row["split"] for each in dropped(root, *rows, row("s", "Jaguar s", split="train"), dev_share=0.5).rows
    ]
    assert 8 < splits.count("dev") < 32
    assert splits[-1] == "train"


def test_text_that_went_to_dev_does_not_come_into_train(root: Path) -> None:
    say(root, correction("A new Jaguar"))
    batch = dropped(root, row("n1", "A new Jaguar"), dev_share=1)
    assert [(each.id, each.row["split"]) for each in batch.rows] == [("n1", "dev")]
    assert rules(batch) == ["leak"]


def test_row_that_went_to_dev_is_known_afterwards(root: Path) -> None:
    (new,) = dropped(root, row("n1", "A new Jaguar"), dev_share=1).rows
    path = root / "data/tiny/posts.jsonl"
    write_lines(path, [*lines_of(path), new.line_content])
    assert gathered(root).counts == {"wire": {"known": 1}}


def test_contradiction_of_the_same_text_is_quarantined(root: Path) -> None:
    say(root, correction("A Jaguar slept", "Q2"))
    assert why(gathered(root)) == [("contradiction", "'Jaguar' is Q2, but in 'p0' of the same text Q1")]


def test_contradiction_of_the_same_image_is_quarantined(root: Path) -> None:
    say(root, correction("Seen, a Jaguar", "Q2", image=picture(20)), image=picture(20))
    assert why(gathered(root)) == [("contradiction", "'Jaguar' is Q2, but in 'p7' of the same image Q1")]


def test_same_text_with_another_image_is_no_contradiction(root: Path) -> None:
    say(root, correction("This Jaguar was seen", "Q2", image=picture(30)), image=picture(30))
    assert len(gathered(root, settings(suspicion=CALM)).rows) == 1


def test_another_place_in_the_same_text_is_no_contradiction(root: Path) -> None:
    first = row("n1", "Jaguar and Jaguar", "Q1") | {
        "mentions": [
            {"id": "a", "mention": "Jaguar", "entity": "Q1", "start": 0, "end": 6},
            {"id": "b", "mention": "Jaguar", "entity": "Q2", "start": 11, "end": 17},
        ]
    }
    assert ids(dropped(root, first)) == ["n1"]


def test_burst_is_quarantined_and_slow_words_are_not(root: Path) -> None:
    quick = [correction(f"Jaguar number {number}", "Q2", at=number * 60) for number in range(5)]
    slow = [correction(f"{number} slow Jaguar", "Q1", at=number * 1000) for number in range(5)]
    say(root, *quick, *slow)
    batch = gathered(root, settings(suspicion=CALM))
    assert rules(batch) == ["burst"] * 5
    assert [each.row["mentions"][0]["entity"] for each in batch.rows] == ["Q1"] * 5


def test_burst_counts_words_that_were_taken_back(root: Path) -> None:
    said = [correction("A late Jaguar", entity, at=at) for at, entity in enumerate(["Q2", "Q1", "Q2", "Q1", "Q2"])]
    say(root, *said, correction("Two Jaguar", "Q2", at=9), correction("Three Jaguar", "Q2", at=10))
    assert rules(gathered(root, settings(suspicion=CALM))) == ["burst"] * 3


def test_type_that_the_string_never_had_is_quarantined(root: Path) -> None:
    say(root, correction("A Jaguar at dusk", "Q3"))
    ((rule, reason),) = why(gathered(root))
    assert rule == "type"
    assert "Q3 is of type 'city', but 'Jaguar' was animal, company in 6 known mentions" in reason


def test_type_of_an_entity_that_bears_the_name_passes(root: Path) -> None:
    path = root / "data/tiny/entities.jsonl"
    write_lines(path, [*lines_of(path), {"id": "Q5", "label": "SEPECAT Jaguar", "type": "aircraft"}])
    say(root, correction("A Jaguar at dusk", "Q5"))
    assert len(gathered(root).rows) == 1


def test_third_text_with_small_edits_is_quarantined(root: Path) -> None:
    texts = (
        "My Jaguar needs new brakes today",
        "My Jaguar needs new brakes today!!",
        "my Jaguar needed new brakes today",
    )
    say(root, *map(correction, texts))
    ((rule, reason),) = why(gathered(root))
    assert rule == "alike"
    assert reason.endswith("with small edits, for the same entity")


def test_rows_of_other_sources_are_not_watched(root: Path) -> None:
    rows = [row(f"n{number}", f"My Jaguar needs new brakes, {number}", "Q3") for number in range(4)]
    assert len(dropped(root, *rows).rows) == 4


def test_watched_source_is_watched(root: Path) -> None:
    batch = dropped(root, row("n1", "A new Jaguar", "Q3"), suspicion=SuspicionSettings(watched=("wire",)))
    assert rules(batch) == ["type"]


def sure_of(entity: str, *, right: bool) -> Any:
    """A linker that says one entity of new posts, and of known ones what they say, or something else."""
    known = {"A Jaguar slept": "Q1", "Her Jaguar broke down": "Q2", "The Jaguar of dev": "Q2"}

    def answers(posts: Any) -> list[str | None]:
        return [(known.get(post.text, "Q1") if right else None) if post.post_id[0] == "p" else entity for post in posts]

    return answers


def test_correction_against_a_sure_linker_is_quarantined(root: Path) -> None:
    say(root, correction("A Jaguar at dusk", "Q2"))
    ((rule, reason),) = why(gathered(root, sure_answers=sure_of("Q1", right=True)))
    assert rule == "sure"
    assert reason == "'Jaguar' is Q2, but the linker is sure of Q1, and right on all 6 known posts of it"


@pytest.mark.parametrize(("entity", "right"), [("Q2", True), ("Q1", False)])
def test_correction_that_a_linker_can_not_deny_comes_in(root: Path, entity: str, right: bool) -> None:
    say(root, correction("A Jaguar at dusk", "Q2"))
    assert len(gathered(root, sure_answers=sure_of(entity, right=right)).rows) == 1


def test_what_is_in_quarantine_is_not_found_again(root: Path) -> None:
    say(root, correction("A Jaguar slept", "Q2"))
    remember(gathered(root), root)
    batch = gathered(root)
    assert (batch.quarantined, batch.counts) == ((), {"feedback": {"held_back": 1}})


def released(root: Path, *lines: dict[str, Any]) -> Batch:
    say(root, *lines)
    first = gathered(root)
    remember(first, root)
    decide(state_places(root), "released", [each.candidate.key for each in first.quarantined])
    return gathered(root)


def test_released_row_comes_in(root: Path) -> None:
    assert len(released(root, correction("A Jaguar slept", "Q2")).rows) == 1


def test_release_does_not_make_an_entity_known(root: Path) -> None:
    batch = released(root, correction("A Jaguar slept late", "Q99"))
    assert (batch.is_empty, batch.counts) == (True, {"feedback": {"quarantined": 1}})


def test_released_correction_replaces_the_earlier_one(root: Path) -> None:
    path = root / "data/tiny/posts.jsonl"
    former = {key: correction("Such a Jaguar", "Q1")[key] for key in ("id", "text", "split", "mentions")}
    write_lines(path, [*lines_of(path), former | {"source": "feedback"}])
    assert released(root, correction("Such a Jaguar", "Q2")).replaced == (former["id"],)
