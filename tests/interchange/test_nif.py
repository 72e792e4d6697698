"""NIF, read back with pynif and held to the properties that NIF 2.0 asks for."""

import sys
from pathlib import Path

import pytest
from linked_posts import write_linked
from pynif import NIFCollection, NIFContext
from rdflib import Graph, namespace

from gemel.core.errors import RequestError
from gemel.interchange.export import ExportOptions, export_links
from gemel.interchange.formats import Format
from gemel.interchange.nif import CORE as NIF
from gemel.interchange.nif import ITS as ITSRDF
from gemel.interchange.nif import nif_turtle


@pytest.fixture
def turtle(tmp_path: Path) -> str:
    export_links(write_linked(tmp_path).read(), Format.NIF, tmp_path / "links.ttl", ExportOptions("https://kb.org/"))
    return (tmp_path / "links.ttl").read_text(encoding="utf-8")


@pytest.fixture
def contexts(turtle: str) -> dict[str, NIFContext]:
    """What pynif reads, by the text of the context."""
    return {context.mention: context for context in NIFCollection.loads(turtle, format="turtle").contexts}


def test_pynif_finds_each_post_with_its_links(contexts: dict[str, NIFContext]) -> None:
    found = {text: [phrase.taIdentRef for phrase in context.phrases] for text, context in contexts.items()}
    assert found["🐆 the Jaguar\nslept"] == ["http://www.wikidata.org/entity/Q30055"]
    assert found["Sampa"] == ["https://en.wikipedia.org/wiki/S%C3%A3o_Paulo"]
    assert found["On the river"] == []


def test_offsets_are_code_points(contexts: dict[str, NIFContext]) -> None:
    for text, context in contexts.items():
        assert (context.beginIndex, context.endIndex) == (0, len(text))
        for phrase in context.phrases:
            assert text[phrase.beginIndex : phrase.endIndex] == phrase.mention


def test_confidence_is_the_probability(contexts: dict[str, NIFContext]) -> None:
    (phrase,) = contexts["🐆 the Jaguar\nslept"].phrases
    assert (phrase.score, phrase.taIdentRefLabel) == (0.6, "Jaguar Cars")


def test_strings_have_what_nif_asks_for(turtle: str) -> None:
    graph = Graph().parse(data=turtle, format="turtle")
    contexts, phrases = (
        set(graph.subjects(namespace.RDF.type, NIF.Context)),
        set(graph.subjects(namespace.RDF.type, NIF.Phrase)),
    )
    assert (len(contexts), len(phrases), contexts & phrases) == (6, 3, set())
    for string in contexts | phrases:
        for index in (NIF.beginIndex, NIF.endIndex):
            (value,) = graph.objects(string, index)
            assert value.datatype == namespace.XSD.nonNegativeInteger
    assert all(list(graph.objects(context, NIF.isString)) for context in contexts)
    assert all(set(graph.objects(phrase, NIF.referenceContext)) <= contexts for phrase in phrases)
    assert all(len(list(graph.objects(phrase, ITSRDF.taIdentRef))) == 1 for phrase in phrases)


def test_many_posts_make_one_file_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linked = write_linked(tmp_path).read()
    whole = Graph().parse(data=nif_turtle(linked.posts, linked.mentions, "urn:x:"), format="turtle")
    monkeypatch.setattr("gemel.interchange.nif.AT_ONCE", 4)
    parts = Graph().parse(data=nif_turtle(linked.posts, linked.mentions, "urn:x:"), format="turtle")
    assert set(parts) == set(whole)


def test_uris_start_with_the_base(turtle: str) -> None:
    assert "https://kb.org/post/once#offset_6_12" in turtle
    assert "https://kb.org/post/once#char=0,18" in turtle


def test_without_rdflib_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rdflib", None)
    monkeypatch.delitem(sys.modules, "gemel.interchange.nif")
    with pytest.raises(RequestError, match=r"--format nif needs rdflib; run `pip install 'gemel\[nif\]'`"):
        export_links(write_linked(tmp_path).read(), Format.NIF, tmp_path / "links.ttl", ExportOptions())
