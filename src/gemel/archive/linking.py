"""From a folder of posts to a folder of links, in steps that each find out what of them is done already.

plan.json       of what, with which release and how it is linked
posts/          the posts grouped by mention, where the plan says so
shards/         what is finished
links/          the result, once all is finished and counted
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from os import cpu_count
from pathlib import Path

from filelock import FileLock, Timeout

from gemel.archive.grouping import count_repeats, write_grouped
from gemel.archive.lanes import OwnLane, ProcessLane, run_shards
from gemel.archive.plan import PLAN, Plan, input_facts, read_plan, settle_plan
from gemel.archive.posts import ArchivePosts, find_parquet, open_posts
from gemel.archive.ray_lanes import ray_lanes
from gemel.archive.results import Totals, finished_result, verify_result, write_result
from gemel.archive.settings import DEFAULTS, ArchiveSettings
from gemel.archive.shards import STAGE, finished_shards
from gemel.archive.worker import Job, Outcome
from gemel.core.artifacts import artifact_hash, new_artifact, read_manifest
from gemel.core.errors import ArtifactError, ConfigError, DataError, GemelError
from gemel.core.settings import RuntimeSettings
from gemel.release_facts import read_facts

LINKS, SHARDS, GROUPED = "links", "shards", "posts"


class ShardsFailedError(GemelError):
    """Shards of an archive could not be linked; the others are."""


@dataclass(frozen=True)
class Archive:
    """An archive that is being linked.

    out: where to. posts: in the archive's order. waiting: shards that are not finished. notice: what the models of the
    release want said. totals: of the result, where that is whole already.
    """

    out: Path
    posts: ArchivePosts
    job: Job
    waiting: tuple[int, ...]
    notice: str
    totals: Totals | None

    @property
    def plan(self) -> Plan:
        """Its plan."""
        return self.job.plan


@contextmanager
def only_run(out: Path) -> Iterator[None]:
    """Keep other runs from an output folder, which is made; it is free again whatever ends this process.

    Raises: ArtifactError if another one is at work there.
    """
    out.mkdir(parents=True, exist_ok=True)
    lock = FileLock(out / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ArtifactError(f"{out}: another run is at work there; wait for its end, or end it") from None
    try:
        yield
    finally:
        lock.release()


def prepare(source: Path, out: Path, release: Path, images: Path | None, settings: ArchiveSettings) -> Archive:
    """Look at the posts, make the plan or go on with the one there, and find out what is finished.

    source: a Parquet file of posts, or a folder of them. out: to be held by only_run. images: where their paths start
    from; None: the folder of the posts.
    Raises: DataError if the posts can't be read; ArtifactError if the release is absent, or the plan that lies there is
    of something else; ConfigError if settings don't go together.
    """
    if out.resolve().is_relative_to(source.resolve()):
        raise DataError(f"{out}: lies in the folder of posts, and its files would be taken for posts; link elsewhere")
    device, threads, facts = _device(settings), _threads(settings), read_facts(release)["settings"]
    out.mkdir(parents=True, exist_ok=True)
    posts = open_posts(find_parquet(source.resolve()))
    if not len(posts):
        raise DataError(f"{source}: holds no post; give a Parquet file of posts, or a folder of them")
    plan = settle_plan(
        out,
        input_facts(posts, source.resolve()),
        artifact_hash(release),
        _image_root(source, images),
        settings,
        lambda: count_repeats(posts, settings.shard_posts),
        facts["demonstrations"]["count"],
    )
    totals = finished_result(out / LINKS, plan)
    # What a finished result was made from may be gone.
    grouped = plan.group == "mention" and totals is None
    ordered = _grouped(out / GROUPED, plan, posts) if grouped else posts
    # A copy that is made again, by other versions of libraries, may have another order.
    key = artifact_hash(out / GROUPED) if grouped else plan.digest
    finished = plan.shards if totals else finished_shards(out / SHARDS, key)
    waiting = tuple(shard for shard in plan.shards if shard not in finished)
    job = Job(plan, ordered, key, out.resolve() / SHARDS, release.resolve(), Path.cwd(), device, threads)
    return Archive(out, posts, job, waiting, facts["backbone"]["notice"], totals)


def link_shards(archive: Archive, settings: ArchiveSettings) -> Iterator[Outcome]:
    """Link the shards that wait, and yield what became of each.

    Raises: what Worker raises if its linker can't be loaded; ConfigError if Ray is wanted and isn't installed.
    """
    if not archive.waiting:
        return
    job, own = archive.job, settings.processes in (None, 1)
    here = nullcontext((lambda: OwnLane(job) if own else ProcessLane(job), settings.processes or 1))
    with ray_lanes(job, settings.processes) if settings.scale_out == "ray" else here as (open_lane, lanes):
        yield from run_shards(archive.waiting, open_lane, min(lanes, len(archive.waiting)), settings.attempts)


def finish(archive: Archive, failed: list[Outcome]) -> Totals:
    """Make the result of all shards, counted against the posts.

    Raises: ShardsFailedError if some failed; ArtifactError as write_result.
    """
    if failed:
        shown = "; ".join(f"shard {each.shard}: {each.problem}" for each in failed[:3])
        raise ShardsFailedError(
            f"{archive.out}: {len(failed)} of {len(archive.plan.shards)} shards failed, the others are kept. {shown}. "
            "Mend the cause and give the same command again"
        )
    return archive.totals or write_result(archive.out / LINKS, archive.plan, archive.posts, archive.job.shards)


def link_archive(
    source: Path,
    out: Path,
    release: Path,
    images: Path | None = None,
    settings: ArchiveSettings = DEFAULTS,
) -> Totals:
    """Link an archive, or go on where an earlier run ended. Arguments, Raises: as prepare, link_shards and finish."""
    with only_run(out):
        archive = prepare(source, out, release, images, settings)
        return finish(archive, [outcome for outcome in link_shards(archive, settings) if outcome.problem])


def verify(source: Path, out: Path) -> Totals:
    """Count the links of a finished archive against its posts: each has its own, none twice. All hashes are checked.

    Raises: DataError if the posts can't be read; ArtifactError if they or the links are not what they were.
    """
    plan, posts = read_plan(out), open_posts(find_parquet(source.resolve()))
    if input_facts(posts, source.resolve()) != plan.inputs:
        raise ArtifactError(f"{out / PLAN}: made of other posts than {source} holds now; give those that were linked")
    return verify_result(out / LINKS, plan, posts)


def _grouped(folder: Path, plan: Plan, posts: ArchivePosts) -> ArchivePosts:
    """The posts grouped by mention; written if they aren't there whole."""
    try:
        whole = read_manifest(folder, STAGE, check_hashes=True)["plan"] == plan.digest
    except (ArtifactError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        with new_artifact(folder, STAGE, {"plan": plan.digest}) as draft:
            write_grouped(posts, draft)
    return open_posts(sorted(folder.resolve().glob("*.parquet")), grouped=True)


def _image_root(source: Path, images: Path | None) -> Path:
    """Raises: DataError if there is no such folder: without it every post would be linked by its text alone."""
    root = images or (source if source.is_dir() else source.parent)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder of images; give the one that the posts' paths start from")
    return root.resolve()


def _device(settings: ArchiveSettings) -> str:
    """Raises: ConfigError if several processes would share a card."""
    device = RuntimeSettings(settings.device).torch_device
    if settings.scale_out == "none" and (settings.processes or 1) > 1 and device.startswith("cuda"):
        raise ConfigError(
            f"processes: {settings.processes} would each load the models onto {device}; give 1, or scale_out ray, "
            "which gives every card its own"
        )
    return device


def _threads(settings: ArchiveSettings) -> int | None:
    """Of torch in each process: together as many as there are cores."""
    several = settings.scale_out == "none" and (settings.processes or 1) > 1
    return max(1, (cpu_count() or 1) // (settings.processes or 1)) if several else None
