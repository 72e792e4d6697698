"""The schedule as it runs: `python -m benchmarks.schedule [--json] [--pictures FOLDER]`.

A clone of this checkout, a Prefect server of its own, a deployment that comes due every minute, and a service that
follows the champion while somebody asks it all the time. In between: a first champion from hardly any training, a
batch that the checks stop, one whose challenger is better, one whose challenger is worse, and a rollback.

About 25 minutes of two cores, with one mapper of few steps. `--quick` leaves out the worse challenger.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml
from dvc.utils.hydra import compose_and_dump

from benchmarks.output import show
from benchmarks.service_process import Served, free_port
from flows.commands import DVC, end_all_inside, read_output
from gemel.posts.data_folder import write_lines
from gemel.registry.git import git
from gemel.registry.registry import Registry

ROOT = Path(__file__).resolve().parents[1]
DATA_SET = Path("data/sample")
WEAK, GOOD, HARMFUL = 20, 180, 10
PATIENCE_S = 1_500.0
HELD_BACK, BATCH, UNUSUAL = 240, 60, 100
SETTINGS: dict[str, Any] = {
    "build_bento": False,
    "retries": 0,
    "intake": {"settle_seconds": 1},
    "gate": {"expected_decisions": 10, "first_accuracy": 0.05},
}


class Project:
    """A clone whose pipeline is short: one mapper, few steps, one baseline."""

    def __init__(self, root: Path) -> None:
        self.root = root
        git(ROOT, "clone", "--quiet", ".", str(root))
        git(root, "switch", "--quiet", "--create", "posts")
        read_output([*DVC, "cache", "dir", "--local", str(root / ".dvc" / "cache")], root)
        read_output([*DVC, "pull"], root)
        self._held_back = self._hold_back()
        (root / "conf" / "retraining.yaml").write_text(yaml.safe_dump(SETTINGS))
        _every_minute(root / "prefect.yaml")
        self.train(WEAK)

    def train(self, steps: int) -> None:
        """Commit a setting of the training, as a person does."""
        overrides = [f"mapper.course.steps={steps}", f"mapper.course.check_every={steps}", "mapper.seeds=[0]"]
        overrides += ["mapper.course.warmup_steps=2", "mapper.course.watched=16", "baselines.which=[exact_name]"]
        compose_and_dump(self.root / "params.yaml", str(self.root / "conf"), None, "config", "", overrides)
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", f"Train for {steps} steps")

    def drop(
        self, batch: str, posts: int = BATCH, change: Callable[[dict[str, Any]], dict[str, Any]] = lambda row: row
    ) -> None:
        """Bring new posts, in a folder that appears at once. change: what is done to each."""
        rows = [change(self._held_back.pop()) for _ in range(posts)]
        target = self.root / ".gemel" / "drop" / "agency" / batch
        draft = target.parent / f".{batch}"
        for row in rows:
            if row["image"]:
                (draft / row["image"]).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / DATA_SET / row["image"], draft / row["image"])
        draft.mkdir(parents=True, exist_ok=True)
        write_lines(draft / "posts.jsonl", rows)
        draft.rename(target)

    def _hold_back(self) -> list[dict[str, Any]]:
        path = self.root / DATA_SET / "posts.jsonl"
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        train = [row for row in rows if row["split"] == "train"]
        back = train[-HELD_BACK:]
        gone = {row["id"] for row in back}
        path.unlink()  # a link into DVC's cache, perhaps
        write_lines(path, [row for row in rows if row["id"] not in gone])
        read_output([*DVC, "add", "data"], self.root)
        return back


class Asking:
    """Somebody who asks the service all the time. heard: answers by status, or by error; releases: that answered."""

    def __init__(self, url: str) -> None:
        self.heard: Counter[str] = Counter()
        self.releases: Counter[str] = Counter()
        self._url, self._over = url, threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        asked = {"text": "Great shot of the Jaguar this morning", "mentions": [{"mention": "Jaguar"}]}
        with httpx.Client(timeout=120) as client:
            while not self._over.wait(0.2):
                try:
                    reply = client.post(f"{self._url}/link", json=asked)
                    self.heard[str(reply.status_code)] += 1
                    self.releases[str(reply.json().get("release"))] += 1
                except httpx.HTTPError as error:
                    self.heard[type(error).__name__] += 1


def play(project: Project, api: str, quick: bool) -> tuple[dict[str, Any], Callable[[], None]]:
    """The whole story. Returns: the figures, and what ends the service."""
    registry, figures = Registry(project.root), dict[str, Any]()

    def champion() -> str | None:
        found = registry.champion()
        return found.name if found else None

    def promoted(former: str | None) -> float:
        return _until(lambda: champion() not in (None, former), "a promotion")

    figures["first_champion_s"] = promoted(None)
    first = champion()
    release = project.root / ".gemel" / "releases" / "champion"
    served = Served(project.root.parent / "service", release).ready()
    asking = Asking(served.url)

    project.drop("in another language", UNUSUAL, _unusual)
    figures["bad_batch_s"] = _until(lambda: "Failed" in _states(api), "a failed run")
    figures["champion_after_bad_batch"] = champion() == first

    project.train(GOOD)
    project.drop("good")
    figures["better_s"] = promoted(first)
    better = champion()
    figures["served_s"] = _until(lambda: len(asking.releases) == 2, "the service to follow")

    if not quick:
        project.train(HARMFUL)
        project.drop("good too")
        figures["worse_s"] = _until(lambda: _decided(project.root, "refuse", "hold"), "a refusal")
        figures["champion_after_worse"] = champion() == better

    before = dict(asking.releases)
    read_output([str(Path(sys.executable).parent / "gemel"), "release", "rollback", "--why", "a try"], project.root)
    _until(lambda: asking.releases[served.info()["release"]] > before.get(served.info()["release"], 0), "the rollback")
    figures["rolled_back_to_first"] = champion() == first
    _until(lambda: _states(api)["Completed"] > 3, "a run with nothing new")
    asking.stop()
    answered = asking.heard.pop("200", 0)
    figures |= {"requests": answered + asking.heard.total(), "failed_requests": asking.heard.total()}
    figures |= {"releases_that_answered": len(asking.releases), "runs": dict(_states(api))}
    figures["outcomes"] = _outcomes(project.root)
    return figures, served.stop


def _unusual(row: dict[str, Any]) -> dict[str, Any]:
    """A post of another kind than all that were accepted: no picture, and a long text in another language."""
    mention = row["mentions"][0]
    words = "Das Bild vom letzten Sommer, das wir im Garten hinter dem Haus gefunden haben, zeigt wohl " * 4
    start = len(words)
    solved = mention | {"start": start, "end": start + len(mention["mention"])}
    return row | {"text": f"{words}{mention['mention']} am Abend", "image": None, "mentions": [solved]}


def _every_minute(path: Path) -> None:
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    written["deployments"] = [each for each in written["deployments"] if each["name"] == "retrain"]
    written["deployments"][0]["schedules"][0]["cron"] = "* * * * *"
    path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")


def _states(api: str) -> Counter[str]:
    """How many runs of the flow `retrain` ended in each state."""
    asked = {"flows": {"name": {"any_": ["retrain"]}}, "limit": 200}
    runs = httpx.post(f"{api}/flow_runs/filter", json=asked, timeout=30).json()
    return Counter(str(run["state_name"]) for run in runs)


def _decided(root: Path, *outcomes: str) -> bool:
    return any(outcome in outcomes for outcome in _outcomes(root))


def _outcomes(root: Path) -> list[str]:
    """What the decision cards on the line of runs say, in no order."""
    names = git(root, "ls-tree", "-r", "--name-only", "retraining", "decisions").splitlines()
    cards = [json.loads(git(root, "show", f"retraining:{name}")) for name in names if name.endswith("card.json")]
    return [str(card["outcome"]) for card in cards]


def _until(reached: Callable[[], bool], what: str) -> float:
    """Seconds until something is so. Raises: TimeoutError."""
    began = time.monotonic()
    while not reached():
        if time.monotonic() - began > PATIENCE_S:
            raise TimeoutError(f"{what} did not come in {PATIENCE_S:.0f} s")
        time.sleep(2)
    return round(time.monotonic() - began, 1)


@contextlib.contextmanager
def scheduled(root: Path, folder: Path) -> Iterator[str]:
    """A schedule that runs, with a server of its own. Yields: the server's address."""
    api = f"http://127.0.0.1:{free_port()}/api"
    variables: Mapping[str, str] = os.environ | {
        "PREFECT_API_URL": api,
        "PREFECT_HOME": str(folder / "prefect"),
        "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)]),
    }
    with (folder / "schedule.log").open("wb") as log:
        command = [sys.executable, "-m", "flows.schedule"]
        process = subprocess.Popen(command, cwd=root, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield api
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        end_all_inside(root)


def take_pictures(api: str, folder: Path) -> None:
    """Screenshots of Prefect's page."""
    from playwright.sync_api import sync_playwright

    folder.mkdir(parents=True, exist_ok=True)
    page_url = api.removesuffix("/api")
    runs = httpx.post(f"{api}/flow_runs/filter", json={"limit": 200}, timeout=30).json()
    longest = max((run for run in runs if run["state_name"] == "Completed"), key=lambda run: run["total_run_time"])
    pages = {"deployments": "deployments", "runs": "runs", "run": f"runs/flow-run/{longest['id']}"}
    pages |= {"artifacts": "artifacts"}
    with sync_playwright() as playwright:
        found = next(path for name in ("chromium", "google-chrome") if (path := shutil.which(name)))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        for name, path in pages.items():
            page.goto(f"{page_url}/{path}")
            page.wait_for_timeout(4_000)
            page.screenshot(path=folder / f"{name}.png")
        browser.close()


def main() -> None:
    """Play it and show the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.schedule", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pictures", type=Path, help="a folder for screenshots of Prefect's page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = Project(folder / "gemel")
        with scheduled(project.root, folder) as api:
            figures, stop = play(project, api, arguments.quick)
            if arguments.pictures:
                take_pictures(api, arguments.pictures)
            stop()
    show(figures, "Schedule", as_json=arguments.json)


if __name__ == "__main__":
    main()
