"""The gate over two releases of the tiny project, from bundles to a card."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from audit.sampled import draw, fill
from linked_posts import CAR, CAT

from gemel.core.artifacts import MANIFEST, artifact_hash, file_sha256
from gemel.core.errors import ArtifactError, DataError
from gemel.gate.audits import OPEN, UNSURE
from gemel.gate.card import read_cards, write_decision
from gemel.gate.decision import Decision, Outcome
from gemel.gate.evaluation import evaluate_and_decide
from gemel.gate.settings import GateSettings
from gemel.mapper.mapper import WEIGHTS

pytestmark = pytest.mark.filterwarnings("ignore:The tiny models know nothing")
CHALLENGER = Path("artifacts/release")


def approve(release: Path, **facts: object) -> None:
    """Make a changed bundle's manifest true again. facts: replace those of the manifest."""
    manifest = json.loads((release / MANIFEST).read_text())
    manifest["facts"] |= facts
    for name, entry in manifest["files"].items():
        entry.update(bytes=(release / name).stat().st_size, sha256=file_sha256(release / name))
    (release / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def champion(in_project: Path, tmp_path: Path) -> Path:
    """The project's release with another mapper."""
    release = shutil.copytree(in_project / CHALLENGER, tmp_path / "champion")
    mapper = in_project / "artifacts/mapper"
    best = json.loads((mapper / "summary.json").read_text())["best_seed"]
    shutil.copyfile(mapper / f"seed-{1 - best}" / WEIGHTS, release / WEIGHTS)
    approve(release)
    return release


def decide(champion: Path | None, root: Path, cards: Path, **more: Any) -> Decision:
    given: dict[str, Any] = {"new_data": True, "settings": GateSettings(), "audit": None, "facts": {"run": "r1"}}
    return evaluate_and_decide(champion, root / CHALLENGER, root, cards=cards, **given | more)


def test_both_releases_answer_the_same_mentions(champion: Path, in_project: Path, tmp_path: Path) -> None:
    found = decide(champion, in_project, tmp_path / "decisions")
    assert {each.slice.dimension: each.slice.n for each in found.slices} == {
        "overall": 5,
        "tail": 0,
        "unseen": 0,
        "nil": 1,
        "nil_false_alarms": 5,
        "source": 0,
        "audit": 0,
    }
    assert found.outcome is Outcome.HOLD
    assert "overall: cannot tell, its 5 mentions are too few for a margin of 2 points; 230 could do" in found.why


def test_decision_becomes_a_card_that_the_next_one_counts(champion: Path, in_project: Path, tmp_path: Path) -> None:
    cards = tmp_path / "decisions"
    write_decision(decide(champion, in_project, cards), cards / "r1")
    (card,) = read_cards(cards)
    assert card.releases.champion == artifact_hash(champion)
    assert card.releases.challenger == artifact_hash(in_project / CHALLENGER)
    again = decide(champion, in_project, cards, facts={"run": "r2"})
    assert [each.run for each in again.spent.decisions] == ["r1"]


def test_judged_links_count_beside_the_test_set(champion: Path, in_project: Path, tmp_path: Path) -> None:
    kinds = [(f"p{place}", f"The Jaguar slept {place}", {"mention": "Jaguar"}, (CAR, CAT)) for place in range(4)]
    sample = draw(tmp_path, 4, kinds)
    fill(sample, sample / "anna.csv", {0: "correct", 1: "correct", 2: "unsure"})
    found = decide(champion, in_project, tmp_path / "decisions", audit=tmp_path)
    sizes = {each.slice.dimension: each.slice.n for each in found.slices}
    assert (sizes["overall"], sizes["audit"]) == (5, 2)
    assert found.provenance is not None
    assert found.provenance.audit_left_out == {OPEN: 1, UNSURE: 1}


def test_release_is_no_worse_than_itself(in_project: Path, tmp_path: Path) -> None:
    found = decide(in_project / CHALLENGER, in_project, tmp_path)
    assert {(each.slice.fixed, each.slice.broken) for each in found.slices} == {(0, 0)}
    assert found.why == ("the challenger is the champion, byte for byte; there is nothing to promote",)


def test_first_champion_is_graded_alone(in_project: Path, tmp_path: Path) -> None:
    found = decide(None, in_project, tmp_path, settings=GateSettings(first_accuracy=0.0))
    assert found.outcome is Outcome.PROMOTE
    assert found.accuracies.champion is None


def test_test_post_that_was_changed_is_named(champion: Path, project_copy: Path, tmp_path: Path) -> None:
    cards = tmp_path / "decisions"
    write_decision(decide(champion, project_copy, cards), cards / "r1")
    posts = project_copy / "data/tiny/posts.jsonl"
    posts.write_text(posts.read_text().replace("All about Amazon today", "All about Amazon tonight"))
    with pytest.raises(DataError, match=r"data/tiny: not the test posts that the champion was .*: 1 changed \(p"):
        decide(champion, project_copy, cards, facts={"run": "r2"})


def test_without_a_card_the_releases_must_state_the_same_test_set(
    champion: Path, in_project: Path, tmp_path: Path
) -> None:
    protocol = json.loads((champion / MANIFEST).read_text())["facts"]["protocol"]
    approve(champion, protocol=protocol | {"graded mentions SHA-256, test": "0" * 64})
    with pytest.raises(DataError, match=r"champion: graded on the test mentions 000000000000…, but .*/release on "):
        decide(champion, in_project, tmp_path / "decisions")
    approve(champion, protocol={})
    with pytest.raises(DataError, match=r"champion: neither its manifest nor a decision card says which test set"):
        decide(champion, in_project, tmp_path / "decisions")


def test_champion_of_another_tokenizer_is_refused(champion: Path, in_project: Path, tmp_path: Path) -> None:
    approve(champion, tokenizer="f" * 64)
    words = r"the champion can't be asked what the challenger is asked: .*trie was built for tokenizer ffffffffffff"
    with pytest.raises(ArtifactError, match=words):
        decide(champion, in_project, tmp_path / "decisions")


def test_champion_that_is_gone_is_named(in_project: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone: no manifest.json, .*; bring the champion back \(`dvc checkout`\)"):
        decide(tmp_path / "gone", in_project, tmp_path / "decisions")


def test_pointer_is_followed_once(champion: Path, in_project: Path, tmp_path: Path) -> None:
    (tmp_path / "pointer").symlink_to(champion)
    found = decide(tmp_path / "pointer", in_project, tmp_path / "decisions")
    assert found.provenance is not None
    assert found.provenance.champion == artifact_hash(champion)


def test_damaged_card_stops_before_anything_is_linked(in_project: Path, tmp_path: Path) -> None:
    (tmp_path / "r0").mkdir()
    with pytest.raises(DataError, match=r"r0/card.json: no such card"):
        evaluate_and_decide(
            None,
            tmp_path / "no release",
            in_project,
            new_data=True,
            settings=GateSettings(),
            cards=tmp_path,
            audit=None,
            facts={"run": "r1"},
        )
