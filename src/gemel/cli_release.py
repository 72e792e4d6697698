"""The commands `gemel release …`: hand a release to somebody else, get one, look at one; versions and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from gemel.console import err, out
from gemel.core.errors import RequestError
from gemel.stages import RELEASE

if TYPE_CHECKING:
    from gemel.transfer.listing import Listing

release = typer.Typer(no_args_is_help=True)


@release.callback()
def carry_releases() -> None:
    """Push, pull and show releases; promote one, roll back.

    Places are a folder, s3://bucket/prefix (`pip install 'gemel[s3]'`), and hf://owner/name, with @revision or without.
    """


@release.command("push")
def push(
    target: Annotated[str, typer.Argument(help="folder, s3://bucket/prefix or hf://owner/name[@branch]")],
    backbone: Annotated[
        str | None, typer.Option(help="embed: with its frozen models; reference: naming them; left out: as it is")
    ] = None,
    folder: Annotated[Path, typer.Option("--release", help="the release bundle")] = RELEASE,
    replace: Annotated[bool, typer.Option("--replace", help="put it in place of another release")] = False,
    public: Annotated[bool, typer.Option("--public", help="hub: a repository made for it is public")] = False,
) -> None:
    """Bring a release to a place. It lies there whole or not at all; what is there already is not sent again."""
    from gemel.release_facts import BACKBONES
    from gemel.transfer.push import push_release

    chosen = next((each for each in BACKBONES if each == backbone), None)
    if backbone is not None and chosen is None:
        raise RequestError(f"--backbone {backbone}: no such form; known are {' and '.join(BACKBONES)}")
    pushed = push_release(folder, target, backbone=chosen, replace=replace, public=public)
    _say(target, "there already, nothing was sent" if pushed.already else "pushed", pushed.listing)


@release.command("pull")
def pull(
    source: Annotated[str, typer.Argument(help="folder, s3://bucket/prefix or hf://owner/name[@revision]")],
    into: Annotated[Path, typer.Option("--into", help="the folder that becomes the release")],
) -> None:
    """Bring a release from a place into a folder. Every file is checked before it takes the place of a former one."""
    from gemel.transfer.pull import pull_release

    pulled = pull_release(source, into)
    _say(str(into), "there already" if pulled.already else "pulled", pulled.listing)
    _say_models(pulled.listing.facts)


@release.command("show")
def show(folder: Annotated[Path, typer.Argument(help="the release bundle")] = RELEASE) -> None:
    """Print what a release is: data set, figures, protocol, frozen models, changes, hash, format."""
    from gemel.core.artifacts import artifact_hash
    from gemel.release_facts import read_facts

    facts = read_facts(folder)
    table = Table("what", "", title=escape(str(folder)), show_header=False)
    for what, said in (_summary(facts) | {"hash": artifact_hash(folder)}).items():
        table.add_row(what, escape(said))
    out.print(table)
    _show_table("Figures, in %", ("", "test", "dev"), _figures(facts))
    _show_table("Protocol", ("", ""), [(key, str(value)) for key, value in sorted(facts["protocol"].items())])


@release.command("promote")
def promote(
    version: Annotated[str | None, typer.Argument(help="as v1.2.0, of `gemel release list`")] = None,
    bundle: Annotated[Path | None, typer.Option(help="instead: make this bundle, that of the last commit, one")] = None,
    why: Annotated[str, typer.Option(help="kept with the promotion")] = "by hand",
) -> None:
    """Make a version the champion: services of this checkout take it up. A bundle that was deleted comes out of DVC."""
    from gemel.registry.registry import Registry

    if (version is None) == (bundle is None):
        raise RequestError("give either a version of `gemel release list`, or --bundle artifacts/release")
    registry = Registry(Path())
    chosen = version if bundle is None else registry.register(bundle, "HEAD", "by hand", why)
    champion = registry.promote(chosen or "", why=why)
    _tell(f"{champion.name}: the champion, release {champion.folder}")


@release.command("rollback")
def rollback(why: Annotated[str, typer.Option(help="kept with the rollback")] = "by hand") -> None:
    """Make the champion before the present one the champion again."""
    from gemel.registry.registry import Registry

    champion = Registry(Path()).rollback(why=why)
    _tell(f"{champion.name}: the champion again, release {champion.folder}")


@release.command("list")
def list_versions() -> None:
    """List the versions, the newest first: which is the champion, and whose bundle is gone."""
    from gemel.registry.listing import list_releases

    table = Table("version", "registered", "accuracy", "commit", "run", "", title="Releases")
    rows, broken = list_releases(Path())
    if not rows:
        _tell("no version yet; `gemel release promote --bundle artifacts/release` makes the first")
        return
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)
    if broken:
        err.print(f"[red]{escape(broken)}[/]", highlight=False, soft_wrap=True)


@release.command("prune")
def prune(keep: Annotated[int, typer.Option(min=0, help="of those that were champion last")] = 5) -> None:
    """Remove bundles that nothing needs; never the champion's. DVC keeps their data, and `promote` brings them back."""
    from gemel.registry.registry import Registry

    for said in Registry(Path()).prune(keep):
        _tell(said)


def _summary(facts: Mapping[str, Any]) -> dict[str, str]:
    from gemel.frozen import TITLES

    changes = {**facts["changes"], **{f"corrections {what}": count for what, count in facts["corrections"].items()}}
    counts = ", ".join(f"{what.replace('_', ' ')} {count}" for what, count in changes.items() if count)
    return {
        "data set": facts["dataset"],
        "format": f"{facts['format']}, written by gemel {facts['gemel'] or 'before 0.1'}",
        "frozen models": "in the bundle" if facts["backbone"] == "embed" else "named, not in the bundle",
        **{TITLES.get(what, what): _model(model) for what, model in facts["models"].items()},
        "changes": counts or "none",
    }


def _figures(facts: Mapping[str, Any]) -> list[tuple[str, ...]]:
    from gemel.card import WORDS, percent

    # What is said of each split; a release of format 1 knows its accuracy alone.
    told = {
        split: {"accuracy": facts["accuracy"].get(split)} | facts["metrics"].get(split, {}) for split in ("test", "dev")
    }
    rows = [(words, *(percent(figures.get(key)) for figures in told.values())) for key, words in WORDS.items()]
    return [row for row in rows if any(row[1:])]


def _model(model: Mapping[str, Any]) -> str:
    known = [f"revision {model['revision']}"] if model["revision"] else []
    known += [f"SHA-256 {model['sha256'][:16]}"] if model["sha256"] else []
    return ", ".join([model["name"], *known])


def _show_table(title: str, header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if not rows:
        return
    table = Table(*header, title=title, show_header=any(header))
    for row in rows:
        table.add_row(*map(escape, row))
    out.print(table)


def _say(where: str, what: str, listing: Listing) -> None:
    said = f"{where}: {what}; release {listing.digest[:16]}, {len(listing.files)} files, {listing.bytes:,} bytes"
    out.print(escape(said), highlight=False, soft_wrap=True)


def _say_models(facts: Mapping[str, Any]) -> None:
    """What else has to be here to link with it."""
    if facts["backbone"] == "embed":
        return
    backbone = facts["settings"]["backbone"]
    said = f"Its frozen models are not in it: {backbone['llm']['model']} and {backbone['vision']['model']}."
    out.print(escape(said), highlight=False, soft_wrap=True)


def _tell(said: str) -> None:
    out.print(escape(said), highlight=False, soft_wrap=True)
