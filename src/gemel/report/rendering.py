"""Pages that hold all they need: no file beside them, no request, and a policy that forbids any."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gemel.core.drafts import whole_file
from gemel.core.errors import RequestError

FOLDER = "page"
# What would end a script element or start a comment in it, and what JavaScript reads as a line break.
UNSAFE = str.maketrans({char: f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"})


def render(template: str, scripts: Sequence[str], data: Mapping[str, Any], **values: Any) -> str:
    """A page as HTML. template, scripts: files of the folder `page`; data: what the scripts read, JSON-able."""
    environment = Environment(
        loader=PackageLoader("gemel.report", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "words": lambda name: str(name).replace("_", " ")}
    script = "\n".join(_asset(name) for name in scripts)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return environment.get_template(template).render(
        policy=policy, style=Markup(_asset("style.css")), script=Markup(script), data=script_json(data), **values
    )


def script_json(value: object) -> Markup:
    """JSON that can stand in a script element whatever text it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.translate(UNSAFE))


def write_page(path: Path, page: str) -> int:
    """Write a page whole or not at all. Returns: its bytes.

    Raises: RequestError if it can't be written there.
    """
    # A lone surrogate, which JSON lines may hold, has no UTF-8.
    content = page.encode("utf-8", errors="replace")
    try:
        with whole_file(path) as draft:
            draft.write_bytes(content)
    except OSError as error:
        raise RequestError(f"{path}: can't be written ({error}); choose another file with --html") from error
    return len(content)


def percent(value: float) -> str:
    """A share in %, with one decimal."""
    return f"{100 * value:.1f}"


def _asset(name: str) -> str:
    return (files("gemel.report") / FOLDER / name).read_text(encoding="utf-8")
