"""The command `gemel export`: links in the formats of others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gemel.console import out, show_counts
from gemel.core.errors import RequestError
from gemel.interchange.formats import Format


def export(
    links: Annotated[Path, typer.Argument(help="links.parquet or links.jsonl, as `gemel link --out` wrote it")],
    posts: Annotated[Path, typer.Option(help="the JSON lines of posts that were linked")],
    to_format: Annotated[Format, typer.Option("--format", help="what to write")],
    to: Annotated[Path, typer.Option("--out", help="the file to write")],
    base: Annotated[str | None, typer.Option(help="nif, elevant: URI before ids that are no Wikidata QIDs")] = None,
    pages: Annotated[
        Path | None, typer.Option(help="kilt: lines of entity id, Wikipedia page id and title, between tabs")
    ] = None,
    image_url: Annotated[str | None, typer.Option(help="label-studio: URL before the path of an image")] = None,
) -> None:
    """Write links for other tools: KILT, NIF 2.0 (Turtle), ELEVANT, Label Studio, or flat JSON lines.

    Offsets count code points from 0. kilt, nif and elevant need the place of a mention: links whose mention is not in
    the text, is there more than once without offsets, or states wrong ones are left out and counted by reason.
    """
    from gemel.interchange.export import ExportOptions, config_path, export_links
    from gemel.interchange.kilt import read_pages
    from gemel.interchange.label_studio import LOCAL_FILES
    from gemel.interchange.rows import read_linked
    from gemel.interchange.uris import DEFAULT_BASE

    _check_options(to_format, base, pages, image_url)
    options = ExportOptions(
        base=base if base is not None else DEFAULT_BASE,
        pages=read_pages(pages) if pages else {},
        image_root=posts.parent,
        image_url=image_url if image_url is not None else LOCAL_FILES,
    )
    report = export_links(read_linked(links, posts), to_format, to, options)
    show_counts(f"{links} as {to_format}", report.counts())
    written = [to, config_path(to)] if to_format is Format.LABEL_STUDIO else [to]
    out.print(escape(f"Written: {', '.join(map(str, written))}"), highlight=False, soft_wrap=True)


def _check_options(to_format: Format, base: str | None, pages: Path | None, image_url: str | None) -> None:
    serving = {
        "--base": (base, {Format.NIF, Format.ELEVANT}),
        "--pages": (pages, {Format.KILT}),
        "--image-url": (image_url, {Format.LABEL_STUDIO}),
    }
    for option, (given, formats) in serving.items():
        if given is not None and to_format not in formats:
            names = " and ".join(sorted(formats))
            raise RequestError(f"{option} is for --format {names}; leave it out of --format {to_format}")
