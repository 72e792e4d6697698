"""A retraining run of a light project: `python -m benchmarks.light_run ROOT [promote|hold|refuse]`.

All of flows.retrain is real but the gate's answers: the light project has no linker, so the decision is given.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flows.promotion
from flows.command_line import errors_in_a_sentence
from flows.retrain import retrain
from gemel.core.artifacts import artifact_hash
from gemel.gate.budget import Spent
from gemel.gate.decision import Accuracies, Decision, Outcome, Provenance
from gemel.gate.frozen_posts import FrozenTest
from gemel.gate.settings import GateSettings


def given(outcome: str) -> Callable[..., Decision]:
    """In place of gemel.gate.evaluation.evaluate_and_decide: always one outcome, with a whole card."""

    def decide(champion: Path | None, challenger: Path, *_: object, facts: Mapping[str, Any], **__: object) -> Decision:
        others = {key: value for key, value in facts.items() if key != "run"}
        digest = None if champion is None else artifact_hash(champion)
        test = FrozenTest({"p2000": "0" * 16}, {})
        made = Provenance(
            facts["run"], datetime.now(UTC), digest, artifact_hash(challenger), None, test, "0" * 64, None, others
        )
        accuracies = Accuracies(None if champion is None else 0.9, 0.9)
        return Decision(Outcome(outcome), ("as given",), (), accuracies, True, 0.0, Spent(), GateSettings(), made)

    return decide


def main() -> None:
    """Run once."""
    root, outcome = Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "promote"
    flows.promotion.evaluate_and_decide = given(outcome)
    with errors_in_a_sentence():
        print(retrain(root).kind)


if __name__ == "__main__":
    main()
