"""Import of knowledge bases: each format, what is refused, and that a data set is never left half changed."""

import bz2
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from source_files import contents
from tiny_dataset import POSTS, WriteDataset, mention, post

from gemel.core.errors import DataError, RequestError
from gemel.posts import source_lines
from gemel.posts.dataset import read_dataset
from gemel.posts.entities_import import REJECTED, EntitiesReport, import_entities

REAL = Path(__file__).parents[3] / "shared" / "data" / "entity_names"
NEEDS_REAL = pytest.mark.skipif(not REAL.is_dir(), reason=f"the real lists of names aren't at {REAL}")

JAGUAR = {
    "id": "Q35694",
    "label": "Jaguar",
    "description": "species of cat",
    "type": "taxon",
    "aliases": ["Panthera onca", "El Tigre"],
    "popularity": 140.0,
}
TABLE = """id,label,aliases,description,type,popularity,year
Q35694,Jaguar,"[""Panthera onca"", ""El Tigre""]",species of cat,taxon,140,
Q30055,Jaguar,Jaguar Cars|Jaguar Land Rover,"maker of cars, British",brand,90,1922
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "data" / "own"


def save(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def entities(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "entities.jsonl").read_text().splitlines()]


def rejected(folder: Path) -> list[tuple[int, str]]:
    rows = [json.loads(line) for line in (folder / REJECTED).read_text().splitlines()]
    return [(row["line"], row["reason"]) for row in rows]


def accounted(report: EntitiesReport) -> bool:
    return report.read == report.kept + report.filtered.total() + report.duplicates + report.rejected


def test_json_lines_are_the_projects_own_format(tmp_path: Path, target: Path) -> None:
    source = save(tmp_path / "own.jsonl", json.dumps(JAGUAR) + '\n\n{"id": "Q1", "name": "Universe"}')
    report = import_entities(source, target)
    assert (report.read, report.kept) == (2, 2)
    assert entities(target) == [JAGUAR, {"id": "Q1", "label": "Universe", "name": "Universe"}]
    again = target.with_name("again")
    import_entities(target / "entities.jsonl", again)
    assert contents(again)["entities.jsonl"] == contents(target)["entities.jsonl"]


def test_table_cells_become_lists_and_numbers(tmp_path: Path, target: Path) -> None:
    import_entities(save(tmp_path / "own.csv", TABLE), target)
    jaguar, cars = entities(target)
    assert jaguar == JAGUAR
    assert cars["aliases"] == ["Jaguar Cars", "Jaguar Land Rover"]
    assert (cars["description"], cars["year"]) == ("maker of cars, British", 1922)


def test_tab_separated_cells_keep_their_quotation_marks(tmp_path: Path, target: Path) -> None:
    import_entities(save(tmp_path / "own.tsv", 'id\tlabel\nQ1\t"Weird Al" Yankovic\n'), target)
    assert entities(target) == [{"id": "Q1", "label": '"Weird Al" Yankovic'}]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "tsv"])
def test_byte_order_mark_and_crlf_change_nothing(tmp_path: Path, target: Path, ending: str) -> None:
    plain = {"csv": TABLE, "jsonl": json.dumps(JAGUAR) + "\n", "tsv": "id\tlabel\n1\tÉa\n"}[ending]
    import_entities(save(tmp_path / f"own.{ending}", plain), target)
    first = entities(target)
    import_entities(save(tmp_path / f"own.{ending}", b"\xef\xbb\xbf" + plain.replace("\n", "\r\n").encode()), target)
    assert entities(target) == first


def test_line_breaks_stay_inside_quoted_cells_and_lines_are_counted(tmp_path: Path, target: Path) -> None:
    report = import_entities(save(tmp_path / "own.csv", 'id,label,description\n1,A,"one\ntwo"\n2,,none\n'), target)
    assert entities(target)[0]["description"] == "one\ntwo"
    assert report.first_rejected == ["line 4: no name: label, name, title are all empty"]


def test_rows_that_cannot_be_used_are_kept_with_their_reason(tmp_path: Path, target: Path) -> None:
    rows = ["id,label,popularity", "1,A,3", "2, ,", "1,B,", "3,C,many", "4,D", "5,E,-1", ",F,"]
    report = import_entities(save(tmp_path / "own.csv", "\n".join(rows)), target)
    assert (report.read, report.kept, report.duplicates, report.rejected) == (7, 1, 1, 5)
    reasons = dict(rejected(target))
    assert reasons[3].startswith("no name")
    assert reasons[4] == "duplicate id '1', first on line 2"
    assert 'popularity: Input should be a valid number, found "many"' in reasons[5]
    assert reasons[6] == "row: 2 cells, but the header has 3"
    assert "greater than or equal to 0" in reasons[7]
    assert reasons[8] == "id: Field required"
    assert accounted(report)


def test_rejected_rows_of_a_former_import_go(tmp_path: Path, target: Path) -> None:
    import_entities(save(tmp_path / "own.csv", "id,label\n1,A\n2,\n"), target)
    assert (target / REJECTED).exists()
    import_entities(save(tmp_path / "own.csv", "id,label\n1,A\n"), target)
    assert not (target / REJECTED).exists()


def test_equal_labels_are_no_fault(tmp_path: Path, target: Path) -> None:
    assert import_entities(save(tmp_path / "own.csv", TABLE), target).kept == 2


def test_titles_get_ids_with_a_prefix(tmp_path: Path, target: Path) -> None:
    source = save(tmp_path / "t.txt.gz", gzip.compress("Mercury (planet)\nÉa\n\nÉa\n".encode()))
    report = import_entities(source, target)
    assert (report.read, report.kept, report.duplicates) == (3, 2, 1)
    row = {"id": "enwiki:Éa", "label": "Éa", "title": "Éa", "language": "en"}
    assert entities(target)[1] == row
    import_entities(source, target, prefix="fr:")
    assert entities(target)[1] == {"id": "fr:Éa", "label": "Éa", "title": "Éa"}


def claims(**values: Any) -> dict[str, Any]:
    def claim(value: Any) -> dict[str, Any]:
        kept = {"id": value} if isinstance(value, str) else value
        return {"mainsnak": {"snaktype": "value", "datavalue": {"value": kept}}, "rank": "normal", "type": "statement"}

    return {key: [claim(value) for value in listed] for key, listed in values.items()}


def item(qid: str, label: str | None, links: int = 0, title: str | None = None, **rest: Any) -> dict[str, Any]:
    """An entity as Wikidata writes it, empty maps as empty lists."""
    pages = {f"x{number}wiki": {"site": f"x{number}wiki", "title": "x", "badges": []} for number in range(links)}
    pages |= {"enwiki": {"site": "enwiki", "title": title, "badges": []}} if title else {}
    labels = {"en": {"language": "en", "value": label}} if label else []
    empty: dict[str, Any] = {"descriptions": [], "aliases": [], "claims": []}
    return {"type": "item", "id": qid, "labels": labels, "sitelinks": pages or [], **empty, **rest}


DUMP = [
    item(
        "Q42",
        "Douglas Adams",
        3,
        "Douglas Adams",
        descriptions={"en": {"language": "en", "value": "English science fiction writer"}},
        aliases={"en": [{"language": "en", "value": "Douglas Noël Adams"}], "de": [{"language": "de", "value": "DNA"}]},
        claims=claims(P31=["Q5"], P569=[{"time": "+1952-03-11T00:00:00Z", "precision": 11}]),
    ),
    item(
        "Q1048", "Julius Caesar", 2, claims=claims(P31=["Q5"], P569=[{"time": "-0100-07-12T00:00:00Z", "precision": 9}])
    ),
    item("Q24", None, 1, claims=claims(P31=["Q5"]), labels={"mul": {"language": "mul", "value": "Jack Bauer"}}),
    item("Q30055", "Jaguar Cars", 4, claims=claims(P31=["Q786820"])),
    item("Q5", "human", 9, claims=claims(P31=["Q16889133"], P279=["Q154954"])),
    item("Q7", None, 1, claims=claims(P31=["Q5"])),
    {**item("P31", "instance of"), "type": "property"},
]


def dump_of(rows: list[Any]) -> str:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    return "[\n" + ",\n".join(lines) + "\n]\n"


def test_wikidata_dump_becomes_entities(tmp_path: Path, target: Path) -> None:
    report = import_entities(save(tmp_path / "latest-all.json.bz2", bz2.compress(dump_of(DUMP).encode())), target)
    assert (report.read, report.kept, report.unlabelled_types) == (7, 5, 2)
    assert report.filtered == {"no name in 'en'": 1, "no item (a property, lexeme, …)": 1}
    rows = {row["id"]: row for row in entities(target)}
    assert rows["Q42"] == {
        "id": "Q42",
        "label": "Douglas Adams",
        "description": "English science fiction writer",
        "type": "human",
        "aliases": ["Douglas Noël Adams"],
        "popularity": 4.0,
        "title": "Douglas Adams",
        "year": 1952,
        "language": "en",
    }
    assert (rows["Q1048"]["year"], rows["Q24"]["label"], rows["Q30055"]["type"]) == (-100, "Jack Bauer", None)


def test_dump_is_filtered_by_type_sitelinks_and_language(tmp_path: Path, target: Path) -> None:
    source = save(tmp_path / "d.json", dump_of(DUMP))
    report = import_entities(source, target, types=("Q5", "Q786820"), min_sitelinks=3)
    assert [row["id"] for row in entities(target)] == ["Q42", "Q30055"]
    assert report.filtered["fewer than 3 sitelinks"] == 3
    assert report.filtered["of another type"] == 1
    assert accounted(report)
    with pytest.raises(DataError, match=r"no entity is left \(read 7, filtered: no item .* 1, filtered: of another"):
        import_entities(source, target, types=("Q1",))


def test_other_language_takes_its_own_names(tmp_path: Path, target: Path) -> None:
    german = {"de": {"language": "de", "value": "Wien"}, "en": {"language": "en", "value": "Vienna"}}
    pages = {"dewiki": {"title": "Wien"}, "enwiki": {"title": "Vienna"}}
    rows = [item("Q1741", None, labels=german, sitelinks=pages)]
    import_entities(save(tmp_path / "d.json", dump_of(rows)), target, language="de")
    assert entities(target)[0]["title"] == entities(target)[0]["label"] == "Wien"


def test_deprecated_statements_do_not_count_and_preferred_ones_go_first(tmp_path: Path, target: Path) -> None:
    stated = claims(P31=["Q1", "Q2", "Q5"])
    stated["P31"][0]["rank"] = "deprecated"
    stated["P31"][2]["rank"] = "preferred"
    source = save(tmp_path / "d.json", dump_of([item("Q9", "Nine", claims=stated), DUMP[4]]))
    import_entities(source, target)
    assert entities(target)[0]["type"] == "human"
    with pytest.raises(DataError, match="no entity is left"):
        import_entities(source, target, types=("Q1",))


def test_odd_entities_of_a_dump_are_rejected_one_by_one(tmp_path: Path, target: Path) -> None:
    odd = {"type": "item", "id": "Q2", "labels": 1, "aliases": {"en": 2}, "claims": {"P31": [None, 3]}, "sitelinks": 4}
    rows = [DUMP[0], '{"id": "Q3", ', "[1]", odd, item("", "empty id"), DUMP[0]]
    report = import_entities(save(tmp_path / "d.json", dump_of(rows)), target)
    assert (report.kept, report.rejected, report.duplicates, report.filtered.total()) == (1, 3, 1, 1)
    assert [line for line, _ in rejected(target)] == [3, 4, 6, 7]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (json.dumps(DUMP), r'd.json line 1: expected "\[", then one entity a line'),
        (dump_of(DUMP)[:-2], r'd.json: ends without the closing "\]"; is it complete'),
        (dump_of(DUMP) + "{}", r"d.json line 10: found '\{\}' after the closing"),
    ],
)
def test_file_that_is_no_whole_dump_is_refused(tmp_path: Path, target: Path, content: str, words: str) -> None:
    with pytest.raises(DataError, match=words):
        import_entities(save(tmp_path / "d.json", content), target)
    assert not target.exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "a.csv",
            "id,label,qid,kind\n",
            r"line 1: unknown columns \['qid', 'kind'\]; the known ones are id, label, name",
        ),
        ("a.jsonl", '{"id": "1", "label": "A"}\n{"id": "2", "Label": "B"}\n', r"line 2: unknown columns \['Label'\]"),
        ("a.csv", "id,label,label\n", r"line 1: the columns \['label'\] occur more than once"),
        ("a.csv", "id,type\n1,x\n", "line 1: expected the columns id and label"),
        ("a.csv", 'id,label\n1,A\n2,"open\n3,C\n', r"a.csv line 3: broken table \(unexpected end of data\)"),
        ("a.csv", b"id,label\n1,A\n2,Caf\xe9\n", r"a.csv line 3: not UTF-8 text \(byte 0xe9 at place 6\); convert"),
        ("a.txt", b"A\nCaf\xe9\n", r"a.txt line 2: not UTF-8"),
        ("a.json", b'[\n{"id": "Q1", "x": "\xe9"}\n]', r"a.json line 2: not UTF-8"),
        ("a.txt.gz", gzip.compress(b"A\n" * 9)[:-9], r"a.txt.gz: can't be read beyond line"),
        ("a.json.bz2", b"[\n", r"a.json.bz2: can't be read beyond line 0"),
        ("a.jsonl", "\n", r"no entity is left \(it has no rows\)"),
        ("a.jsonl", "{\n", r"no entity is left \(read 1, rejected 1\); line 1: row: Invalid JSON"),
        ("a.csv", "", "line 1: expected the columns id and label"),
    ],
)
def test_bad_source_is_refused_naming_the_line(
    tmp_path: Path, target: Path, name: str, content: str | bytes, words: str
) -> None:
    with pytest.raises(DataError, match=words):
        import_entities(save(tmp_path / name, content), target)
    assert not target.exists()


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt", "a.json", "a.txt.gz"])
def test_overlong_line_is_refused_without_reading_it_all(
    tmp_path: Path, target: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_lines, "LONGEST_LINE", 1000)
    first = {"a.csv": "id,label\n", "a.json": "[\n", "a.jsonl": json.dumps(JAGUAR) + "\n"}.get(name, "A\n")
    content = (first + "x" * 200_000).encode()
    with pytest.raises(DataError, match=f"{name} line 2: longer than 1000 bytes"):
        import_entities(save(tmp_path / name, gzip.compress(content) if name.endswith("gz") else content), target)


def test_options_of_other_formats_are_refused(tmp_path: Path, target: Path) -> None:
    with pytest.raises(RequestError, match=r"own.csv: --type and --min-sitelinks are for a Wikidata dump, this is CSV"):
        import_entities(tmp_path / "own.csv", target, types=("Q5",))
    with pytest.raises(RequestError, match=r"own.csv: --prefix is for a list of titles"):
        import_entities(tmp_path / "own.csv", target, prefix="x")
    with pytest.raises(RequestError, match=r"own.xml: its ending says no known format; known are .jsonl"):
        import_entities(tmp_path / "own.xml", target)
    with pytest.raises(DataError, match=r"own.csv: no such file"):
        import_entities(tmp_path / "own.csv", target)


def test_second_import_gives_the_same_bytes(tmp_path: Path, target: Path) -> None:
    source, old = save(tmp_path / "d.json", dump_of(DUMP)), save(tmp_path / "old.tsv", "Q2\tQ3\nQ1\tQ2\n")
    import_entities(source, target, redirects=old)
    first = contents(target)
    import_entities(source, target, redirects=old)
    assert contents(target) == first
    assert sorted(first) == ["dataset.json", "entities.jsonl", "redirects.tsv"]
    assert [path.name for path in target.parent.iterdir()] == ["own"]


def test_posts_of_the_data_set_stay(tmp_path: Path, write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    before = contents(folder)
    import_entities(save(tmp_path / "own.csv", TABLE), folder)
    after = contents(folder)
    assert {name for name in before if before[name] != after[name]} == {"entities.jsonl", "dataset.json"}
    facts = json.loads((folder / "dataset.json").read_text())
    assert (facts["name"], facts["entities"], facts["knowledge_base"]["source"]) == ("tiny", 2, "own.csv")
    assert [entity.year for entity in read_dataset(folder).entities] == [None, 1922]


def test_failed_import_leaves_the_data_set_as_it_was(tmp_path: Path, write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    before = contents(folder)
    with pytest.raises(DataError, match="line 3"):
        import_entities(save(tmp_path / "own.csv", b"id,label\n1,A\n2,\xe9\n"), folder)
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]


def test_next_import_removes_what_a_killed_one_left(tmp_path: Path, target: Path) -> None:
    (target.parent / ".own.draft-1").mkdir(parents=True)
    target.mkdir()
    save(target.parent / ".own.draft-1" / "entities.jsonl", '{"id":')
    import_entities(save(tmp_path / "own.csv", TABLE), target)
    assert [path.name for path in target.parent.iterdir()] == ["own"]
    assert sorted(contents(target)) == ["dataset.json", "entities.jsonl"]


def test_folder_that_is_no_data_set_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    save(tmp_path / "thesis" / "thesis.txt", "years of work")
    with pytest.raises(DataError, match="exists and is no data set"):
        import_entities(save(tmp_path / "own.csv", TABLE), tmp_path / "thesis")


def test_redirects_are_followed_in_gold_ids_and_entities(tmp_path: Path, write_dataset: WriteDataset) -> None:
    merged = mention("m1", "Jaguar", "Q9"), mention("m2", "Jaguar", "Q30055"), mention("m3", "Jaguar", None)
    folder = write_dataset([post("p1", "The Jaguar", *merged)])
    old = save(tmp_path / "old.tsv", "Q9\tQ8\r\nQ8\tQ35694\r\nQ30055\tQ1\r\n")
    report = import_entities(save(tmp_path / "own.csv", TABLE), folder, redirects=old)
    assert (report.redirects, report.redirected) == (3, 1)
    assert (folder / "redirects.tsv").read_text() == "Q30055\tQ1\nQ8\tQ35694\nQ9\tQ35694\n"
    dataset = read_dataset(folder)
    assert dataset.mentions.select("entity_id", "in_kb").rows() == [("Q35694", True), ("Q1", True), (None, False)]
    assert dataset.redirected_mentions == 2
    assert [entity.entity_id for entity in dataset.entities] == ["Q35694", "Q1"]


def test_entity_whose_living_id_is_taken_is_rejected(write_dataset: WriteDataset) -> None:
    folder = write_dataset()
    save(folder / "redirects.tsv", "Q35694\tQ30055\n")
    dataset = read_dataset(folder)
    assert [entity.entity_id for entity in dataset.entities] == ["Q30055"]
    assert dataset.rejected["reason"][0] == "duplicate id 'Q30055', first on line 2, to which 'Q35694' redirects"
    assert dataset.redirected_mentions == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Q1\tQ2\nQ2\tQ3\nQ3\tQ1\n", r"redirects.tsv: redirects run in a circle, Q1 → Q2 → Q3 → Q1; remove one"),
        ("Q1\tQ1\n", "run in a circle, Q1 → Q1"),
        ("Q1 Q2\n", r"redirects.tsv line 1: expected an old and a living id with a tab between, found 'Q1 Q2\\n'"),
        ("Q1\t\n", "line 1: expected an old"),
        ("Q1\tQ2\n\nQ1\tQ3\n", "line 3: 'Q1' is redirected to 'Q3', but on line 1 to 'Q2'; keep one of the two"),
    ],
)
def test_broken_redirects_are_refused(write_dataset: WriteDataset, content: str, words: str) -> None:
    folder = write_dataset(POSTS)
    save(folder / "redirects.tsv", content)
    with pytest.raises(DataError, match=words):
        read_dataset(folder)


@NEEDS_REAL
@pytest.mark.parametrize(("name", "count"), [("wikipedia_titles", 205_218), ("person_names", 163_339)])
def test_real_lists_of_names_are_imported_without_loss(target: Path, name: str, count: int) -> None:
    report = import_entities(REAL / f"{name}.txt.gz", target)
    assert (report.read, report.kept + report.duplicates, report.rejected) == (count, count, 0)
    given = gzip.decompress((REAL / f"{name}.txt.gz").read_bytes()).decode().splitlines()
    assert [row["title"] for row in entities(target)] == list(dict.fromkeys(line.strip() for line in given))
