"""The command `gemel accept`: a person says that a version of the data set is right as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import out

if TYPE_CHECKING:
    from gemel.posts.acceptance import Acceptance


def accept(
    reason: Annotated[str, typer.Option(help="why this version is right; kept in the accepted profile")],
) -> None:
    """Accept the data set as the last run of the stage posts found it; later versions are compared with it."""
    from gemel.core.config import read_params
    from gemel.posts.acceptance import accept as run
    from gemel.stages import POSTS
    from gemel.stages.dataset import dataset_in_use
    from gemel.stages.posts import ACCEPTED, FAILED

    _show(run(dataset_in_use(read_params()), (FAILED, POSTS), ACCEPTED, reason=reason))


def _show(accepted: Acceptance) -> None:
    title = f"{accepted.source}, compared with the version accepted before"
    table = Table("feature", "distance", "from → to", title=escape(title))
    for change in accepted.changes:
        distance = "" if change.distance is None else f"{change.distance:.3f}"
        table.add_row(escape(change.feature), distance, escape(change.moved))
    if accepted.former:
        out.print(table)
    else:
        counts = ", ".join(f"{rows} {name}" for name, rows in accepted.profile.counts.items())
        out.print(escape(f"{accepted.source}: the first accepted version, {counts}."), highlight=False)
    out.print(
        f"Written: {escape(str(accepted.target))}. Look at `git diff`, commit it, then `dvc repro`.", highlight=False
    )
