"""A comparison of two runs as one HTML page."""

from __future__ import annotations

from gemel.report.comparable import SPLIT
from gemel.report.compare import Comparison, browser_rows
from gemel.report.rendering import render


def comparison_page(found: Comparison) -> str:
    """The page as HTML."""
    return render(
        "compare.html",
        ["browser.js", "compare.js"],
        {"mentions": browser_rows(found)},
        title=f"gemel: {found.b.name} against {found.a.name}",
        found=found,
        split=SPLIT,
    )
