"""The command line: `gemel import | link | report`.

Libraries are imported inside the commands: `gemel --help` must not wait for torch.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from gemel.core.errors import GemelError, RequestError
from gemel.core.schema import Link, Mention, Post
from gemel.stages import METRICS, RELEASE

if TYPE_CHECKING:
    from gemel.posts.importing import ImportReport

app = typer.Typer(no_args_is_help=True, help="Link mentions in image-text posts to the entities of a knowledge base.")
importer = typer.Typer(no_args_is_help=True)
app.add_typer(importer, name="import")
out, err = Console(), Console(stderr=True)


def _print_schema(wanted: bool) -> None:
    if not wanted:
        return
    import json

    from gemel.posts.rows import json_schemas

    typer.echo(json.dumps(json_schemas(), indent=2))
    raise typer.Exit


@importer.callback()
def import_dataset(
    schema: Annotated[
        bool,
        typer.Option(
            "--schema", callback=_print_schema, is_eager=True, help="print the JSON Schema of a data set's lines"
        ),
    ] = False,
) -> None:
    """Turn a public data set into one of the project's, under data/."""


@importer.command("wikimel")
def import_wikimel(
    source: Annotated[Path, typer.Argument(help="Wikidata-MEL.json, a MIMIC-style list, or the folder of its splits")],
    images: Annotated[Path | None, typer.Option(help="folder of the image files")] = None,
    target: Annotated[Path, typer.Option(help="where the data set goes")] = Path("data/wikimel"),
) -> None:
    """WikiMEL, in MELBench's or MIMIC's format. Mentions and posts are kept, whatever they lack, and counted."""
    from gemel.posts.wikimel import import_wikimel as run

    _show_import(run(source, target, images), target)


@importer.command("richpedia")
def import_richpedia(
    source: Annotated[Path, typer.Argument(help="Richpedia-MEL.json, a MIMIC-style list, or the folder of its splits")],
    images: Annotated[Path | None, typer.Option(help="folder of the image files")] = None,
    target: Annotated[Path, typer.Option(help="where the data set goes")] = Path("data/richpedia"),
) -> None:
    """Richpedia-MEL, in MELBench's or MIMIC's format."""
    from gemel.posts.wikimel import import_richpedia as run

    _show_import(run(source, target, images), target)


@importer.command("wikidiverse")
def import_wikidiverse(
    source: Annotated[Path, typer.Argument(help="train.json, train_w_10cands.json, …, or the folder of the splits")],
    images: Annotated[Path | None, typer.Option(help="the data set's folder wikinewsImgs")] = None,
    target: Annotated[Path, typer.Option(help="where the data set goes")] = Path("data/wikidiverse"),
) -> None:
    """WikiDiverse, as annotated or with candidates. Entities are pages of Wikipedia, NIL mentions stay NIL."""
    from gemel.posts.wikidiverse import import_wikidiverse as run

    _show_import(run(source, target, images), target)


@importer.command("gemel-jsonl")
def import_gemel_jsonl(
    source: Annotated[Path, typer.Argument(help="gemel_train.jsonl, …, or the folder of the splits")],
    images: Annotated[Path | None, typer.Option(help="WikiDiverse's folder wikinewsImgs")] = None,
    target: Annotated[Path, typer.Option(help="where the data set goes")] = Path("data/gemel_jsonl"),
) -> None:
    """The JSON lines of the GEMEL reference code. Its HDF5 file of image vectors is not read."""
    from gemel.posts.gemel_jsonl import import_gemel_jsonl as run

    _show_import(run(source, target, images), target)


@importer.command("entities")
def import_entities(
    source: Annotated[
        Path, typer.Argument(help="JSON lines, CSV, TSV, titles (.txt), Wikidata dump (.json); .gz, .bz2")
    ],
    into: Annotated[Path, typer.Option(help="folder of the data set whose entities they become")],
    prefix: Annotated[str | None, typer.Option(help="titles: what goes before a title to make its id")] = None,
    type_: Annotated[list[str] | None, typer.Option("--type", help="dump: class to keep, e.g. Q5; repeatable")] = None,
    min_sitelinks: Annotated[int, typer.Option(min=0, help="dump: least number of pages about an entity")] = 0,
    language: Annotated[str | None, typer.Option(help="of the names; dump and titles: en")] = None,
    redirects: Annotated[Path | None, typer.Option(help="merged ids, old<TAB>living on each line")] = None,
) -> None:
    """A knowledge base of your own. Rows that can't be used are counted, and kept with their reason."""
    from gemel.posts.entities_import import REJECTED
    from gemel.posts.entities_import import import_entities as run

    report = run(
        source,
        into,
        prefix=prefix,
        types=tuple(type_ or ()),
        min_sitelinks=min_sitelinks,
        language=language,
        redirects=redirects,
    )
    _show_counts(f"Entities imported into {into}", report.counts())
    for row in report.first_rejected:
        err.print(f"[yellow]{escape(f'{source} {row}')}[/]", highlight=False)
    if report.first_rejected:
        err.print(escape(f"All such rows: {into / REJECTED}"), highlight=False)
    out.print(f"Now `dvc add data`, then `dvc exp run -S dataset={escape(into.name)}`.", highlight=False)


