"""What may be said of one slice."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from gemel.gate.bounds import chance_of, enough, least_gain
from gemel.gate.graded import Paired


class Verdict(StrEnum):
    """What became of a slice, from the champion to the challenger."""

    BETTER = "better"
    NO_WORSE = "no worse than the margin"
    WORSE = "worse"
    DROPPED = "dropped beyond its margin"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class SliceVerdict:
    """A slice with its verdict.

    least: the change of accuracy lies above this, but for a chance of alpha; None without a champion. enough: mentions
    that could show the margin, if not one answer changed. too_small: fewer than that count.
    """

    slice: Paired
    margin: float
    least: float | None
    enough: int
    too_small: bool
    verdict: Verdict

    @property
    def title(self) -> str:
        """The slice in words: "source 'twitter'"."""
        name = self.slice.dimension.replace("_", " ").replace("nil", "NIL")
        return f"{name} {self.slice.group!r}" if self.slice.group else name


def judge(pair: Paired, margin: float, alpha: float, refusal_level: float) -> SliceVerdict:
    """The verdict on a slice.

    alpha: how often "better" and "no worse than the margin" may be wrong. refusal_level: how often chance alone may say
    "worse", or "dropped beyond its margin" where the slice is too small for the margin; elsewhere a drop that was seen
    suffices for that.
    """
    fixed, broken, n = (count / pair.effect for count in (pair.fixed, pair.broken, pair.n))
    least, wanted = least_gain(fixed, broken, n, alpha), enough(margin, alpha)
    too_small = n < wanted
    surely_worse = chance_of(broken, fixed) <= refusal_level
    if chance_of(fixed, broken) <= alpha:
        verdict = Verdict.BETTER
    elif pair.gain < -margin and (surely_worse or not too_small):
        verdict = Verdict.DROPPED
    elif least > -margin:
        verdict = Verdict.NO_WORSE
    else:
        verdict = Verdict.WORSE if surely_worse else Verdict.CANNOT_TELL
    return SliceVerdict(pair, margin, least, wanted, too_small, verdict)


def unjudged(pair: Paired, margin: float, alpha: float) -> SliceVerdict:
    """The slice of a first champion, which there is nothing to compare with."""
    wanted = enough(margin, alpha)
    return SliceVerdict(pair, margin, None, wanted, pair.n < wanted, Verdict.CANNOT_TELL)
