"""Differences between a catalog and a newer state of its knowledge base."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gemel.changes.edits import CatalogEditor
from gemel.changes.rows import entity_of
from gemel.core.errors import DataError
from gemel.core.schema import Entity
from gemel.entities.catalog import proposals
from gemel.posts.dataset import ENTITIES
from gemel.posts.entities_import import EntitiesReport, import_entities
from gemel.posts.rows import EntityLine, Rows, read_rows


@dataclass(frozen=True)
class SyncPlan:
    """What a newer state of the knowledge base would change.

    added, renamed: entities as the newer state has them. removed: ids. redirected: old id -> living id. own: how many
    entities it lacks that were added to the catalog by hand; these stay.
    """

    added: tuple[Entity, ...] = ()
    renamed: tuple[Entity, ...] = ()
    removed: tuple[str, ...] = ()
    redirected: Mapping[str, str] = field(default_factory=dict)
    own: int = 0

    def counts(self) -> dict[str, int]:
        """What would change, in the order to show it."""
        changed = {name: len(getattr(self, name)) for name in ("added", "renamed", "removed", "redirected")}
        return changed | {"kept, as they were added here": self.own}


def read_source(
    source: Path,
    *,
    prefix: str | None = None,
    types: tuple[str, ...] = (),
    min_sitelinks: int = 0,
    language: str | None = None,
) -> tuple[tuple[Entity, ...], EntitiesReport]:
    """Read entities in any format that `gemel import entities` takes; the options are its own.

    Returns: those that can be used, and what was counted.
    Raises: DataError or RequestError as import_entities.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "entities"
        report = import_entities(
            source, folder, prefix=prefix, types=types, min_sitelinks=min_sitelinks, language=language
        )
        lines = [line for _, line in read_rows(folder / ENTITIES, EntityLine, Rows(ENTITIES))]
    return tuple(entity_of(line) for line in lines), report


def read_all(source: Path, *, prefix: str | None = None) -> tuple[Entity, ...]:
    """Read entities as read_source does, but refuse a file of which a row can't be used."""
    entities, report = read_source(source, prefix=prefix)
    if report.first_rejected:
        unusable = report.rejected + report.duplicates
        raise DataError(f"{source} {report.first_rejected[0]} ({unusable} such rows); correct the file")
    return entities


def plan_sync(editor: CatalogEditor, newer: Iterable[Entity] | None, redirects: Mapping[str, str]) -> SyncPlan:
    """Compare the catalog with a newer state of its knowledge base.

    newer: all of its entities; None where only redirects are known. redirects: old id -> living id; those of ids that
    the catalog never had are left out.
    """
    catalog = editor.catalog
    merged = {old: to for old, to in redirects.items() if old in catalog and old not in catalog.redirects}
    if newer is None:
        return SyncPlan(redirected=merged)
    there = {redirects.get(entity.entity_id, entity.entity_id): entity for entity in newer}
    known = dict(zip(catalog.ids, catalog.table.select("name", "label").rows(), strict=True))
    added = tuple(entity for key, entity in there.items() if key not in known and key not in editor.changes)
    gone = [key for key in known if key not in there and key not in merged]
    own = {key for key in gone if (change := editor.changes.get(key)) is not None and change.added is not None}
    return SyncPlan(
        added=added,
        renamed=tuple(
            entity
            for key, entity in there.items()
            if key in known and _has_other_name(entity, *known[key], renamed_here=key in editor.changes)
        ),
        removed=tuple(key for key in gone if key not in own),
        redirected=merged,
        own=len(own),
    )


def apply_sync(editor: CatalogEditor, plan: SyncPlan, *, with_demonstrations: bool) -> int:
    """Make a plan's changes. Returns: how many demonstrations go.

    Raises: DataError or RequestError as the editor does.
    """
    lost = editor.remove(plan.removed, with_demonstrations=with_demonstrations) if plan.removed else 0
    former = {key: change.redirect for key, change in editor.changes.items() if change.redirect is not None}
    # What is merged goes first, so that its name is free for the entity that it is now.
    editor.remove(plan.redirected, with_demonstrations=True)
    if plan.added:
        taken = set(editor.catalog.names)
        # An explicit name that is taken must not stop thousands of others: its entity is told apart by its label.
        editor.add([replace(each, name="") if each.name in taken else each for each in plan.added], check_aliases=False)
    editor.redirect(former | dict(plan.redirected))
    editor.rename_freely(plan.renamed)
    return lost


def _has_other_name(newer: Entity, name: str, label: str, *, renamed_here: bool) -> bool:
    """Whether an entity's name or label is another now, and its present name none that these would give it."""
    changed = newer.label != (label or name) or (bool(newer.name) and not renamed_here)
    return changed and name not in proposals(newer)
