"""The commands `gemel audit …`: how right the links of an archive are, by people's judgement of a sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Table

from gemel.console import err, out

if TYPE_CHECKING:
    from gemel.audit.accuracy import Accuracy, Audit

audit = typer.Typer(no_args_is_help=True)


@audit.callback()
def audit_links() -> None:
    """Measure accuracy on your own archive: draw a sample of its links, have it judged, count.

    Only a sample that was drawn says how right all links are. What users correct is chosen by what they notice, so it
    is biased and never stands in for one: use it to mend links, not to measure them.
    """


@audit.command("sample")
def audit_sample(
    links: Annotated[Path, typer.Argument(help="links.parquet or links.jsonl, as `gemel link --out` wrote it")],
    posts: Annotated[Path, typer.Option(help="the JSON lines of posts that were linked")],
    to: Annotated[Path, typer.Option("--out", help="folder for the sample; it must not be there yet")],
    count: Annotated[int, typer.Option(min=1, help="links to draw")] = 200,
    seed: Annotated[int, typer.Option(help="another seed draws another sample")] = 0,
    entities: Annotated[Path | None, typer.Option(help="entities.parquet, whose types then make slices")] = None,
    image_url: Annotated[str | None, typer.Option(help="Label Studio: URL before the path of an image")] = None,
) -> None:
    """Draw links for people to judge: every link is as likely as any other.

    The folder gets tasks.json and labels.xml for Label Studio, judgements.csv for a spreadsheet (one or the other is
    filled in), and sample.json, the record that `gemel audit import` holds the judgements to.
    """
    from gemel.audit.files import read_types, write_sample
    from gemel.interchange.label_studio import LOCAL_FILES

    types = read_types(entities) if entities else {}
    address = image_url if image_url is not None else LOCAL_FILES
    sample = write_sample(links, posts, to, count=count, seed=seed, types=types, image_url=address)
    frame = sample.frame
    out.print(
        escape(
            f"{to}: {len(sample.items)} of {frame.size} links drawn, sample {sample.sample} "
            f"({frame.refused} rows of {frame.links} are no links)"
        ),
        highlight=False,
        soft_wrap=True,
    )
    out.print(
        "Judge them in judgements.csv (correct, wrong or unsure) or in Label Studio, then "
        f"`gemel audit import {escape(str(to / 'judgements.csv'))} --sample {escape(str(to / 'sample.json'))}`.",
        highlight=False,
        soft_wrap=True,
    )


@audit.command("import")
def audit_import(
    files: Annotated[list[Path], typer.Argument(help="Label Studio's export as JSON, or filled sheets (.csv)")],
    sample: Annotated[Path, typer.Option(help="sample.json of the sample that was judged")],
    links: Annotated[Path | None, typer.Option(help="refuse a sample that was not drawn from these links")] = None,
    to: Annotated[Path | None, typer.Option("--out", help="the result; unless given, audit.json beside it")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as one JSON object")] = False,
) -> None:
    """Count judgements of a sample: accuracy with Wilson's 95 % interval, agreement, slices.

    A link that several people judged counts as most of them say; without a majority it counts as unsure. Unsure ones
    are reported apart, with what accuracy would be were they all wrong or all right. Judgements of anything that was
    not drawn, such as users' corrections, are refused: they are biased and never stand in for a sample.
    """
    from gemel.audit.accuracy import audit_of
    from gemel.audit.files import audit_facts, read_judgements
    from gemel.audit.judgements import check_judgements
    from gemel.audit.sampling import check_frame, read_sample
    from gemel.interchange.export import write_text

    drawn = read_sample(sample)
    if links is not None:
        check_frame(drawn, links)
    judgements = read_judgements(files)
    check_judgements(judgements, drawn)
    result = audit_of(drawn, judgements)
    target = to or sample.with_name("audit.json")
    text = json.dumps(audit_facts(result), ensure_ascii=False, indent=1)
    write_text(target, f"{text}\n")
    if as_json:
        typer.echo(text)
    else:
        _show(result)
        out.print(f"Written: {escape(str(target))}", highlight=False, soft_wrap=True)


def _show(result: Audit) -> None:
    out.print(_table(result))
    overall, said = result.overall, result.agreement
    lines = [f"Judgements: {', '.join(f'{name} {count}' for name, count in result.annotators.items())}."]
    if overall.unsure:
        lines.append(f"With all unsure ones wrong {_share(overall.at_least)}, all right {_share(overall.at_most)}.")
    if said.links:
        alpha = "not defined, as all verdicts are one" if said.alpha is None else f"{said.alpha:.3f}"
        agree = f"{_share(said.pairs_agree)} of pairs agree"
        lines.append(f"{said.links} links by two or more: {agree}, Krippendorff's alpha {alpha}.")
    out.print(escape("\n".join(lines)), highlight=False, soft_wrap=True)
    if overall.not_judged:
        err.print(
            f"[yellow]{overall.not_judged} links that were drawn are not judged; were they left for being hard, the "
            "accuracy is too high[/]",
            soft_wrap=True,
        )


def _table(result: Audit) -> Table:
    """Accuracies, all links first; too few: the interval is too wide to say much."""
    frame, overall = result.sample.frame, result.overall
    title = f"{overall.drawn} of {frame.size} links of {frame.links}, judged by people"
    table = Table(title=escape(title), box=SIMPLE, padding=(0, 1, 0, 0))
    for column in ("slice", "drawn", "correct", "wrong", "unsure", "open", "accuracy", "95 % interval"):
        table.add_column(column, no_wrap=column != "slice")
    table.add_row("all", *_cells(overall))
    shown = ""
    for each in result.slices:
        if each.by != shown:
            table.add_section()
            table.add_row(f"[bold]{escape(each.by)}[/]")
        shown = each.by
        table.add_row(escape(each.kind), *_cells(each.accuracy))
    return table


def _cells(found: Accuracy) -> list[str]:
    interval = "" if found.low is None or found.high is None else f"{100 * found.low:.0f} – {100 * found.high:.0f}"
    counts = (found.drawn, found.correct, found.wrong, found.unsure, found.not_judged)
    return [*map(str, counts), _share(found.accuracy), f"{interval} too few".strip() if found.small else interval]


def _share(value: float | None) -> str:
    return "none" if value is None else f"{100 * value:.1f} %"
