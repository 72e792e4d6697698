"""Where an intake reads, and where it keeps what it knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gemel.core.errors import ConfigError
from gemel.intake.settings import IntakeSettings

STATE = Path(".gemel")
DROP, FEEDBACK_FOLDER, INTAKE = STATE / "drop", STATE / "feedback", STATE / "intake"


@dataclass(frozen=True)
class Places:
    """Folders and files of a project.

    drop: SOURCE/BATCH/ in it. feedback: of the service. intake: the folder of all that follows. ledger: what became
    of batches and rows. quarantine: rows that a person has to look at, and rows that can never come in. images: theirs,
    by SHA-256.
    """

    drop: Path
    feedback: Path
    intake: Path

    @property
    def ledger(self) -> Path:
        """JSON lines, in the order in which things happened."""
        return self.intake / "ledger.jsonl"

    @property
    def quarantine(self) -> Path:
        """JSON lines, in the order in which rows came."""
        return self.intake / "quarantine.jsonl"

    @property
    def images(self) -> Path:
        """Of quarantined rows."""
        return self.intake / "images"

    def refused(self, run: str, source: str, batch: str) -> Path:
        """Where a batch goes whose model was refused."""
        return self.intake / "refused" / run / source / batch


def state_places(root: Path) -> Places:
    """The default places of a project. root: its folder."""
    return Places(root / DROP, root / FEEDBACK_FOLDER, root / INTAKE)


def places_of(root: Path, settings: IntakeSettings) -> Places:
    """The places that settings name.

    Raises: ConfigError if a drop folder is configured and not there.
    """
    default = state_places(root)
    drop = default.drop if settings.drop is None else root / settings.drop
    if settings.drop is not None and not drop.is_dir():
        raise ConfigError(
            f"{drop}: no such folder, but the setting intake.drop names it; make it with `mkdir -p {drop}`, or mount it"
        )
    return Places(drop, default.feedback if settings.feedback is None else root / settings.feedback, default.intake)
