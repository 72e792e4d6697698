"""NIF 2.0, the NLP Interchange Format, as Turtle: a context for each post, a phrase for each link.

https://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core; offsets are code points. A context is named by
RFC 5147 (#char=0,35), a phrase by its offsets (#offset_4_10), so that one that is all of its text stays apart.
"""

from __future__ import annotations

from collections.abc import Iterable

from rdflib import RDF, RDFS, XSD, Graph, Literal, Namespace, URIRef

from gemel.core.schema import Post
from gemel.interchange.rows import LinkedMention, Place
from gemel.interchange.uris import entity_uri, post_uri

CORE = Namespace("http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#")
ITS = Namespace("http://www.w3.org/2005/11/its/rdf#")


def nif_turtle(posts: Iterable[Post], mentions: Iterable[LinkedMention], base: str) -> str:
    """The posts and their links that have a place; a link's confidence is its candidate's share within the beam.

    base: what the URIs of posts, and of entities without one of their own, start with.
    """
    graph = Graph()
    for prefix, namespace in (("nif", CORE), ("itsrdf", ITS)):
        graph.bind(prefix, namespace)
    contexts = {post.post_id: _add_context(graph, post, base) for post in posts}
    for each in mentions:
        if each.place is not None:
            _add_phrase(graph, each, each.place, contexts[each.post.post_id], base)
    return graph.serialize(format="turtle")


def _add_context(graph: Graph, post: Post, base: str) -> URIRef:
    place = Place(0, len(post.text))
    context = URIRef(f"{post_uri(post.post_id, base)}#char={place.start},{place.end}")
    _add_string(graph, context, place, CORE.Context, CORE.RFC5147String)
    graph.add((context, CORE.isString, Literal(post.text)))
    return context


def _add_phrase(graph: Graph, each: LinkedMention, place: Place, context: URIRef, base: str) -> None:
    phrase = URIRef(f"{post_uri(each.post.post_id, base)}#offset_{place.start}_{place.end}")
    entity = URIRef(entity_uri(each.best.entity_id, base))
    _add_string(graph, phrase, place, CORE.Phrase, CORE.OffsetBasedString)
    graph.add((phrase, CORE.anchorOf, Literal(each.mention)))
    graph.add((phrase, CORE.referenceContext, context))
    graph.add((phrase, ITS.taIdentRef, entity))
    graph.add((phrase, ITS.taConfidence, Literal(each.best.probability, datatype=XSD.double)))
    graph.add((entity, RDFS.label, Literal(each.best.name)))


def _add_string(graph: Graph, string: URIRef, place: Place, *kinds: URIRef) -> None:
    """What each string has: its kinds and its place."""
    for kind in (CORE.String, *kinds):
        graph.add((string, RDF.type, kind))
    for index, value in ((CORE.beginIndex, place.start), (CORE.endIndex, place.end)):
        graph.add((string, index, Literal(value, datatype=XSD.nonNegativeInteger)))
