"""A small catalog, and made-up answers of the service, as messages of gemel.wire."""

from __future__ import annotations

from gemel.wire import (
    FoundCandidate,
    FoundEntity,
    FoundExplanation,
    FoundLink,
    LinkRequest,
    ShownDemonstration,
    WantedMention,
)

MARKUP = "<img src=x onerror=document.title='broken'><b>Saab</b>"
NOBODY = "Kestrel"


def entity(entity_id: str, name: str, description: str, kind: str, url: str | None = None, *also: str) -> FoundEntity:
    """An entity of the played catalog."""
    return FoundEntity(
        entity_id=entity_id,
        name=name,
        label=name,
        description=description,
        type=kind,
        aliases=also,
        popularity=1.0,
        url=url,
    )


def wikidata(entity_id: str) -> str:
    """The page of an entity."""
    return f"http://www.wikidata.org/entity/{entity_id}"


CATALOG = (
    entity("Q30055", "Jaguar Cars", "British luxury car maker", "car", wikidata("Q30055"), "Jaguar Land Rover Jaguar"),
    entity("Q35694", "Jaguar", "spotted big cat of the Americas", "animal", wikidata("Q35694")),
    entity("Q272223", "Jacksonville Jaguars", "American football team from Florida", "team", wikidata("Q272223")),
    entity("Q308", "Mercury (planet)", "innermost planet of the Solar System", "planet", wikidata("Q308")),
    entity(
        "x:1", MARKUP, "<script>document.title='broken'</script>", "<i>car</i>", "javascript:document.title='broken'"
    ),
    entity("Q1", "جاكوار", "شركة سيارات بريطانية", "car", wikidata("Q1")),
    entity("long", "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 2, "w" * 200, "village"),
)
MEANT = {"Jaguar": 0, "Mercury": 3, "Saab": 4, "جاكوار": 5, "Llanfair": 6, NOBODY: 0}
DEMONSTRATIONS = (
    ShownDemonstration(text="Great shot of the Jaguar yesterday", mention="Jaguar", name="Jaguar Cars", image=True),
    ShownDemonstration(text=f"A Saab {MARKUP}", mention="Saab", name="Saab", image=False),
)


def found_in(text: str) -> tuple[WantedMention, ...]:
    """Known mention strings of a text."""
    places = sorted((text.index(mention), mention) for mention in MEANT if mention in text)
    return tuple(WantedMention(mention=mention, start=at, end=at + len(mention)) for at, mention in places)


def played_link(asked: LinkRequest, wanted: WantedMention) -> FoundLink:
    """The answer of one mention: less sure without an image, and then another candidate comes first."""
    first = CATALOG[MEANT.get(wanted.mention, 0)]
    others = [each for each in CATALOG[:4] if each is not first][:3]
    nil, seen = wanted.mention == NOBODY, asked.image is not None
    blind = (found(others[0], -0.29, 0.55), found(first, -0.34, 0.41), found(others[1], -2.6, 0.04))
    chances = (0.31, 0.02, 0.0, 0.0) if nil else (0.987, 0.001, 0.0, 0.0) if seen else (0.62, 0.24, 0.05, 0.01)
    candidates = tuple(found(each, -0.002 - place, chances[place]) for place, each in enumerate([first, *others]))
    why = FoundExplanation(
        without_image=blind,
        without_demonstrations=blind,
        demonstrations=DEMONSTRATIONS,
        blind_score=-0.34 if seen else None,
    )
    return FoundLink(
        mention=wanted.mention,
        start=wanted.start,
        end=wanted.end,
        entity_id=None if nil else first.entity_id,
        name=None if nil else first.name,
        candidates=candidates,
        nil=nil,
        nil_probability=round(1 - sum(chances), 3),
        sure=seen and not nil,
        image="read" if seen else "none",
        notes=(),
        explanation=why if asked.explain else None,
    )


def found(each: FoundEntity, score: float, probability: float) -> FoundCandidate:
    """An entity as a candidate."""
    return FoundCandidate(entity_id=each.entity_id, name=each.name, score=score, probability=probability)
