"""Asks the advisory database about what requirements.lock pins.

Its own client, pip-audit, finds no holes in what the database does not know, and calls that none. Here what was not
audited is said; where nothing was, it is an error, or with --if-reachable a line that says that the check was skipped.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"


def ask() -> list[dict[str, Any]]:
    """One entry for each pinned library, with skip_reason or vulns; none if there was no answer at all."""
    command = ["-m", "pip_audit", "-r", str(LOCK), "--no-deps", "--disable-pip", "--progress-spinner=off"]
    done = subprocess.run([sys.executable, *command, "--format=json"], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        print(done.stderr.strip().splitlines()[-1:])
        return []
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--if-reachable", action="store_true", help="no error where the database can't be reached")
    settings = parser.parse_args()
    answers = ask()
    audited = [each for each in answers if "skip_reason" not in each]
    holes = [(each["name"], each["version"], hole["id"]) for each in audited for hole in each["vulns"]]
    for name, version, hole in holes:
        print(f"{name} {version}: {hole}")
    if not audited:
        print("dependency audit SKIPPED: the advisory database can't be reached from here; run `make audit` elsewhere")
        return 0 if settings.if_reachable else 1
    print(f"{len(audited)} of {len(answers)} libraries audited, {len(holes)} holes")
    return 1 if holes else 0


if __name__ == "__main__":
    sys.exit(main())
