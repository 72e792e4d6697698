"""The command `gemel forget`: posts are removed wherever the project has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import err, out
from gemel.core.errors import ArtifactError, RequestError

if TYPE_CHECKING:
    from gemel.forgetting.forget import Done, Plan

ROOT = Path()


def forget(
    post: Annotated[list[str] | None, typer.Argument(help="ids of posts")] = None,
    image: Annotated[Path | None, typer.Option(help="an image: the posts that show it")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only show where they are and what would be done")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="don't ask")] = False,
    keep_history: Annotated[
        bool, typer.Option("--keep-history", help="leave old versions in DVC's cache and remote")
    ] = False,
    even_test: Annotated[bool, typer.Option("--even-test", help="also posts of the frozen test set")] = False,
) -> None:
    """Remove posts everywhere: data, features, demonstrations, logs, caches, releases.

    What can't be removed (git's history, a trained mapper) is told. A call that was cut off is finished by the same
    command; a second call changes nothing.
    """
    from gemel.forgetting.forget import carry_out, plan

    ids = _ids(post, image)
    what = plan(ROOT, ids, keep_history=keep_history, even_test=even_test)
    if what.is_done:
        out.print("Forgotten before; nothing is left to do.", highlight=False)
        return
    left = _left(what)
    _show(what, keep_history=keep_history)
    if dry_run:
        _say_left(left)
        out.print("Nothing was changed.")
        return
    if not yes and not typer.confirm("Remove all of this? It can't be brought back."):
        raise RequestError("not confirmed; nothing was changed")
    done = carry_out(ROOT, what)
    _check(what)
    _say(done, keep_history=keep_history)
    _say_left(left)
    if done.unreached:
        raise ArtifactError(
            f"the default remote still has old versions: {done.unreached}; run the same command again later"
        )


def _ids(post: list[str] | None, image: Path | None) -> list[str]:
    from gemel.core.artifacts import file_sha256
    from gemel.forgetting.finding import posts_showing

    if image is None:
        if not post:
            raise RequestError("give ids of posts, or --image with a picture that they show")
        return list(dict.fromkeys(post))
    if not image.is_file():
        raise RequestError(f"{image}: no such file; give the picture whose posts are to go")
    return list(dict.fromkeys([*(post or ()), *posts_showing(ROOT, file_sha256(image))]))


def _left(what: Plan) -> list[str]:
    """Asked before anything is removed: the words are known then."""
    from gemel.forgetting.left import left_behind

    return list(left_behind(ROOT, what.found)) if what.found.posts else []


def _show(what: Plan, *, keep_history: bool) -> None:
    table = Table("where", "held", "becomes", title=escape(f"What there is of {', '.join(what.ids)}"))
    for place in what.places:
        table.add_row(escape(place.where), str(place.held), place.what)
    if what.cached:
        table.add_row("DVC's cache", str(len(what.cached)), "deleted")
    if what.remote:
        table.add_row("DVC's default remote", str(len(what.remote)), "deleted")
    out.print(table)
    if keep_history:
        out.print("Old versions stay in DVC's cache and remotes, as --keep-history asks.", highlight=False)
    elif not what.found.posts:
        out.print("A call that was cut off is finished: the data are rid of them, old versions are left.")
    if what.unreached:
        err.print(f"[yellow]{escape(what.unreached)}[/]", highlight=False, soft_wrap=True)


def _check(what: Plan) -> None:
    """Look again. Raises: ArtifactError if something came in meanwhile."""
    from gemel.forgetting.forget import still_there

    if what.found.posts and (there := still_there(ROOT, what.found)):
        raise ArtifactError(
            f"{', '.join(there)}: written again meanwhile; stop what writes there and run the same again"
        )


def _say(done: Done, *, keep_history: bool) -> None:
    from gemel.forgetting.forget import stages_to_run

    said = (
        f"{done.rewritten} places are rid of it; {done.cached} objects of DVC's cache and {done.remote} of its remote"
    )
    out.print(f"{said} are deleted.", highlight=False, soft_wrap=True)
    if done.lost:
        _say_lost(done.lost)
    if stages := stages_to_run(ROOT):
        out.print(
            f"Now commit data.dvc, run `dvc repro` (it redoes {', '.join(stages)}) and `dvc push`, commit dvc.lock, "
            "promote the new release, and restart a service that is running.",
            highlight=False,
            soft_wrap=True,
        )
    if keep_history:
        out.print("Without --keep-history the same command deletes the old versions too.", highlight=False)


def _say_lost(commits: tuple[str, ...]) -> None:
    """A long history is not read; its ends are, and what was released from it."""
    tagged = [each for each in commits if "tag: " in each]
    shown = dict.fromkeys((commits[0], *tagged, commits[-1]))
    out.print(f"{len(commits)} commits can't be checked out whole any more, the newest, tagged and oldest:")
    for each in shown:
        out.print(escape(f"  {each}"), highlight=False, soft_wrap=True)


def _say_left(left: list[str]) -> None:
    from gemel.forgetting.left import NEVER_LOOKED_AT

    for sentence in (*left, NEVER_LOOKED_AT):
        out.print(escape(f"left: {sentence}"), highlight=False, soft_wrap=True)
