"""Pages that load nothing and hold any text."""

import json
import re
from pathlib import Path

import pytest

from gemel.core.errors import RequestError
from gemel.report.rendering import script_json, write_page

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 & ' \" 😀 مرحبا"


def test_any_text_stays_inside_its_script_element() -> None:
    written = script_json({"text": HOSTILE})
    assert json.loads(written) == {"text": HOSTILE}
    assert not re.search(r"[<>&\u2028]", written)


def test_page_that_can_not_be_written_says_where(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"no/page\.html: can't be written .*; choose another file with --html"):
        write_page(tmp_path / "no" / "page.html", "page")


def test_lone_surrogate_is_replaced(tmp_path: Path) -> None:
    assert write_page(tmp_path / "page.html", "a\ud800") == 2
    assert (tmp_path / "page.html").read_text() == "a?"
