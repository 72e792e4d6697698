"""What the flow adds to `dvc repro`: `python -m benchmarks.flow_overhead [--quick] [--json]`.

Both bring the same project up to date where nothing is to be done, in turn, with a Prefect server at hand: what is
left is starting, looking and telling. light: a project of two stages. sample: this checkout (not with --quick).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from benchmarks.light_project import make_project
from benchmarks.output import show
from benchmarks.prefect_server import own_server
from flows.pipeline import stages_in_order

ROOT = Path(__file__).resolve().parents[1]
TIMES = 3
FLOW = "from pathlib import Path; from flows.pipeline import pipeline; pipeline(Path('.'), plots=False)"


def compare(root: Path) -> dict[str, float]:
    """Medians in seconds, and the difference for each stage."""
    code = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
    commands = {"bare": [sys.executable, "-m", "dvc", "repro", "--quiet"], "flow": [sys.executable, "-c", FLOW]}
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(TIMES):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=root, env=code, check=True, capture_output=True)
            taken[name].append(time.perf_counter() - began)
    bare, flow = median(taken["bare"]), median(taken["flow"])
    return {"bare_s": bare, "flow_s": flow, "overhead_s": flow - bare, "stages": float(len(stages_in_order(root)))}


def main() -> None:
    """Compare and show."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flow_overhead", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the light project alone")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    settings = parser.parse_args()
    figures: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as name, own_server(Path(name) / "server"):
        roots = {"light": make_project(Path(name) / "project")} | ({} if settings.quick else {"sample": ROOT})
        for title, root in roots.items():
            figures |= {f"{title}_{key}": value for key, value in compare(root).items()}
    show(figures, "Flow overhead", as_json=settings.json)


if __name__ == "__main__":
    main()
