"""The commands `gemel import …`, each with its libraries imported inside."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from gemel.console import bar_columns, err, out, show_counts
from gemel.core.errors import RequestError

if TYPE_CHECKING:
    from gemel.posts.importing import ImportReport

importer = typer.Typer(no_args_is_help=True)


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
    source: Annotated[Path, typer.Argument(help="train.json, gemel_train.jsonl, …, or the folder of the splits")],
    images: Annotated[Path | None, typer.Option(help="WikiDiverse's folder wikinewsImgs, or that of img_name")] = None,
    vectors: Annotated[Path | None, typer.Option(help="HDF5 of image vectors, taken over in place of images")] = None,
    encoder: Annotated[str | None, typer.Option(help="that made the vectors, e.g. ViT-L-14/openai")] = None,
    target: Annotated[Path, typer.Option(help="where the data set goes")] = Path("data/gemel_jsonl"),
) -> None:
    """The JSON lines of the GEMEL reference code, with its HDF5 file of image vectors if wanted.

    The encoder is what backbone.vision must then name: model/pretrained. Images without a vector are encoded as ever.
    """
    from gemel.posts.gemel_jsonl import import_gemel_jsonl as run
    from gemel.posts.vector_file import VectorFile

    if (vectors is None) != (encoder is None):
        raise RequestError("give --vectors and --encoder together: the file does not say what made its vectors")
    file = VectorFile(vectors, encoder) if vectors and encoder else None
    _show_import(run(source, target, images, file), target)


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
    show_counts(f"Entities imported into {into}", report.counts())
    for row in report.first_rejected:
        err.print(f"[yellow]{escape(f'{source} {row}')}[/]", highlight=False)
    if report.first_rejected:
        err.print(escape(f"All such rows: {into / REJECTED}"), highlight=False)
    out.print(f"Now `dvc add data`, then `dvc exp run -S dataset={escape(into.name)}`.", highlight=False)


@importer.command("trie")
def import_trie(
    source: Annotated[Path, typer.Argument(help="prefix_tree_opt.pkl")],
    tokenizer: Annotated[str, typer.Option(help="folder or hub id of the one that made its ids: facebook/opt-6.7b")],
    into: Annotated[Path, typer.Option(help="folder of the data set whose entities the names join")],
) -> None:
    """The prefix tree of the GEMEL reference code: its names become entities, but those that the data set has.

    The file is a pickle; it is read as dicts and numbers alone, and refused if it holds anything else.
    """
    from gemel.trie_import import import_trie as run

    report = run(source, into, tokenizer)
    show_counts(f"Names of {source}", report.counts())
    for example in report.first_split_otherwise:
        err.print(f"[yellow]{escape(f'now split otherwise: {example!r}')}[/]", highlight=False)
    out.print(f"Now `dvc add data`, then `dvc exp run -S dataset={escape(into.name)}`.", highlight=False)


@importer.command("checkpoint")
def import_checkpoint(
    source: Annotated[Path, typer.Argument(help="opt-6.7b_…_linear_4token_….pkl, as the reference code saved it")],
    into: Annotated[Path, typer.Option(help="folder for the mapper, e.g. data/checkpoints/wikidiverse")],
    prefix_tokens: Annotated[int, typer.Option(min=1, help="soft tokens per image that it makes")] = 4,
) -> None:
    """A mapper that the GEMEL reference code trained, to be taken by the stage `mapper` in place of training.

    The file is a pickle; it is read as weights alone, and refused if it holds anything else.
    """
    from gemel.mapper.published import import_checkpoint as run

    facts = run(source, into, prefix_tokens)
    show_counts(f"Mapper imported into {into}", dataclasses.asdict(facts))
    out.print(
        f"Now `dvc add data`, then `dvc exp run -S mapper.checkpoint={escape(str(into))} -S 'mapper.seeds=[0]'` with "
        "the backbone that it was trained with.",
        highlight=False,
        soft_wrap=True,
    )


@importer.command("captions")
def import_captions(
    folder: Annotated[Path, typer.Argument(help="folder of images with embedded captions")],
    to: Annotated[Path, typer.Option("--out", help="write JSON lines of posts")],
) -> None:
    """Posts out of a folder of photographs: the text is the caption in the file, by XMP, IPTC or EXIF.

    Mentions are the people and keywords in the file whose words stand in the caption. What comes out is for `gemel
    link`, or for a data set once splits and entities are added.
    """
    from gemel.posts.captions_import import import_captions as run
    from gemel.posts.captions_import import rejected_path

    report = run(folder, to)
    show_counts(f"Captions of {folder}", report.counts())
    if report.posts < report.images:
        err.print(f"Images that gave no post: {escape(str(rejected_path(to)))}", highlight=False, soft_wrap=True)
    out.print(f"Now `gemel link {escape(str(to))} --out links.parquet`.", highlight=False, soft_wrap=True)


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
    with Progress(*bar_columns("reading", "images"), console=err) as progress:
        bar = progress.add_task("", total=None)
        report = run(into, root, lambda done, total: progress.update(bar, completed=done, total=total))
    show_counts(f"Images of {into} in {root}", dataclasses.asdict(report))
    out.print(
        f"Now `dvc add data`, then `dvc exp run -S dataset={escape(into.name)} -S images.root={escape(root)}`.",
        highlight=False,
        soft_wrap=True,
    )


def _show_import(report: ImportReport, target: Path) -> None:
    show_counts(f"Imported into {target}", report.counts())
    out.print(f"Now `dvc add data`, then `dvc exp run -S dataset={escape(target.name)}`.", highlight=False)
