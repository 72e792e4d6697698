"""How an archive is linked."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Group = Literal["auto", "mention", "none"]
ScaleOut = Literal["none", "ray"]


class ArchiveSettings(BaseModel):
    """How an archive is linked. The first three are part of its plan: they can't change once it is begun.

    shard_posts: posts of a shard, the unit of work that is lost when a run is killed; a worker holds one in memory.
    group: "mention" to bring posts with equal first mentions together over the whole archive, whose copy is sorted for
    it; "none" to take them in their order; "auto" for what costs less, see gemel.archive.grouping. top: candidates of
    each mention; None: all of the beam. processes: that link, each with a linker of its own; 1: this process, which a
    lack of memory may end. With Ray, actors; None: as many as its cluster holds. attempts: at a shard before it is
    named as failed. device: "auto", or a torch device.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shard_posts: int = Field(default=4096, ge=1)
    group: Group = "auto"
    top: int | None = Field(default=None, ge=1)
    processes: int | None = Field(default=None, ge=1)
    scale_out: ScaleOut = "none"
    attempts: int = Field(default=2, ge=1)
    device: str = "auto"


DEFAULTS = ArchiveSettings()
