"""The report in a real browser: offline, without a word on the console, on a narrow screen too."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from made_up_service import NOW, WEEK, WIDTH, answers, record

from gemel.monitoring.feedback import Feedback
from gemel.monitoring.files import PAGE, write_report
from gemel.monitoring.records import read_records
from gemel.monitoring.reference import Reference
from gemel.monitoring.report import make_report
from gemel.monitoring.settings import MonitoringSettings


def write_page(training_data: Reference, root: Path, rows: pl.DataFrame | None, feedback: Feedback | None) -> Path:
    records = None
    if rows is not None:
        record(root / "records", rows)
        records = read_records(root / "records", WEEK, NOW, width=WIDTH, most_images=300)
    settings = MonitoringSettings(most_images=300)
    return write_report(root, make_report(WEEK, training_data, records, feedback, settings, NOW)) / PAGE


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_quiet_and_fits(
    browser: Any, training_data: Reference, tmp_path: Path, width: int, scheme: str
) -> None:
    rows = answers(300).with_columns(text_length=pl.col("text_length") + 30)
    said: list[str] = []
    asked_for: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked_for.append(request.url))
    page.goto(write_page(training_data, tmp_path, rows, Feedback(9, 6, 0)).as_uri())
    assert "Moved: length of the texts." in page.inner_text("header")
    assert page.locator("figure svg polyline").count() == 4
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    assert len(asked_for) == 1
    page.close()


def test_page_of_a_service_without_records_says_so(browser: Any, training_data: Reference, tmp_path: Path) -> None:
    page = browser.new_page()
    page.goto(write_page(training_data, tmp_path, None, None).as_uri())
    assert "Nothing can be told." in page.inner_text("header")
    assert "set `records: numbers`" in page.inner_text("#notes")
    page.close()
