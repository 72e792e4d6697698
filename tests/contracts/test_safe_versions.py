"""Libraries with known holes are neither locked nor allowed: the floors that are held without an advisory database."""

import re
import tomllib

import pytest
from documents import ROOT
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

# Name -> versions that may be installed, and the last one that may not.
FLOORS = {
    "torch": (">2.10", "2.10.0"),
    "transformers": (">=5.3", "5.2.0"),
    "lightning": (">=2.6.6", "2.6.5"),
    "bentoml": (">=1.4.39", "1.4.38"),
    "pillow": (">=12.3", "12.2.0"),
    "prefect": (">3.6.19", "3.6.19"),
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = {canonicalize_name(found.name): found for found in map(Requirement, PROJECT["dependencies"])}
LOCKED = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.lock").read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("library", FLOORS)
def test_locked_version_is_above_the_floor(library: str) -> None:
    assert LOCKED[library] in SpecifierSet(FLOORS[library][0])


@pytest.mark.parametrize("library", FLOORS)
def test_version_below_the_floor_can_not_be_installed(library: str) -> None:
    assert FLOORS[library][1] not in WANTED[library].specifier
