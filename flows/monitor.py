"""Compare a week of the service with the training data: `python -m flows.monitor [--from DATE --until DATE]`.

The report lies in `.gemel/monitoring/`. What moved opens the alarm, and the alarm starts the deployment
`retrain/retrain` where the server has one. docs/monitoring.md says what it can show.
"""

from __future__ import annotations

import argparse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound

from flows.command_line import errors_in_a_sentence
from flows.notices import notify
from flows.settings import read_settings
from gemel.monitoring.alarm import Alarm, raise_alarm
from gemel.monitoring.feedback import read_feedback
from gemel.monitoring.files import markdown, write_report
from gemel.monitoring.period import Period, days_between, week_before
from gemel.monitoring.records import read_records
from gemel.monitoring.reference import Reference, read_reference
from gemel.monitoring.report import Report, make_report
from gemel.monitoring.settings import MonitoringSettings
from gemel.stages import POSTS

ROOT = Path(__file__).resolve().parents[1]
RETRAINING = "retrain/retrain"
WEEK = timedelta(days=7)


@flow(name="monitor")
def monitor(
    root: Path = ROOT,
    start: date | None = None,
    until: date | None = None,
    artifacts: Path | None = None,
    settings: MonitoringSettings | None = None,
) -> Report:
    """Report on a period, open the alarm if something moved, and start the retraining that it asks for.

    root: the project's. start, until: the first day and the one behind the last, in UTC; without either the last ISO
    week that is over, with one of them the week that begins or ends there.
    artifacts: of the release that is served; None: those of the project. settings: None: those of conf/retraining.yaml.
    Raises: RequestError for a period without a day; ArtifactError if there are no training data to compare with;
    DataError if the alarm's file is damaged.
    """
    now, configured = datetime.now(UTC), read_settings(root)
    used = settings or configured.monitoring
    period = chosen_period(start, until, now)
    reference = read_training_data(artifacts or root / POSTS.parent, used)
    report = compare_with_service(root, period, reference, used, now)
    folder = publish(root, report)
    for words in (f"{report.name}: {report.headline}; {folder}", *report.notes):
        get_run_logger().info(words)
    alarm = sound(root, report)
    if alarm is not None and report.name in alarm.reports:
        notify(configured.notify, f"gemel: the alarm is open since {alarm.opened:%Y-%m-%d}", report.headline)
        start_retraining()
    return report


def chosen_period(start: date | None, until: date | None, now: datetime) -> Period:
    """The period that is meant. Raises: RequestError if it holds no day."""
    if start is None and until is None:
        return week_before(now)
    if start is None or until is None:
        start, until = start or (until or now.date()) - WEEK, until or (start or now.date()) + WEEK
    return days_between(start, until)


# Files change between two runs with equal arguments: nothing may come from Prefect's cache.
@task(cache_policy=NO_CACHE)
def read_training_data(artifacts: Path, settings: MonitoringSettings) -> Reference:
    """What the artifacts say of the training data."""
    return read_reference(artifacts, most_images=settings.most_images, seed=settings.seed)


@task(cache_policy=NO_CACHE)
def compare_with_service(
    root: Path, period: Period, reference: Reference, settings: MonitoringSettings, now: datetime
) -> Report:
    """Read what the service recorded in the period, and compare it."""
    width, most = reference.vectors.shape[1], settings.most_images
    records = read_records(root / settings.records_folder, period, now, width=width, most_images=most)
    feedback = read_feedback(root / settings.feedback_folder, period, now)
    return make_report(period, reference, records, feedback, settings, now)


@task(cache_policy=NO_CACHE)
def publish(root: Path, report: Report) -> Path:
    """Write the report, and show it on Prefect's page."""
    folder = write_report(root, report)
    create_markdown_artifact(markdown(report), key="monitoring", description=report.headline)
    columns = ("feature", "verdict", "distance", "threshold", "p", "rows", "words")
    rows = [{name: getattr(each, name) for name in columns} for each in report.findings]
    create_table_artifact(rows, key="monitoring-features", description=report.name)
    return folder


@task(cache_policy=NO_CACHE)
def sound(root: Path, report: Report) -> Alarm | None:
    """Open the alarm if something moved. Returns: the alarm that is open, if one is."""
    alarm = raise_alarm(root, report.causes, report.made)
    if alarm is not None:
        opened = f"{alarm.opened:%Y-%m-%d}"
        get_run_logger().warning("the alarm is open since %s: %s", opened, ", ".join(alarm.features))
    return alarm


@task(cache_policy=NO_CACHE)
def start_retraining() -> bool:
    """Start the deployment that retrains, and do not wait for it. Returns: whether there is one."""
    logger = get_run_logger()
    try:
        # As a run of its own: it outlives this one.
        run: FlowRun = run_deployment(RETRAINING, timeout=0, as_subflow=False)  # type: ignore[assignment]
    except ObjectNotFound:
        logger.warning(
            "the server has no deployment %s; the alarm stays open: run `python -m flows.retrain`, or deploy it",
            RETRAINING,
        )
        return False
    logger.info("the alarm started %s", run.name)
    return True


def main() -> None:
    """Run the flow from the command line."""
    parser = argparse.ArgumentParser(prog="python -m flows.monitor", description="Report on a week of the service.")
    parser.add_argument("--from", type=date.fromisoformat, dest="start", metavar="DATE", help="first day, in UTC")
    parser.add_argument("--until", type=date.fromisoformat, metavar="DATE", help="the day behind the last")
    arguments = parser.parse_args()
    with errors_in_a_sentence():
        monitor(start=arguments.start, until=arguments.until)


if __name__ == "__main__":
    main()
