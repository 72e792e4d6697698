"""Contexts that were read, kept for the searches to come: a hot mention's demonstrations are not read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from threading import Lock

from torch import Tensor

# The keys and the values of each layer, (heads, positions, head_dim).
Layers = tuple[tuple[Tensor, Tensor], ...]

# Looked up so often, a context is kept: one that comes once would drive out those that come again.
SIGHTS = 2
# Sights are remembered, a hash each, of twice as many contexts as are held, but of no fewer than these. One that comes
# again later than that would be given up before it comes a third time.
_LEAST_REMEMBERED = 64


@dataclass(frozen=True)
class KeptFacts:
    """contexts, size: how many are held, and their bytes. found, missed: look-ups so far."""

    contexts: int
    size: int
    found: int
    missed: int


@dataclass(frozen=True)
class _Kept:
    layers: Layers
    size: int


class KeptContexts:
    """Keys and values of contexts by key; the least recently used make room for others. Threads may share it.

    Equal keys must stand for equal contexts of one LLM. max_bytes: of all keys and values together; falls by half when
    memory runs out, and stays there.
    """

    def __init__(self, max_bytes: int, sights: int = SIGHTS) -> None:
        """sights: look-ups of a context, the present one included, before it is kept."""
        self.max_bytes, self._sights = max_bytes, sights
        self._held: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._seen: OrderedDict[int, int] = OrderedDict()
        self._size = self._found = self._missed = 0
        self._lock = Lock()

    def find(self, key: Hashable) -> Layers | None:
        """The keys and values of a context, or None where it is not kept; the latter counts as a sight of it."""
        with self._lock:
            kept = self._held.get(key)
            if kept is None:
                self._missed += 1
                self._note_sight(hash(key))
                return None
            self._found += 1
            self._held.move_to_end(key)
            return kept.layers

    def keep(self, key: Hashable, size: int, copy: Callable[[], Layers]) -> None:
        """Keep a context that was seen often enough, unless it alone is larger than all may be.

        size: bytes of what copy returns. copy is called once there is room, or not at all; where it fails, nothing is
        kept.
        """
        with self._lock:
            if key in self._held or size > self.max_bytes or self._seen.get(hash(key), 0) < self._sights:
                return
            while self._size + size > self.max_bytes:
                self._size -= self._held.popitem(last=False)[1].size
            self._held[key] = _Kept(copy(), size)
            self._size += size

    def halve(self) -> None:
        """Give up all that is held, as memory has run out, and hold at most half as much from now on."""
        with self._lock:
            self.max_bytes //= 1 + bool(self._held)
            self._held.clear()
            self._size = 0

    def facts(self) -> KeptFacts:
        """What is held now, and how often it was of use."""
        with self._lock:
            return KeptFacts(len(self._held), self._size, self._found, self._missed)

    def _note_sight(self, hashed: int) -> None:
        # By its hash: where two contexts have one, a sight too many is counted, and nothing else happens.
        self._seen[hashed] = self._seen.pop(hashed, 0) + 1
        while len(self._seen) > max(_LEAST_REMEMBERED, 2 * len(self._held)):
            self._seen.popitem(last=False)
