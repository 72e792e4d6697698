"""The report on a period: what was recorded, what moved, and what can't be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gemel.monitoring.alarm import Cause
from gemel.monitoring.drift import Finding, Verdict, allowed, compare
from gemel.monitoring.features import Share
from gemel.monitoring.feedback import Feedback
from gemel.monitoring.period import Period
from gemel.monitoring.records import Records, Skipped
from gemel.monitoring.reference import Reference, facts_of
from gemel.monitoring.settings import MonitoringSettings

MOST_SKIPPED = 5
RECORDS_OFF = (
    "the service keeps no records; set `records: numbers`, or `texts` for the mention strings too "
    "(GEMEL_SERVICE_RECORDS), and start it again"
)


@dataclass(frozen=True)
class Report:
    """What a period shows. made: when it was written.

    reference: facts of the training data. answers, posts, repeated, pictures: of the period; repeated: questions that
    were asked again and count once. releases: answers by the release that gave them. skipped: files that can't be
    used. false_alarms_per_year: of all reports of such periods, by chance, at most. notes: what a reader has to know.
    """

    period: Period
    made: datetime
    reference: Mapping[str, Any]
    answers: int
    posts: int
    repeated: int
    pictures: int
    releases: Mapping[str, int]
    skipped: tuple[Skipped, ...]
    feedback: Feedback | None
    false_alarms_per_year: float
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """That of the period, which its folder has."""
        return self.period.name

    def of(self, verdict: Verdict) -> tuple[Finding, ...]:
        """The findings of one verdict."""
        return tuple(each for each in self.findings if each.verdict == verdict)

    @property
    def headline(self) -> str:
        """The whole in a sentence."""
        moved, told = self.of("moved"), len(self.findings) - len(self.of("can't tell"))
        if not told:
            return "nothing can be told"
        if moved:
            return f"moved: {', '.join(each.title for each in moved)}"
        return f"nothing moved, of {told} features that can be told of {len(self.findings)}"

    @property
    def extent(self) -> str:
        """How much was compared with how much, in words."""
        known = self.reference
        return (
            f"{self.answers:,} answers to {self.posts:,} posts with {self.pictures:,} different pictures, against "
            f"{known['posts']:,} posts and {known['pictures']:,} pictures of {known['dataset']} and the links of "
            f"{known['answers']:,} mentions of its test"
        )

    @property
    def promise(self) -> str:
        """What the thresholds stand for, in words."""
        return (
            f"The thresholds let chance alone sound at most {self.false_alarms_per_year:g} alarms a year over all "
            "features, if rows are independent."
        )

    @property
    def causes(self) -> tuple[Cause, ...]:
        """What the alarm takes."""
        return tuple(
            Cause(report=self.name, feature=each.feature, distance=found, threshold=most, words=each.words)
            for each in self.of("moved")
            if (found := each.distance) is not None and (most := each.threshold) is not None
        )


def make_report(
    period: Period,
    reference: Reference,
    records: Records | None,
    feedback: Feedback | None,
    settings: MonitoringSettings,
    now: datetime,
) -> Report:
    """Compare a period with the training data. records, feedback: None where the service keeps none."""
    alpha = allowed(period, settings.false_alarms_per_year)
    return Report(
        period=period,
        made=now,
        reference=facts_of(reference),
        answers=records.answers.height if records else 0,
        posts=records.posts.height if records else 0,
        repeated=records.repeated if records else 0,
        pictures=records.pictures if records else 0,
        releases=_releases(records),
        skipped=records.skipped if records else (),
        feedback=feedback,
        false_alarms_per_year=settings.false_alarms_per_year,
        findings=compare(reference, records, feedback, settings, alpha),
        notes=tuple(_notes(reference, records, feedback)),
    )


def _releases(records: Records | None) -> dict[str, int]:
    if records is None:
        return {}
    return dict(records.answers["release"].value_counts().sort("count", descending=True).iter_rows())


def _notes(reference: Reference, records: Records | None, feedback: Feedback | None) -> Iterator[str]:
    if records is None:
        yield f"Nothing was compared: {RECORDS_OFF}."
    else:
        yield from _record_notes(reference, records)
    if feedback is None:
        yield "There is no feedback."
    elif feedback.mentions:
        yield _feedback_note(feedback)
    if feedback is not None and feedback.damaged:
        yield f"Lines of the feedback that can't be read and are left out: {feedback.damaged}."


def _record_notes(reference: Reference, records: Records) -> Iterator[str]:
    if records.answers.is_empty():
        yield f"Nothing was recorded in this period. If the service was asked, {RECORDS_OFF}."
    others = {name: count for name, count in _releases(records).items() if name != reference.release}
    if others and reference.release:
        by = ", ".join(f"{name} {count:,}" for name, count in others.items())
        yield (
            f"Of the answers {records.answers.height - sum(others.values()):,} are of the release {reference.release} "
            f"that these artifacts made; other releases gave others ({by}), and their chances may be others."
        )
    if records.repeated:
        yield f"{records.repeated:,} answers to a question that was asked before count once."
    if records.other_widths:
        yield f"{records.other_widths:,} image vectors are of another encoder and were not compared."
    if records.ahead:
        yield (
            f"{records.ahead:,} rows or files have a time that has not come yet and are left out: the clock of the "
            "service is, or was, ahead."
        )
    if records.skipped:
        shown = "; ".join(f"{each.file}: {each.reason}" for each in records.skipped[:MOST_SKIPPED])
        more = len(records.skipped) - MOST_SKIPPED
        also = f"; and {more} more" if more > 0 else ""
        yield f"Files of the records that can't be used and are left out: {len(records.skipped)} ({shown}{also})."


def _feedback_note(feedback: Feedback) -> str:
    share = Share(feedback.wrong, feedback.mentions)
    low, high = share.interval
    return (
        f"Feedback: of {feedback.mentions:,} mentions {feedback.wrong:,} were corrected, {100 * share.value:.0f} % "
        f"({100 * low:.0f} – {100 * high:.0f}). People report what they notice, errors above all, so that this is no "
        "accuracy; its change between periods may tell something."
    )
