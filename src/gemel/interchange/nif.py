"""NIF 2.0, the NLP Interchange Format, as Turtle: a context for each post, a phrase for each link.

https://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core; offsets are code points. A context is named by
RFC 5147 (#char=0,35), a phrase by its offsets (#offset_4_10), so that one that is all of its text stays apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from rdflib import RDF, RDFS, XSD, Graph, Literal, Namespace, URIRef

from gemel.core.schema import Post
from gemel.interchange.rows import LinkedMention, Place
from gemel.interchange.uris import entity_uri, post_uri

CORE = Namespace("http://persistence.uni-leipzig.org/nlp2rdf/ontologies/nif-core#")
ITS = Namespace("http://www.w3.org/2005/11/its/rdf#")


# Posts in one graph, which takes about 20 kB for each; Turtle may state its prefixes again.
AT_ONCE = 500


def nif_turtle(posts: Sequence[Post], mentions: Iterable[LinkedMention], base: str) -> str:
    """The posts and their links that have a place; a link's confidence is its probability.

    base: what the URIs of posts, and of entities without one of their own, start with.
    """
    by_post = defaultdict(list)
    for each in mentions:
        by_post[each.post.post_id].append(each)
    parts = []
    for start in range(0, len(posts), AT_ONCE):
        graph = Graph()
        for prefix, namespace in (("nif", CORE), ("itsrdf", ITS)):
            graph.bind(prefix, namespace)
        for post in posts[start : start + AT_ONCE]:
            context = _add_context(graph, post, base)
            for each in by_post[post.post_id]:
                if each.place is not None:
                    _add_phrase(graph, each, each.place, context, base)
        parts.append(graph.serialize(format="turtle"))
    return "".join(parts)


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