@importer.command("images")
def import_images(
    into: Annotated[Path, typer.Option(help="folder of the data set whose posts name the images")],
    root: Annotated[str | None, typer.Option(help="the archive; unless given, images.root of the settings")] = None,
) -> None:
    """Record an archive's images, which stay where they are; DVC then versions the record in place of the pixels.

    The archive is a folder or an fsspec URL (s3://bucket/photos). Run again, it reads only what changed.
    """
    from gemel.core.config import load_section
    from gemel.core.settings import ImagesSettings
    from gemel.posts.images_import import import_images as run

    root = root or load_section("images", ImagesSettings).root
    if root is None:
        raise RequestError("images.root is null: the data set has its images itself; give --root, or set images.root")
    with Progress(*_bar_columns("reading", "images"), console=err) as progress:
        bar = progress.add_task("", total=None)
        report = run(into, root, lambda done, total: progress.update(bar, completed=done, total=total))
    _show_counts(f"Images of {into} in {root}", dataclasses.asdict(report))
    out.print(
        f"Now `dvc add data`, then `dvc exp run -S dataset={escape(into.name)} -S images.root={escape(root)}`.",
        highlight=False,
    )


@app.command()
def link(
    posts: Annotated[Path | None, typer.Argument(help="JSON lines of posts; or give --text and --mention")] = None,
    text: Annotated[str | None, typer.Option(help="the post's text")] = None,
    mention: Annotated[str | None, typer.Option(help="the string to link")] = None,
    image: Annotated[Path | None, typer.Option(help="the post's image")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="write links.parquet or links.jsonl")] = None,
    release: Annotated[Path, typer.Option(help="the release bundle")] = RELEASE,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, …")] = "auto",
) -> None:
    """Link one post, or a file of posts."""
    from gemel.core.settings import RuntimeSettings
    from gemel.links import check_format
    from gemel.predictor import Linker

    one = _single_post(posts, text, mention, image)
    if one is None and to is None:
        raise RequestError("a file of posts needs --out links.parquet or --out links.jsonl")
    if one is not None and to is not None:
        raise RequestError("--out is for a file of posts; one post's link is printed")
    if to is not None:
        check_format(to)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        linker = Linker.load(release, device=RuntimeSettings(device).torch_device)
    for notice in caught:
        if notice.category is UserWarning:
            err.print(f"[yellow]{escape(str(notice.message))}[/]")
    if one is not None:
        (found,) = linker.link([one])
        _show(found)
    elif posts is not None and to is not None:
        _link_file(linker, posts, to)


@app.command()
def report(metrics: Annotated[Path, typer.Argument(help="metrics.json")] = METRICS) -> None:
    """Print the result table of the last evaluation."""
    import json

    from gemel.report import result_table

    if not metrics.is_file():
        raise RequestError(f"{metrics}: no such file; run `dvc repro` first")
    out.print(result_table(json.loads(metrics.read_text(encoding="utf-8"))))


def main() -> None:
    """Run a command; an error that gemel raised on purpose becomes one sentence and exit status 1."""
    try:
        app()
    except GemelError as error:
        err.print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(1)


def _show_import(report: ImportReport, target: Path) -> None:
    _show_counts(f"Imported into {target}", report.counts())
    out.print(f"Now `dvc add data`, then `dvc exp run -S dataset={escape(target.name)}`.", highlight=False)


def _show_counts(title: str, counts: Mapping[str, object]) -> None:
    table = Table("what", "count", title=escape(title))
    for what, count in counts.items():
        table.add_row(escape(what.replace("_", " ")), str(count))
    out.print(table)


def _bar_columns(doing: str, what: str) -> tuple[ProgressColumn, ...]:
    return (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())


def _single_post(posts: Path | None, text: str | None, mention: str | None, image: Path | None) -> Post | None:
    if posts is not None:
        if text or mention or image:
            raise RequestError("give either a file of posts, or --text and --mention, not both")
        return None
    if not text or not mention:
        raise RequestError("give --text and --mention, or a JSON-lines file of posts")
    return Post(text, (Mention(mention),), image)


def _show(found: Link) -> None:
    title = escape(f"{found.mention.text!r}, image {found.image}")
    table = Table("", "entity", "name", "score", "probability", title=title)
    for place, candidate in enumerate(found.candidates, 1):
        probability = f"{candidate.probability:.3f}"
        name = escape(candidate.name)
        table.add_row(str(place), escape(candidate.entity_id), name, f"{candidate.score:.3f}", probability)
    out.print(table)
    for note in found.notes:
        err.print(f"[yellow]{escape(note)}[/]")


def _link_file(linker: object, posts: Path, to: Path) -> None:
    from gemel.links import link_rows, write_links
    from gemel.posts.requests import read_requests
    from gemel.predictor import Linker

    assert isinstance(linker, Linker)
    requests = list(read_requests(posts))
    rows = []
    with Progress(*_bar_columns("linking", "posts"), console=err) as progress:
        bar = progress.add_task("", total=len(requests))
        for some in link_rows(linker, requests):
            rows += some
            progress.advance(bar)
    write_links(rows, to)
    failed = sum(row["error"] is not None for row in rows)
    unread = sum(str(row["image"]).startswith("unreadable") for row in rows)
    noted = sum(bool(row["notes"]) for row in rows)
    out.print(
        f"{escape(str(to))}: {len(rows) - failed} mentions linked, {failed} lines refused (see the column error), "
        f"{unread} with an unreadable image, {noted} with something to note (see the column notes)",
        highlight=False,
    )


if __name__ == "__main__":
    main()
