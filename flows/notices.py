"""Telling people what a flow did, through Prefect's notification blocks."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import get_run_logger, task
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.cache_policies import NO_CACHE


@task(cache_policy=NO_CACHE)
def notify(blocks: Sequence[str], subject: str, body: str) -> tuple[str, ...]:
    """Send a message through each block; one that can't be reached is told in the log, and the others get theirs.

    blocks: slugs of notification blocks, as "slack-webhook/team".
    Returns: the blocks that took it.
    """
    log, took = get_run_logger(), []
    log.info(f"{subject}\n{body}")
    for slug in blocks:
        # Whatever goes wrong in somebody else's service must not undo what the flow did.
        try:
            block = Block.load(slug)
            if not isinstance(block, NotificationBlock):
                raise TypeError(f"a {type(block).__name__} is no notification block")
            block.notify(body, subject)  # type: ignore[unused-coroutine] # Prefect awaits it where nobody else can
        except Exception as error:
            log.warning(f"{slug}: the message could not be sent ({error}); look at the block on Prefect's page")
        else:
            took.append(slug)
    return tuple(took)
