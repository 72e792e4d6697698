"""Links of a large archive as a Prefect flow: `python -m flows.link_archive IN OUT [--release …] [--images …]`.

The library does the work and knows what is done (gemel.archive); the flow adds logs, progress and the result as an
artifact in Prefect's page. The same command goes on where a killed run ended.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from uuid import UUID

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_progress_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from rich.markup import escape
from rich.progress import Progress

from flows.command_line import errors_in_a_sentence
from gemel.archive.linking import Archive, finish, link_shards, only_run, prepare, verify
from gemel.archive.results import Totals
from gemel.archive.settings import DEFAULTS, ArchiveSettings
from gemel.archive.worker import Outcome
from gemel.console import bar_columns, err
from gemel.stages import RELEASE

# Each update of Prefect's page is a request to its server.
SECONDS_BETWEEN_UPDATES = 10.0


@flow(name="link-archive")
def link_archive(
    source: Path,
    out: Path,
    release: Path = RELEASE,
    images: Path | None = None,
    settings: ArchiveSettings = DEFAULTS,
) -> Totals:
    """Link all posts of an archive, each once; a run that was killed is gone on with.

    source: a Parquet file of posts, or a folder of them. out: a folder; the links are in `links/` there. images: where
    paths of images start from; None: the folder of the posts.
    Raises: GemelError as gemel.archive.linking; ShardsFailedError if shards failed, after the others are linked.
    """
    logger = get_run_logger()
    with only_run(out):
        archive = prepare_archive(source, out, release, images, settings)
        if archive.notice:
            logger.warning(archive.notice)
        logger.info(described(archive))
        totals = finish_archive(archive, link_waiting(archive, settings))
    create_markdown_artifact(totals_markdown(out, totals), key="archive-links", description="Links of an archive")
    logger.info(told(out, totals))
    return totals


# What is done is known by the output folder: a result of Prefect's cache would be a second opinion.
@task(name="prepare", cache_policy=NO_CACHE)
def prepare_archive(source: Path, out: Path, release: Path, images: Path | None, settings: ArchiveSettings) -> Archive:
    """As gemel.archive.linking.prepare."""
    return prepare(source, out, release, images, settings)


@task(name="link", cache_policy=NO_CACHE)
def link_waiting(archive: Archive, settings: ArchiveSettings) -> list[Outcome]:
    """Link the shards that wait, with progress here and in Prefect's page. Returns: those that failed."""
    logger, failed = get_run_logger(), []
    begun = updated = time.monotonic()
    page: UUID = create_progress_artifact(  # type: ignore[assignment] # it is awaited here
        0.0, key="archive-progress", description=f"posts linked into {archive.out}"
    )
    with Progress(*bar_columns("linking", "shards"), console=err) as progress:
        bar = progress.add_task("", total=len(archive.waiting))
        posts = 0
        for outcome in link_shards(archive, settings):
            progress.advance(bar)
            posts += outcome.posts
            if outcome.problem:
                failed.append(outcome)
                logger.error("shard %d failed: %s", outcome.shard, outcome.problem)
            now = time.monotonic()
            if not outcome.problem:
                speed = posts / (now - begun)
                logger.info("shard %d: %d posts; %.1f posts/s in all", outcome.shard, outcome.posts, speed)
            if now - updated >= SECONDS_BETWEEN_UPDATES:
                updated = now
                update_progress_artifact(page, 100 * progress.tasks[bar].completed / len(archive.waiting))
    update_progress_artifact(page, 100.0)
    return failed


@task(name="finish", cache_policy=NO_CACHE)
def finish_archive(archive: Archive, failed: list[Outcome]) -> Totals:
    """As gemel.archive.linking.finish."""
    return finish(archive, failed)


def described(archive: Archive) -> str:
    """What a run is about to do."""
    plan = archive.plan
    if archive.totals is not None:
        return f"{archive.out}: nothing to do, all {plan.posts} posts are linked"
    order = "grouped by mention" if plan.group == "mention" else "in their order"
    return (
        f"{archive.out}: {plan.posts} posts {order}; {len(archive.waiting)} of {len(plan.shards)} shards wait, "
        f"each of {plan.shard_posts} posts"
    )


def told(out: Path, totals: Totals) -> str:
    """The result in a sentence, as `gemel link` has it."""
    return (
        f"{out / 'links'}: {totals.linked} mentions linked, {totals.nil} not in the catalog (NIL), {totals.refused} "
        f"posts refused (see the column error), {totals.unreadable} with an unreadable image, {totals.noted} with "
        f"something to note (see the column notes); {totals.posts} posts in, {totals.rows} rows out"
    )


def totals_markdown(out: Path, totals: Totals) -> str:
    """The result as a table."""
    rows = [f"| {name.replace('_', ' ')} | {count} |" for name, count in vars(totals).items()]
    return "\n".join([f"## {out / 'links'}", "", "| what | count |", "| --- | --- |", *rows])


def main() -> None:
    """Run the flow from the command line."""
    arguments = _parse()
    with errors_in_a_sentence():
        if arguments.verify:
            found = verify(arguments.source, arguments.out)
            err.print(escape(told(arguments.out, found)), highlight=False, soft_wrap=True)
            return
        names = ("shard_posts", "group", "top", "processes", "scale_out", "device")
        settings = ArchiveSettings(**{name: getattr(arguments, name) for name in names})
        link_archive(arguments.source, arguments.out, arguments.release, arguments.images, settings)


def _parse() -> argparse.Namespace:
    default = DEFAULTS
    parser = argparse.ArgumentParser(prog="python -m flows.link_archive", description="Link a large archive of posts.")
    parser.add_argument("source", type=Path, metavar="IN", help="a Parquet file of posts, or a folder of them")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder for the links; to go on, the same one")
    parser.add_argument("--release", type=Path, default=RELEASE, help="the release bundle")
    parser.add_argument("--images", type=Path, help="folder that paths of images start from (default: of the posts)")
    parser.add_argument("--group", choices=("auto", "mention", "none"), default=default.group, help="of posts")
    parser.add_argument("--shard-posts", type=_positive, default=default.shard_posts, help="posts of a shard")
    parser.add_argument("--top", type=_positive, help="candidates wanted of each mention; fewer are faster")
    parser.add_argument("--processes", type=_positive, help="that link, each with its own linker; Ray: actors")
    parser.add_argument("--scale-out", choices=("none", "ray"), default=default.scale_out, help="ray: on a cluster")
    parser.add_argument("--device", default=default.device, help="auto, cpu, cuda, …")
    parser.add_argument("--verify", action="store_true", help="count finished links against the posts, link nothing")
    return parser.parse_args()


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {text!r}")
    return int(text)


if __name__ == "__main__":
    main()
