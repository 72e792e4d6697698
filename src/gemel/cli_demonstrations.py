"""The commands `gemel demonstrations …`: corrections that the linker shows from now on, without training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import out
from gemel.core.errors import RequestError
from gemel.core.schema import Mention, Post

if TYPE_CHECKING:
    from gemel.entities.catalog import Catalog

demonstrations = typer.Typer(no_args_is_help=True)


@demonstrations.callback()
def correct() -> None:
    """Correct the linker at once: solved mentions become demonstrations of the release, no training needed.

    They lie in data/changes/, no part of the data set: dev and test never meet them.
    """


@demonstrations.command()
def add(
    posts: Annotated[Path | None, typer.Argument(help="JSON lines of posts whose mentions have an entity")] = None,
    text: Annotated[str | None, typer.Option(help="the post's text")] = None,
    mention: Annotated[str | None, typer.Option(help="the string that was solved")] = None,
    entity: Annotated[str | None, typer.Option(help="id of its entity")] = None,
    image: Annotated[Path | None, typer.Option(help="the post's image")] = None,
) -> None:
    """Add corrections, one or a file of them, and build the release with them.

    All of a file are added or none. What is there already is told.
    """
    from gemel.changes.corrections import add_corrections, read_corrections, solve
    from gemel.living import changing

    given = _one(text, mention, entity, image) if posts is None else _of_file(posts, (text, mention, entity, image))
    new = solve(given, _catalog())
    known = {each.id for each in read_corrections(_folder())}
    if not {each.correction.id for each in new} <= known:
        with changing() as folder:
            known = set(add_corrections(folder, new).known)
    for id_ in dict.fromkeys(each.correction.id for each in new):
        out.print(f"{id_}: {'there already' if id_ in known else 'added'}", highlight=False)


@demonstrations.command()
def remove(ids: Annotated[list[str], typer.Argument(help="as `gemel demonstrations list` shows them")]) -> None:
    """Remove corrections; the release is byte for byte what it was without them."""
    from gemel.changes.corrections import remove_corrections
    from gemel.living import changing

    with changing() as folder:
        remove_corrections(folder, ids)
    out.print(f"{len(set(ids))} removed", highlight=False)


@demonstrations.command("list")
def list_all() -> None:
    """Show all corrections, the latest last."""
    from gemel.changes.corrections import read_corrections

    corrections, catalog = read_corrections(_folder()), _catalog()
    table = Table(title=escape(f"{len(corrections)} corrections in {_folder()}"))
    for column in ("id", "mention", "entity", "image", "text"):
        table.add_column(column, overflow="fold")
    for each in corrections:
        entity = each.mention.entity
        shown = (
            f"{entity} {catalog.entity(entity).name}" if entity in catalog else f"{entity}, no longer in the catalog"
        )
        cells = (each.id, each.mention.mention, shown, "yes" if each.image else "no", each.text)
        table.add_row(*map(escape, cells))
    out.print(table)


def _one(text: str | None, mention: str | None, entity: str | None, image: Path | None) -> list[Post]:
    if text is None or mention is None or entity is None:
        raise RequestError("give --text, --mention and --entity, or a JSON-lines file of posts")
    return [Post(text, (Mention(mention, entity_id=entity),), image)]


def _of_file(path: Path, others: Sequence[object]) -> list[Post]:
    from gemel.posts.requests import RefusedLine, read_requests

    if any(other is not None for other in others):
        raise RequestError("give either a file of posts, or --text, --mention and --entity, not both")
    posts = []
    for each in read_requests(path):
        if isinstance(each, RefusedLine):
            raise RequestError(f"{each.reason}; nothing was added")
        posts.append(each)
    if not posts:
        raise RequestError(f"{path}: it holds no posts; give one a line")
    return posts


def _catalog() -> Catalog:
    """Of the release, which knows changes of the entities."""
    from gemel.bundle import ENTITIES
    from gemel.core.artifacts import read_manifest
    from gemel.entities.catalog import Catalog
    from gemel.stages import RELEASE

    read_manifest(RELEASE, "release")
    return Catalog.read(RELEASE / ENTITIES)


def _folder() -> Path:
    from gemel.core.config import read_params
    from gemel.stages.dataset import changes_in_use

    return changes_in_use(read_params())
