"""What mkdocs is told of this repository: pages that lie outside docs/, links that lead out of it, globs in the nav."""

from __future__ import annotations

import fnmatch
import logging
import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

log = logging.getLogger("mkdocs.hooks.gemel")
ROOT = Path(__file__).parents[1]
# Pages of the site that are read where they lie: file of the repository -> page.
BORROWED = {"README.md": "index.md", "benchmarks/RESULTS.md": "results/benchmarks.md"}
MADE_BY_STAGES = "artifacts/"
# Links, and the code in which there are none.
LINK = re.compile(
    r"```.*?^```|(?P<picture>!?)\[(?P<words>[^\]]*)\]\((?P<target>[^)\s]+)\)|`[^`\n]*`", re.DOTALL | re.MULTILINE
)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put pages in the place of the nav's globs."""
    pages = {path.relative_to(config.docs_dir).as_posix() for path in Path(config.docs_dir).rglob("*.md")}
    config.nav = _expanded(config.nav, pages - _named(config.nav))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the borrowed pages."""
    for source, page in BORROWED.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: Any) -> str:
    """Make links of the repository links of the site."""
    uri = page.file.src_uri
    source = next((source for source, borrowed in BORROWED.items() if borrowed == uri), f"docs/{uri}")
    return LINK.sub(lambda found: _relinked(found, source, uri) if found["target"] else found[0], markdown)


def _relinked(link: re.Match[str], source: str, uri: str) -> str:
    target, _, anchor = link["target"].partition("#")
    if not target or ":" in target:
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
    behind = f"#{anchor}" if anchor else ""
    if place in BORROWED or place.startswith("docs/"):
        page = BORROWED.get(place, place.removeprefix("docs/"))
        return f"{link['picture']}[{link['words']}]({os.path.relpath(page, posixpath.dirname(uri) or '.')}{behind})"
    if not (ROOT / place).exists() and not place.startswith(MADE_BY_STAGES):
        log.warning(f"{source}: links to {target}, which the repository does not have")
    # The site lies in the repository, one folder down. As HTML, for mkdocs knows the files of docs/ alone.
    up = "../" * (1 + uri.count("/"))
    return f'<a href="{up}{place}">{link["words"]}</a>'


def _named(nav: Any) -> set[str]:
    if isinstance(nav, str):
        return {nav}
    entries = nav.values() if isinstance(nav, dict) else nav
    return {name for entry in entries for name in _named(entry)}


def _expanded(nav: Any, free: set[str]) -> Any:
    """The nav with pages in place of globs; each page is taken by the first glob that matches."""
    if isinstance(nav, dict):
        return {title: _expanded(entry, free) for title, entry in nav.items()}
    if not isinstance(nav, list):
        return nav
    found: list[Any] = []
    for entry in nav:
        if isinstance(entry, str) and "*" in entry:
            pages = sorted(fnmatch.filter(free, entry))
            free.difference_update(pages)
            found += pages
        else:
            found.append(_expanded(entry, free))
    return found
