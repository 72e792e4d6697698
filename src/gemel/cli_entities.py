"""The commands `gemel entities …`: the catalog of a release changes in seconds, without training."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from gemel.console import err, out, show_counts
from gemel.core.errors import RequestError

if TYPE_CHECKING:
    from gemel.changes.edits import CatalogEditor
    from gemel.core.schema import Entity

entities = typer.Typer(no_args_is_help=True)
Yes = Annotated[bool, typer.Option("--yes", help="go on though demonstrations go with the entities")]


@entities.callback()
def change_entities() -> None:
    """Add, remove, rename or merge entities. The release is built anew at once; nothing is trained or tokenized again.

    What was changed lies in data/changes/, and each later `dvc repro` makes the same of it.
    """


@entities.command("add")
def add_entities(
    source: Annotated[Path | None, typer.Argument(help="JSON lines, CSV, TSV of entities, or titles (.txt)")] = None,
    entity_id: Annotated[str | None, typer.Option("--id", help="of the one entity to add")] = None,
    name: Annotated[str, typer.Option(help="its unique name, which the LLM is to write")] = "",
    label: Annotated[str, typer.Option(help="its name as it is, to be told apart from equal ones")] = "",
    alias: Annotated[list[str] | None, typer.Option(help="another name; may be repeated")] = None,
    description: Annotated[str, typer.Option(help="a few words on what it is")] = "",
    entity_type: Annotated[str, typer.Option("--type", help="its type")] = "",
) -> None:
    """Add the entities of a file, or one."""
    from gemel.changes.sync import read_all
    from gemel.core.schema import Entity

    if (source is None) == (entity_id is None):
        raise RequestError("give either a file of entities, or --id with --label or --name")
    if source is not None:
        if name or label or alias or description or entity_type:
            raise RequestError("--name, --label and the others are for one entity with --id; a file has its own")
        given: tuple[Entity, ...] = read_all(source)
    else:
        about = {"description": description, "entity_type": entity_type, "aliases": tuple(alias or ())}
        given = (Entity(str(entity_id), name, label or name, **about),)  # type: ignore[arg-type]
    with _editing() as editor:
        named = editor.add(given)
    _show_named(named)


@entities.command("remove")
def remove_entities(
    entity_id: Annotated[list[str], typer.Argument(help="ids of the entities")],
    yes: Yes = False,
) -> None:
    """Remove entities, and the demonstrations that show them."""
    with _editing() as editor:
        lost = editor.remove(entity_id, with_demonstrations=yes)
    out.print(f"Removed: {len(set(entity_id))} entities, with them {lost} demonstrations.", highlight=False)


@entities.command("rename")
def rename_entity(
    entity_id: Annotated[str, typer.Argument(help="id of the entity, which stays")],
    name: Annotated[str, typer.Argument(help="its new name")],
) -> None:
    """Give an entity another name, also in the demonstrations that show it."""
    with _editing() as editor:
        editor.rename(entity_id, name)
        now = editor.catalog.entity(entity_id)
    out.print(escape(f"{now.entity_id} is named {now.name!r}."), highlight=False)


@entities.command("restore")
def restore_entities(entity_id: Annotated[list[str], typer.Argument(help="ids of changed entities")]) -> None:
    """Undo what was changed about entities: they are again as the data set has them."""
    with _editing() as editor:
        editor.restore(entity_id)
    out.print(f"Restored: {len(set(entity_id))} entities.", highlight=False)


@entities.command("list")
def list_entities(
    changed: Annotated[bool, typer.Option("--changed", help="only what was changed, and how")] = False,
    prefix: Annotated[str, typer.Option(help="only names that begin so")] = "",
) -> None:
    """Print entities, one a line: id, name, and with --changed what was done, with tabs between."""
    editor = _editor(_changes())
    if changed:
        for key, change in sorted(editor.changes.items()):
            shown = change.redirect or (editor.catalog.entity(key).name if key in editor.catalog else "")
            if shown.startswith(prefix):
                typer.echo(f"{key}\t{shown}\t{change.kind}")
    else:
        for key, name in zip(editor.catalog.ids, editor.catalog.names, strict=True):
            if name.startswith(prefix):
                typer.echo(f"{key}\t{name}")


@entities.command("sync")
def sync_entities(
    source: Annotated[
        Path | None,
        typer.Argument(help="newer state of the whole knowledge base, in a format of `gemel import entities`"),
    ] = None,
    redirects: Annotated[Path | None, typer.Option(help="merged ids, old<TAB>living on each line")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show what would change")] = False,
    yes: Yes = False,
    prefix: Annotated[str | None, typer.Option(help="titles: what goes before a title to make its id")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="dump: class to keep, e.g. Q5; repeatable")] = None,
    min_sitelinks: Annotated[int, typer.Option(min=0, help="dump: least number of pages about an entity")] = 0,
    language: Annotated[str | None, typer.Option(help="of the names; dump and titles: en")] = None,
) -> None:
    """Make the catalog what its knowledge base is now: entities added, renamed, removed, merged.

    What was added or renamed here by hand stays so. With --redirects alone, ids are merged and nothing else changes.
    """
    from gemel.changes.sync import apply_sync, plan_sync, read_source
    from gemel.posts.redirects import read_redirects

    if source is None and redirects is None:
        raise RequestError("give the newer state of the knowledge base, --redirects, or both")
    living = read_redirects(redirects) if redirects else {}
    newer = None
    if source is not None:
        newer, report = read_source(
            source, prefix=prefix, types=tuple(type_ or ()), min_sitelinks=min_sitelinks, language=language
        )
        for row in report.first_rejected:
            err.print(f"[yellow]{escape(f'{source} {row}')}[/]", highlight=False, soft_wrap=True)
    title = f"From {', '.join(str(path) for path in (source, redirects) if path)}"
    if dry_run:
        show_counts(f"{title}, not applied", plan_sync(_editor(_changes()), newer, living).counts())
        return
    with _editing() as editor:
        plan = plan_sync(editor, newer, living)
        lost = apply_sync(editor, plan, with_demonstrations=yes)
    show_counts(title, plan.counts() | {"demonstrations removed": lost})


def _changes() -> Path:
    from gemel.core.config import read_params
    from gemel.stages.dataset import changes_in_use

    return changes_in_use(read_params())


@contextlib.contextmanager
def _editing() -> Iterator[CatalogEditor]:
    """An editor of the changes; what it holds in the end becomes the release."""
    from gemel.changes.rows import write_entity_changes
    from gemel.living import changing

    with changing() as draft:
        editor = _editor(draft)
        yield editor
        write_entity_changes(draft, editor.changes.values())


def _editor(folder: Path) -> CatalogEditor:
    """An editor of the changes in a folder; those that no longer fit the data set are told."""
    from gemel.bundle import ENTITIES
    from gemel.changes.edits import CatalogEditor
    from gemel.changes.rows import read_entity_changes
    from gemel.entities.catalog import Catalog
    from gemel.stages import DEMONSTRATIONS, POSTS
    from gemel.tasks.linking.demonstrations import read_corpus

    shown = read_corpus(DEMONSTRATIONS)["entity_id"].value_counts()
    editor = CatalogEditor(Catalog.read(POSTS / ENTITIES), read_entity_changes(folder), dict(shown.iter_rows()))
    for entity_id, why in editor.unfit.items():
        err.print(f"[yellow]{escape(f'{entity_id}: {why}')}[/]", highlight=False, soft_wrap=True)
    return editor


def _show_named(named: tuple[Entity, ...]) -> None:
    out.print(f"Added: {len(named)} entities.", highlight=False)
    for entity in named:
        if entity.label != entity.name:
            out.print(escape(f"{entity.entity_id}: {entity.label!r} is named {entity.name!r}."), highlight=False)
