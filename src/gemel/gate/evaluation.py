"""The gate as a retraining run asks it: both releases answer the same questions, and it is decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from gemel.core.artifacts import artifact_hash
from gemel.core.config import PARAMS, load_section, read_params
from gemel.core.errors import DataError
from gemel.core.schema import Post
from gemel.core.settings import EvaluationSettings, RuntimeSettings
from gemel.gate.audits import JudgedMentions, plain, read_audits
from gemel.gate.card import asked_posts, check_facts, read_cards, spent_within_a_year
from gemel.gate.decision import Decision, Provenance, decide
from gemel.gate.frozen_posts import RESTORE, FrozenTest, expect_frozen, read_frozen_test
from gemel.gate.graded import Graded
from gemel.gate.settings import GateSettings
from gemel.posts.tables import Tables
from gemel.release_facts import read_facts
from gemel.stages import DATA, IMAGE_FEATURES, POSTS
from gemel.stages.dataset import dataset_in_use

if TYPE_CHECKING:
    from gemel.gate.questions import Questions
    from gemel.predictor import Linker, Opened

TEST_OF_PROTOCOL = "graded mentions SHA-256, test"


@dataclass(frozen=True)
class _Compared:
    """Both sides' answers. champion: None if there is none."""

    champion: Graded | None
    challenger: Graded
    catalog: str
    audit_left_out: Mapping[str, int] | None


def evaluate_and_decide(
    champion: Path | None,
    challenger: Path,
    worktree: Path,
    *,
    new_data: bool,
    settings: GateSettings,
    cards: Path,
    audit: Path | None,
    facts: Mapping[str, Any],
    now: datetime | None = None,
) -> Decision:
    """Have both releases answer the frozen test set and the judged links, and decide on the challenger.

    champion, challenger: their bundles; champion: None if there is none yet. worktree: the project that the challenger
    was made in, with its data and artifacts. new_data: whether there are more than the champion was made of. cards: the
    decisions before. audit: folder of judged links, see audits; None: there are none.
    facts: of the run: "run", its id; and as they are known "batch", "mapper_start" (scratch or champion), "intake"
    (counts by what became of rows), all else that the card is to state. now: None for the clock's.
    Raises: DataError if a card is damaged or gone, the facts are none, the test set is not the one the champion was
    graded on, or an audit is not whole; ArtifactError if a release or an artifact is damaged, or the two can't be
    compared.
    """
    # Decisions first: there is no use in linking for minutes to fail then.
    before, when = read_cards(cards), now or datetime.now(UTC)
    check_facts(facts, before)
    # A pointer that moves must not make two releases of one.
    champion = None if champion is None else champion.resolve()
    data_set = worktree / DATA / dataset_in_use(read_params(worktree / PARAMS))
    tables = Tables.read(worktree / POSTS)
    frozen = read_frozen_test(data_set, dict(tables.posts.select("post_id", "image_sha256").iter_rows()))
    if champion is not None:
        _expect_whole(champion)
        known = asked_posts(cards, before, artifact_hash(champion))
        if known is None:
            _expect_same_protocol(champion, challenger)
        else:
            expect_frozen(known, frozen, str(data_set))
    found = _compare(champion, challenger, worktree, tables, frozen, audit)
    spent = spent_within_a_year(before, when, frozen.fingerprint)
    decision = decide(found.champion, found.challenger, new_data=new_data, settings=settings, spent=spent)
    return replace(decision, provenance=_provenance(found, worktree, frozen, facts, when))


def _expect_whole(champion: Path) -> None:
    """Raises: ArtifactError if the champion is gone or damaged."""
    read_facts(champion, advice="bring the champion back (`dvc checkout`), or promote another release by hand")


def _compare(
    champion: Path | None, challenger: Path, worktree: Path, tables: Tables, frozen: FrozenTest, audit: Path | None
) -> _Compared:
    from gemel.gate.sides import grade, open_champion

    linker = _load(challenger, worktree)
    new = linker.opened
    former = None if champion is None else open_champion(champion, linker)
    sides = [new] if former is None else [former, new]
    judged = _judged(audit, tables, sides)
    questions = _questions(worktree, tables, frozen, sides, () if judged is None else judged.posts)
    first = None if champion is None or former is None else grade(linker, former, champion, questions)
    second = grade(linker, new, challenger, questions)
    return _Compared(first, second, new.bundle.catalog.names_sha256, None if judged is None else judged.left_out)


def _load(challenger: Path, worktree: Path) -> Linker:
    from gemel.predictor import Linker

    runtime = load_section("runtime", RuntimeSettings, worktree / PARAMS)
    return Linker.load(challenger, root=worktree, device=runtime.torch_device, tokens_at_once=runtime.tokens_at_once)


def _judged(audit: Path | None, tables: Tables, sides: list[Opened]) -> JudgedMentions | None:
    if audit is None:
        return None
    texts = [tables.posts["text"], *(side.bundle.demonstrations["text"] for side in sides)]
    taken = {plain(text) for each in texts for text in each.to_list()}
    return read_audits(audit, sides[-1].bundle.catalog, taken)


def _questions(
    worktree: Path, tables: Tables, frozen: FrozenTest, sides: list[Opened], judged: tuple[Post, ...]
) -> Questions:
    """The questions, their slices by the training of the champion, or of a challenger that is to be the first one."""
    from gemel.features.store import FeatureStore
    from gemel.gate.questions import make_questions, trained_counts

    catalog = sides[-1].bundle.catalog
    return make_questions(
        tables,
        frozen,
        catalog,
        trained_counts(sides[0].bundle.demonstrations, catalog),
        load_section("evaluation", EvaluationSettings, worktree / PARAMS).tail_at_most,
        FeatureStore(worktree / IMAGE_FEATURES),
        judged,
    )


def _expect_same_protocol(champion: Path, challenger: Path) -> None:
    """Compare what the releases state of the mentions that they were graded on, where no card knows the posts.

    Raises: DataError if the champion states nothing, or they differ.
    """
    before, now = (read_facts(folder)["protocol"].get(TEST_OF_PROTOCOL) for folder in (champion, challenger))
    if before is None:
        raise DataError(
            f"{champion}: neither its manifest nor a decision card says which test set it was graded on; make it anew "
            "with `dvc repro evaluation release`"
        )
    if before != now:
        raise DataError(
            f"{champion}: graded on the test mentions {before[:12]}…, but {challenger} on {str(now)[:12]}…, and no "
            f"decision card says which posts the first ones were; {RESTORE}"
        )


def _provenance(
    found: _Compared, worktree: Path, frozen: FrozenTest, facts: Mapping[str, Any], now: datetime
) -> Provenance:
    others = dict(facts)
    return Provenance(
        run=str(others.pop("run")),
        time=now,
        champion=None if found.champion is None else found.champion.digest,
        challenger=found.challenger.digest,
        data_dvc=_data_hash(worktree / "data.dvc"),
        test=frozen,
        catalog=found.catalog,
        audit_left_out=found.audit_left_out,
        facts=others,
    )


def _data_hash(path: Path) -> str | None:
    """What DVC names the data by; None where they aren't tracked. Raises: DataError if the file is damaged."""
    if not path.is_file():
        return None
    try:
        return str(yaml.safe_load(path.read_text(encoding="utf-8"))["outs"][0]["md5"])
    except (yaml.YAMLError, LookupError, TypeError) as error:
        raise DataError(f"{path}: damaged ({error}); bring it back from git") from None
