"""URIs of entities and posts."""

import pytest

from gemel.core.errors import RequestError
from gemel.interchange.uris import check_base, entity_uri, post_uri


@pytest.mark.parametrize(
    ("entity_id", "uri"),
    [
        ("Q30055", "http://www.wikidata.org/entity/Q30055"),
        ("enwiki:São Paulo", "https://en.wikipedia.org/wiki/S%C3%A3o_Paulo"),
        ("Q0", "https://kb.org/entity/Q0"),
        ("kb:7 a/b", "https://kb.org/entity/kb%3A7%20a%2Fb"),
    ],
)
def test_entity_has_the_uri_of_its_knowledge_base_or_one_below_the_base(entity_id: str, uri: str) -> None:
    assert entity_uri(entity_id, "https://kb.org/") == uri


def test_id_of_a_post_is_quoted() -> None:
    assert post_uri("a#b ü", "urn:gemel:") == "urn:gemel:post/a%23b%20%C3%BC"


@pytest.mark.parametrize("base", ["kb", "https://a b/", "", "https://kb.org/#"])
def test_base_that_begins_no_uri_is_refused(base: str) -> None:
    with pytest.raises(RequestError, match=r"not the beginning of a URI; give one like https://example.org/kb/"):
        check_base(base)
