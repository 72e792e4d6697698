"""Stage `demonstrations`: the solved mentions, and those that are shown with each mention."""

from __future__ import annotations

from gemel.core.artifacts import new_artifact, read_manifest
from gemel.core.config import load_section
from gemel.core.settings import DemonstrationSettings, RuntimeSettings
from gemel.posts.tables import Tables
from gemel.retrieval.scorers import make_scorer
from gemel.stages import DEMONSTRATIONS, POSTS
from gemel.tasks.linking.demonstrations import CORPUS, CORPUS_SCHEMA, choose_for_all, chosen_path, solved_mentions


def main() -> None:
    """Choose demonstrations from the training split for every mention of every split, by each method asked for."""
    settings = load_section("demonstrations", DemonstrationSettings)
    device = load_section("runtime", RuntimeSettings).torch_device
    read_manifest(POSTS, "posts")
    tables = Tables.read(POSTS)
    solved = solved_mentions(tables.mentions, tables.posts, tables.entities, "train")
    facts = {"corpus": solved.height, "mentions": tables.mentions.height, "methods": settings.methods}
    with new_artifact(DEMONSTRATIONS, "demonstrations", facts) as draft:
        solved.select(*CORPUS_SCHEMA).write_parquet(draft / CORPUS)
        for method in settings.methods:
            scorer = make_scorer(
                method, solved["mention"].to_list(), seed=settings.seed, encoder=settings.encoder, device=device
            )
            chosen = choose_for_all(tables.mentions, solved, scorer, settings.count)
            chosen.write_parquet(chosen_path(draft, method))


if __name__ == "__main__":
    main()
