"""How docstrings are shown: what they say of each parameter, of the outcome and of errors becomes a list."""

from __future__ import annotations

import re
from typing import Any

import griffe

OUTCOMES = ("Returns", "Raises", "Yields")
# Names and a colon, where a sentence begins.
POINT = re.compile(r"(?:^|(?<=[.;)] ))(?P<names>[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*): ")


class Points(griffe.Extension):
    """Turns such sentences into Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite an object's docstring."""
        if obj.docstring is not None and (obj.is_function or obj.is_class):
            known = {parameter.name for parameter in obj.parameters} | set(obj.members)
            obj.docstring.value = as_markdown(obj.docstring.value, known)


def as_markdown(docstring: str, known: set[str]) -> str:
    """The same text, its points as a list. known: names of parameters and attributes, which alone begin a point."""
    paragraphs = re.split(r"\n\s*\n", docstring)
    return "\n\n".join(paragraph if _is_code(paragraph) else _listed(paragraph, known) for paragraph in paragraphs)


def _is_code(paragraph: str) -> bool:
    return paragraph.startswith(("    ", "```", "- "))


def _listed(paragraph: str, known: set[str]) -> str:
    text = " ".join(line.strip() for line in paragraph.splitlines())
    starts = [
        found
        for found in POINT.finditer(text)
        if found["names"] in OUTCOMES or known.issuperset(found["names"].split(", "))
    ]
    if not starts:
        return text
    ends = [found.start() for found in starts[1:]] + [len(text)]
    points = [
        f"- {_shown(found['names'])}: {text[found.end() : end].rstrip()}"
        for found, end in zip(starts, ends, strict=True)
    ]
    return "\n".join([text[: starts[0].start()].rstrip(), "", *points]).lstrip()


def _shown(names: str) -> str:
    return f"*{names}*" if names in OUTCOMES else ", ".join(f"`{name}`" for name in names.split(", "))
