"""What is installed, against what the package states that it needs; and what this machine has."""

from __future__ import annotations

import importlib.metadata
import shutil
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch
from huggingface_hub import constants
from packaging.requirements import Requirement

PROJECT = "gemel"


@dataclass(frozen=True)
class Package:
    """A package that is needed: its version here, or None, and the versions that will do."""

    name: str
    wanted: str
    found: str | None

    @property
    def suits(self) -> bool:
        """Whether it is here in a version that will do."""
        return self.found is not None and Requirement(f"x{self.wanted}").specifier.contains(
            self.found, prereleases=True
        )


@dataclass(frozen=True)
class Extra:
    """An optional part of the package. missing: packages that it needs and that aren't here or too old."""

    name: str
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """gpu: name of the card, or None. gpu_bytes, ram_bytes: free memory. disks: folder -> free bytes."""

    gpu: str | None
    gpu_bytes: int
    ram_bytes: int
    disks: dict[str, int]

    @property
    def device(self) -> str:
        """The torch device that models go to."""
        return "cpu" if self.gpu is None else "cuda"

    @property
    def model_bytes(self) -> int:
        """Free memory of that device."""
        return self.ram_bytes if self.gpu is None else self.gpu_bytes


def packages() -> list[Package]:
    """Every package that gemel depends on, optional ones left out."""
    return [_package(wanted) for wanted in _requirements("")]


def extras() -> list[Extra]:
    """The optional parts, and what each lacks."""
    names = importlib.metadata.metadata(PROJECT).get_all("Provides-Extra") or []
    found = {name: [_package(wanted) for wanted in _requirements(name)] for name in names}
    return [Extra(name, tuple(each.name for each in needed if not each.suits)) for name, needed in found.items()]


def machine(project: Path = Path()) -> Machine:
    """What this machine has free. project: the folder whose disk matters, beside that of the Hugging Face cache."""
    gpu = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    return Machine(
        gpu=gpu,
        gpu_bytes=0 if gpu is None else int(torch.cuda.mem_get_info()[0]),
        ram_bytes=int(psutil.virtual_memory().available),
        disks={"project": _disk_free(project.resolve()), "model cache": _disk_free(Path(constants.HF_HUB_CACHE))},
    )


def _requirements(extra: str) -> list[Requirement]:
    """What the package, or one of its extras alone, requires on this machine."""
    stated = [Requirement(line) for line in importlib.metadata.requires(PROJECT) or []]
    always = [each for each in stated if each.marker is None or each.marker.evaluate({"extra": ""})]
    if not extra:
        return always
    return [each for each in stated if each not in always and each.marker and each.marker.evaluate({"extra": extra})]


def _package(wanted: Requirement) -> Package:
    try:
        found = importlib.metadata.version(wanted.name)
    except importlib.metadata.PackageNotFoundError:
        found = None
    return Package(wanted.name, str(wanted.specifier), found)


def _disk_free(folder: Path) -> int:
    """Free bytes where a folder is, or would be made."""
    return shutil.disk_usage(next(each for each in (folder, *folder.parents) if each.is_dir())).free
