"""The command line: `gemel import | accept | link | entities | demonstrations | export | audit | release | …`.

Libraries are imported inside the commands: `gemel --help` must not wait for torch.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table

from gemel.accept import accept
from gemel.cli_audit import audit
from gemel.cli_demonstrations import demonstrations
from gemel.cli_doctor import doctor
from gemel.cli_entities import entities
from gemel.cli_export import export
from gemel.cli_forget import forget
from gemel.cli_import import importer
from gemel.cli_intake import intake
from gemel.cli_release import release as releases
from gemel.cli_report import report
from gemel.console import bar_columns, err, out
from gemel.core.errors import GemelError, RequestError
from gemel.core.schema import Explanation, Link, Mention, Post
from gemel.stages import RELEASE

if TYPE_CHECKING:
    from gemel.posts.requests import RefusedLine
    from gemel.predictor import Linker

app = typer.Typer(no_args_is_help=True, help="Link mentions in image-text posts to the entities of a knowledge base.")
app.add_typer(importer, name="import")
app.add_typer(audit, name="audit")
app.add_typer(demonstrations, name="demonstrations")
app.add_typer(entities, name="entities")
app.add_typer(intake, name="intake")
app.add_typer(releases, name="release")
app.command()(accept)
app.command()(doctor)
app.command()(report)
app.command()(export)
app.command()(forget)


@app.command()
def link(
    posts: Annotated[Path | None, typer.Argument(help="JSON lines of posts; or give --text and --mention")] = None,
    text: Annotated[str | None, typer.Option(help="the post's text")] = None,
    mention: Annotated[str | None, typer.Option(help="the string to link")] = None,
    image: Annotated[Path | None, typer.Option(help="the post's image")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="write links.parquet or links.jsonl")] = None,
    candidate: Annotated[list[str] | None, typer.Option(help="id to choose among; may be repeated")] = None,
    entity_type: Annotated[str, typer.Option("--type", help="choose among entities of this type")] = "",
    mentions: Annotated[str, typer.Option(help="given; or found in the text: auto, spacy:MODEL")] = "given",
    top: Annotated[int | None, typer.Option(min=1, help="candidates wanted of each mention; fewer are faster")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="of one post: say why it was linked so")] = False,
    release: Annotated[Path, typer.Option(help="the release bundle")] = RELEASE,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
) -> None:
    """Link one post, or a file of posts.

    --candidate and --type hold for each mention of a file that states neither itself. --mentions auto finds the names
    of the catalog in posts that state no mentions; spacy:MODEL finds what a spaCy pipeline calls an entity.
    """
    from gemel.core.settings import RuntimeSettings
    from gemel.finding import make_finder, with_mentions, with_mentions_or_refused
    from gemel.links import check_format
    from gemel.posts.requests import read_requests
    from gemel.predictor import Linker

    choice = {"candidates": tuple(candidate or ()), "entity_type": entity_type}
    one = _single_post(posts, text, mention, image, found=mentions != "given")
    if one is None and to is None:
        raise RequestError("a file of posts needs --out links.parquet or --out links.jsonl")
    if one is not None and to is not None:
        raise RequestError("--out is for a file of posts; one post's link is printed")
    if to is not None and explain:
        raise RequestError("--explain is for one post; give --text and --mention, without --out")
    if to is not None:
        check_format(to)
    finder = make_finder(mentions, release)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        linker = Linker.load(release, device=RuntimeSettings(device).torch_device)
    for notice in caught:
        if notice.category is UserWarning:
            err.print(f"[yellow]{escape(str(notice.message))}[/]")
    if one is not None:
        one = one if finder is None else with_mentions(one, finder)
        _link_one(linker, _restricted(one, choice), top, explain=explain)
    elif posts is not None and to is not None:
        lines = read_requests(posts, unmentioned=finder is not None)
        whole = lines if finder is None else (with_mentions_or_refused(each, finder) for each in lines)
        requests = [_restricted(each, choice) if isinstance(each, Post) else each for each in whole]
        _link_file(linker, requests, to, top)


def main() -> None:
    """Run a command; an error that gemel raised on purpose becomes one sentence and exit status 1."""
    try:
        app()
    except GemelError as error:
        err.print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(1)


def _single_post(
    posts: Path | None, text: str | None, mention: str | None, image: Path | None, *, found: bool
) -> Post | None:
    """The post of the options; None where there is a file. found: whether mentions are found in the text."""
    if posts is not None:
        if text or mention or image:
            raise RequestError("give either a file of posts, or --text and --mention, not both")
        return None
    if mention and found:
        raise RequestError("give --mention, or let --mentions find them, not both")
    if not text or not (mention or found):
        raise RequestError(
            "give --text and --mention, or a JSON-lines file of posts; --mentions auto finds the mentions"
        )
    return Post(text, (Mention(mention),) if mention else (), image)


def _link_one(linker: Linker, post: Post, top: int | None, *, explain: bool) -> None:
    from gemel.links import NO_MENTION

    if not post.mentions:
        err.print(f"[yellow]{NO_MENTION}; nothing is linked[/]")
        return
    if not explain:
        for found in linker.link([post], top):
            _show(found)
        return
    for explanation in linker.explain(post, top):
        _show(explanation.link)
        _show_why(explanation)


def _show(found: Link) -> None:
    title = escape(f"{found.mention.text!r}, image {found.image}")
    table = Table("", "entity", "name", "score", "probability", title=title)
    if found.nil:
        table.add_row("", "NIL", "not in the catalog", "", f"{found.nil_probability:.3f}")
    for place, candidate in enumerate(found.candidates, 1):
        probability = f"{candidate.probability:.3f}"
        name = escape(candidate.name)
        table.add_row(str(place), escape(candidate.entity_id), name, f"{candidate.score:.3f}", probability)
    if not found.nil and found.nil_probability:
        table.add_row("", "NIL", "not in the catalog", "", f"{found.nil_probability:.3f}")
    out.print(table)
    for note in found.notes:
        err.print(f"[yellow]{escape(note)}[/]")


def _show_why(explanation: Explanation) -> None:
    best = explanation.link.best
    for words, candidates in (
        ("without the image", explanation.without_image),
        ("without demonstrations", explanation.without_demonstrations),
    ):
        other = candidates[0]
        same = "the same" if other.entity_id == best.entity_id else f"{other.name} ({other.entity_id})"
        out.print(f"{words}: {escape(same)}, score {other.score:.3f}", highlight=False)
    if explanation.image_moved is not None:
        out.print(
            f"the image moved the score of {escape(best.name)} by {explanation.image_moved:+.3f}, from "
            f"{explanation.blind_score:.3f} to {best.score:.3f}",
            highlight=False,
        )
    table = Table("demonstration", "mention", "entity", "image", title="Shown to the LLM, the most relevant first")
    for shown in explanation.demonstrations:
        table.add_row(escape(shown.text), escape(shown.mention), escape(shown.name), "yes" if shown.image else "no")
    out.print(table)


def _restricted(post: Post, choice: dict[str, Any]) -> Post:
    """The same post, its mentions to be chosen among less; those that state a choice keep theirs."""
    mentions = tuple(
        each if each.candidates or each.entity_type else dataclasses.replace(each, **choice) for each in post.mentions
    )
    return dataclasses.replace(post, mentions=mentions)


def _link_file(linker: Linker, requests: Sequence[Post | RefusedLine], to: Path, top: int | None) -> None:
    from gemel.links import link_rows, write_links

    rows_of: dict[int, list[dict[str, Any]]] = {}
    with Progress(*bar_columns("linking", "posts"), console=err) as progress:
        bar = progress.add_task("", total=len(requests))
        for place, found in link_rows(linker, requests, top):
            rows_of[place] = found
            progress.advance(bar)
    rows = [row for place in range(len(requests)) for row in rows_of[place]]
    write_links(rows, to)
    failed = sum(row["error"] is not None for row in rows)
    linked = sum(row["entity_id"] is not None for row in rows)
    nil = sum(bool(row["nil"]) for row in rows)
    unread = sum(str(row["image"]).startswith("unreadable") for row in rows)
    noted = sum(bool(row["notes"]) for row in rows)
    out.print(
        f"{escape(str(to))}: {linked} mentions linked, {nil} not in the catalog (NIL), "
        f"{failed} lines refused (see the column error), "
        f"{unread} with an unreadable image, {noted} with something to note (see the column notes)",
        highlight=False,
    )


if __name__ == "__main__":
    main()
