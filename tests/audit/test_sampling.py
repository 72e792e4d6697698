"""A sample is uniform, can be drawn again, and its record can't be changed unnoticed."""

import json
from collections import Counter
from pathlib import Path

import pytest
from audit.sampled import draw, sample_in
from linked_posts import many, write_linked

from gemel.audit.files import SAMPLE
from gemel.audit.sampling import check_frame, draw_links, read_sample
from gemel.core.artifacts import file_sha256
from gemel.core.errors import DataError, RequestError


def test_every_link_is_as_likely_as_any_other(tmp_path: Path) -> None:
    linked = write_linked(tmp_path, many(10)).read()
    drawn = Counter(each.row for seed in range(2000) for each in draw_links(linked, 3, seed))
    assert set(drawn) == set(range(10))
    # Standard deviation of a binomial of 2000 draws at 0.3: 20.5.
    assert all(abs(count - 600) < 4.5 * 20.5 for count in drawn.values())


def test_no_link_is_drawn_twice(tmp_path: Path) -> None:
    linked = write_linked(tmp_path, many(10)).read()
    assert sorted(each.row for each in draw_links(linked, 10, 1)) == list(range(10))


def test_seed_decides_what_is_drawn(tmp_path: Path) -> None:
    linked = write_linked(tmp_path, many(50)).read()
    assert draw_links(linked, 5, 1) == draw_links(linked, 5, 1) != draw_links(linked, 5, 2)


def test_more_than_there_are_is_refused(tmp_path: Path) -> None:
    linked = write_linked(tmp_path, many(4)).read()
    with pytest.raises(RequestError, match="--count 5: the file has 4 links; give --count 4 or fewer"):
        draw_links(linked, 5, 0)


def test_record_says_what_was_drawn_from(tmp_path: Path) -> None:
    sample = sample_in(draw(tmp_path, 2))
    frame = sample.frame
    assert (frame.links, frame.size, frame.refused, sample.seed, len(sample.items)) == ("links.parquet", 6, 1, 0, 2)
    assert frame.links_sha256 == file_sha256(tmp_path / "links.parquet")
    assert frame.posts_sha256 == file_sha256(tmp_path / "posts.jsonl")


def test_items_say_what_slices_need(tmp_path: Path) -> None:
    items = {item.post_id: item for item in sample_in(draw(tmp_path, 6, types={"Q30055": "car maker"})).items}
    assert (items["once"].image, items["once"].mention_is_name, items["once"].entity_type) == (
        "read",
        False,
        "car maker",
    )
    assert (items["offsets"].image, items["offsets"].mention_is_name, items["offsets"].entity_type) == (
        "none",
        True,
        "",
    )
    assert items["once"].probability == 0.6


def test_another_draw_has_another_id(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    one, other = (sample_in(draw(tmp_path / name, 3, seed=seed)) for name, seed in (("a", 0), ("b", 1)))
    assert one.sample != other.sample
    assert not {item.item for item in one.items} & {item.item for item in other.items}


@pytest.mark.parametrize(
    ("old", "new"), [('"size": 6', '"size": 600'), ('"seed": 0', '"seed": 4'), ("Q35694", "Q30055"), ("-1", "-9")]
)
def test_changed_record_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = draw(tmp_path, 6) / SAMPLE
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(
        DataError, match=r"sample.json: was changed after sample 's\w+' was drawn; give the sample.json"
    ):
        read_sample(path)


def test_record_without_an_item_is_refused(tmp_path: Path) -> None:
    path = draw(tmp_path, 6) / SAMPLE
    facts = json.loads(path.read_text())
    path.write_text(json.dumps(facts | {"items": facts["items"][1:]}))
    with pytest.raises(DataError, match="was changed"):
        read_sample(path)


@pytest.mark.parametrize(("content", "words"), [("", "the file: "), ("{}", "sample: "), ('{"sample": 1}', "sample: ")])
def test_other_files_are_no_record(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=rf"x.json: no record of a sample \({words}.*give the sample.json"):
        read_sample(tmp_path / "x.json")


def test_record_of_another_format_is_refused(tmp_path: Path) -> None:
    path = draw(tmp_path, 2) / SAMPLE
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(DataError, match="expected format 1, found 2; draw the sample with this version"):
        read_sample(path)


def test_missing_record_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no.json: no such file; give the sample.json that `gemel audit sample` wrote"):
        read_sample(tmp_path / "no.json")


def test_sample_of_other_links_is_refused(tmp_path: Path) -> None:
    sample = sample_in(draw(tmp_path, 2))
    check_frame(sample, tmp_path / "links.parquet")
    (tmp_path / "links.parquet").write_bytes(b"other")
    with pytest.raises(DataError, match=r"but sample s\w+ was drawn from links.parquet with \w+…; draw a sample of"):
        check_frame(sample, tmp_path / "links.parquet")
    with pytest.raises(DataError, match="no such file; give the links that the sample was drawn from"):
        check_frame(sample, tmp_path / "no.parquet")
