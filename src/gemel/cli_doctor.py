"""The command `gemel doctor`: whether the backbones can be used on this machine, and what is missing for them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import out

if TYPE_CHECKING:
    from gemel.doctor import Diagnosis, Finding
    from gemel.installation import Extra, Machine, Package

_GIB = 2**30
_MIB = 2**20


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object")] = False,
    remote: Annotated[str | None, typer.Option(help="look at this DVC remote instead: read and write there")] = None,
) -> None:
    """Tell whether each backbone's models are here and fit, and what to run where not.

    Exit status 1 if the backbone that params.yaml uses can't be loaded, or the remote can't be used.
    """
    if remote is not None:
        _show_remote(remote)
        return
    from gemel.core.config import read_params
    from gemel.doctor import diagnose
    from gemel.installation import extras, machine, packages

    here = machine()
    found = diagnose(read_params(), here)
    if as_json:
        parts = {"backbones": [_facts(each) for each in found], "machine": dataclasses.asdict(here)}
        installed = [dataclasses.asdict(each) | {"suits": each.suits} for each in packages()]
        parts |= {"packages": installed, "extras": [dataclasses.asdict(each) for each in extras()]}
        typer.echo(json.dumps(parts, indent=1))
    else:
        _show(found, here, packages(), extras())
    if not all(each.usable for each in found if each.used):
        raise typer.Exit(1)


def _show_remote(name: str) -> None:
    from gemel.transfer.dvc_remote import check_remote

    state = check_remote(Path(), name)
    _say(escape(f"{state.name}, {state.where}: can be read and written."))
    if not state.verified:
        _say(f"[yellow]What is pulled is not checked; run `dvc remote modify {escape(name)} verify true`.[/]")


def _facts(diagnosis: Diagnosis) -> dict[str, object]:
    return dataclasses.asdict(diagnosis) | {"usable": diagnosis.usable}


def _show(found: Sequence[Diagnosis], here: Machine, needed: Sequence[Package], optional: Sequence[Extra]) -> None:
    out.print(_backbones(found))
    # The same encoder serves many backbones. Not in a table, so that commands can be copied.
    for finding in dict.fromkeys(finding for each in found for finding in each.findings if finding.advice):
        _say(f"[bold]{finding.what} {escape(finding.name)}[/]")
        for advice in finding.advice:
            _say(f"  {escape(advice)}")
    out.print(_machine(found, here))
    wrong = [each for each in needed if not each.suits]
    for each in wrong:
        _say(f"[red]{escape(each.name)}[/] {each.found or 'missing'}, needed {escape(each.wanted) or 'any'}")
    _say(f"{len(needed) - len(wrong)} of {len(needed)} packages are of the versions that gemel needs.")
    for extra in optional:
        state = f"lacks {', '.join(extra.missing)}: pip install 'gemel[{extra.name}]'" if extra.missing else "installed"
        _say(escape(f"optional {extra.name}: {state}"))


def _say(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)


def _backbones(found: Sequence[Diagnosis]) -> Table:
    table = Table(title="Backbones")
    for column in ("backbone", "LLM", "weights", "state"):
        table.add_column(column, overflow="fold")
    for diagnosis in found:
        llm = diagnosis.findings[0]
        name = f"{diagnosis.name} (in use)" if diagnosis.used else diagnosis.name
        table.add_row(escape(name), escape(llm.name), _size(llm), _state(diagnosis))
    return table


def _size(finding: Finding) -> str:
    if finding.weight_bytes is None:
        return "unknown"
    small = finding.weight_bytes < _GIB
    size = f"{finding.weight_bytes / _MIB:.0f} MiB" if small else f"{finding.weight_bytes / _GIB:.1f} GiB"
    return size if finding.parameters is None else f"{size}, {finding.parameters / 1e6:,.1f} M"


def _state(diagnosis: Diagnosis) -> str:
    unusable = [finding.what for finding in diagnosis.findings if not finding.usable]
    state = f"[red]can't be used: {', '.join(unusable)}[/]" if unusable else "[green]usable[/]"
    return state if diagnosis.findings[0].pinned else f"{state}; not pinned"


def _machine(found: Sequence[Diagnosis], here: Machine) -> Table:
    table = Table("this machine", "free", title="Memory and disk")
    if here.gpu is None:
        table.add_row("GPU", "no GPU: CPU only")
    else:
        table.add_row(escape(f"GPU {here.gpu}"), f"{here.gpu_bytes / _GIB:.1f} GiB")
    table.add_row("RAM", f"{here.ram_bytes / _GIB:.1f} GiB")
    for name, free in here.disks.items():
        table.add_row(f"disk of the {name}", f"{free / _GIB:.1f} GiB")
    absent = {each.name: each.weight_bytes for one in found for each in one.findings if not each.usable}
    known = sum(size for size in absent.values() if size)
    unknown = sum(size is None for size in absent.values())
    if absent:
        table.add_row("models that can't be used yet", f"{known / _GIB:.1f} GiB, and {unknown} of unknown size")
    return table
