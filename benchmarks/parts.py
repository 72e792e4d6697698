"""The command line of a benchmark that has parts."""

from __future__ import annotations

import argparse
from collections.abc import Collection


def parts_parser(description: str | None, parts: Collection[str], quick: str) -> argparse.ArgumentParser:
    """A parser that knows PART…, --quick and --json. quick: what --quick does, for the help."""

    def known(part: str) -> str:
        if part not in parts:
            raise argparse.ArgumentTypeError(f"no part {part!r}; there are {', '.join(parts)}")
        return part

    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", type=known, metavar="PART", help=f"some of {', '.join(parts)}; none: all")
    parser.add_argument("--quick", action="store_true", help=quick)
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    return parser
