"""Cost and memory of the stage `posts` on many posts: read, images, names, tables, Great Expectations, artifact.

Each size runs in a child process, so that its peak of memory is its own. In it, the stage first runs twice on SMALL
posts: once to import everything, once for what a run costs however few posts there are (20,000 entities are read and
named in each). `rows` are lines of posts.jsonl; a row has one or two mentions, and the rows share small images.

`ratio` is the rows/s of the largest size over those of the one before it: 1 if a row costs the same at any size. It is
in CPU time, as other work on the machine must not show in it, and leaves out what doesn't go by rows: the small run,
and the look at the images, whose number grows less than the rows. With --quick the sizes are too small for it.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from rich.console import Console
from rich.table import Table

from benchmarks.output import show
from benchmarks.processes import alone, peak_bytes
from benchmarks.synthetic_posts import Expected, write_dataset, write_images

SMALL = 200
SIZES, IMAGES = (10_000, 100_000, 1_000_000), 20_000
QUICK_SIZES, QUICK_IMAGES = (2_000, 20_000), 1_000
# So that a picture is shared by two posts or more.
POSTS_PER_IMAGE = 2


@dataclass(frozen=True)
class Measured:
    """What a child measured.

    found: rows of the tables in the artifact. cpu_s: of the run; fixed_cpu_s: of a small one.
    phases: CPU seconds of the run by part; the look at the images is part of reading.
    """

    found: Expected
    seconds: float
    cpu_s: float
    fixed_cpu_s: float
    peak_gib: float
    phases: dict[str, float]


@dataclass(frozen=True)
class Run:
    """One size. lost: rows that are missing in the table where the generator knows that they belong, or too many."""

    rows: int
    mentions: int
    images: int
    seconds: float
    rows_per_s: float
    rows_per_cpu_s: float
    peak_gib: float
    rejected: int
    lost: int
    phases: dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2,000 and 20,000 posts that share 1,000 images")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    runs = measure(QUICK_SIZES, QUICK_IMAGES) if settings.quick else measure(SIZES, IMAGES)
    Console().print(_table(runs))
    *_, before, largest = runs
    report = {
        "rows": largest.rows,
        "rows_per_s": largest.rows_per_s,
        "peak_gib": largest.peak_gib,
        "rejected": largest.rejected,
        "rows_lost": sum(run.lost for run in runs),
        "ratio": largest.rows_per_cpu_s / before.rows_per_cpu_s,
        "sizes": [asdict(run) for run in runs],
    }
    show(report, "ingestion", as_json=settings.json)


def measure(sizes: tuple[int, ...], images: int) -> list[Run]:
    """Run the stage on each size, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pictures, small = Path(folder, "images"), Path(folder, "small")
        write_images(pictures, images)
        write_project(small, SMALL, pictures, SMALL // POSTS_PER_IMAGE)
        return [
            _run(Path(folder, str(rows)), small, pictures, rows, min(images, rows // POSTS_PER_IMAGE)) for rows in sizes
        ]


def _run(project: Path, small: Path, pictures: Path, rows: int, images: int) -> Run:
    expected = write_project(project, rows, pictures, images)
    measured = alone(measure_stage, project, small)
    wanted, found = Counter(asdict(expected)), Counter(asdict(measured.found))
    costing = measured.cpu_s - measured.fixed_cpu_s - measured.phases["check_images"]
    return Run(
        rows=rows,
        mentions=measured.found.mentions,
        images=images,
        seconds=measured.seconds,
        rows_per_s=rows / measured.seconds,
        rows_per_cpu_s=rows / costing,
        peak_gib=measured.peak_gib,
        rejected=measured.found.rejected,
        lost=((wanted - found) + (found - wanted)).total(),
        phases=measured.phases,
    )


def write_project(project: Path, rows: int, pictures: Path, images: int) -> Expected:
    """A folder where the stage can run: data/bench and params.yaml."""
    folder = project / "data" / "bench"
    folder.mkdir(parents=True)
    (folder / "images").symlink_to(pictures)
    (project / "params.yaml").write_text("dataset: bench\nposts: {}\nimages: {}\n")
    return write_dataset(folder, rows, images)


def measure_stage(project: Path, small: Path) -> Measured:
    """Run the stage in its project; to be called in a process of its own, whose peak of memory is the result's."""
    from gemel.posts.tables import Tables
    from gemel.stages import POSTS

    run_stage(small)
    _, fixed_cpu = run_stage(small)
    with _timed() as phases:
        seconds, cpu = run_stage(project)
    peak = peak_bytes() / 2**30
    tables = Tables.read(project / POSTS)
    found = Expected(*(getattr(tables, name).height for name in asdict(Expected())))
    return Measured(found, seconds, cpu, fixed_cpu, peak, phases)


def run_stage(project: Path) -> tuple[float, float]:
    """Returns: seconds and CPU seconds."""
    from gemel.stages import posts

    with contextlib.chdir(project), contextlib.redirect_stdout(io.StringIO()):
        start, cpu = time.perf_counter(), time.process_time()
        posts.main()
        return time.perf_counter() - start, time.process_time() - cpu


@contextlib.contextmanager
def _timed() -> Iterator[dict[str, float]]:
    """Give a mapping that the CPU seconds of the stage's parts are written to while this lasts."""
    from gemel.posts import dataset, tables
    from gemel.stages import posts

    phases: dict[str, float] = {}
    parts = [(posts, "read_dataset"), (dataset, "check_images"), (posts, "unique_names"), (posts, "build_tables")]
    with contextlib.ExitStack() as patches:
        for place, name in [*parts, (tables.Tables, "write"), (posts, "validate_tables")]:
            patches.enter_context(mock.patch.object(place, name, _clocked(getattr(place, name), phases)))
        yield phases


def _clocked(function: Callable[..., Any], phases: dict[str, float]) -> Callable[..., Any]:
    @functools.wraps(function)
    def clocked(*args: Any, **kwargs: Any) -> Any:
        start = time.process_time()
        result = function(*args, **kwargs)
        phases[function.__name__] = time.process_time() - start
        return result

    return clocked


def _table(runs: Sequence[Run]) -> Table:
    table = Table("", *(f"{run.rows:,} rows" for run in runs), title="by size")
    for figure in ("mentions", "images", "seconds", "rows_per_s", "rows_per_cpu_s", "peak_gib", "rejected", "lost"):
        table.add_row(figure, *(f"{getattr(run, figure):,.4g}" for run in runs))
    for phase in runs[-1].phases:
        table.add_row(f"{phase}, CPU s", *(f"{run.phases[phase]:.2f}" for run in runs))
    return table


if __name__ == "__main__":
    main()
