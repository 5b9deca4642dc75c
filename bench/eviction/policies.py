"""Simulators of eviction policies, all with one account of bytes and entries, and one rule for expired tokens.

Each answers `request(now, token, size, expires)` with True for a hit. Every policy takes a new token in, evicts until
both limits hold, and treats an expired entry that is asked for as a miss. `Judged` is the one that the cache uses.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

MASK = 0xFFFFFFFFFFFFFFFF


class Policy(Protocol):
    """What the study asks of a policy."""

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Look the token up, take it in on a miss, and return whether it was there and alive."""
        ...


def mixed(token: int) -> int:
    """Return 64 well mixed bits of the token's id (splitmix64), in the place of the token's digest."""
    z = (token + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class LRU:
    """Least recently used: the baseline."""

    def __init__(self, entries: int, size_limit: int) -> None:
        self._entries = entries
        self._limit = size_limit
        self._bytes = 0
        self._list: OrderedDict[int, tuple[int, float]] = OrderedDict()

    def _use(self, token: int) -> None:
        """Move to the front."""
        self._list.move_to_end(token)

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Note the use on a hit; else evict from the back and take the token in."""
        entry = self._list.get(token)
        if entry is not None:
            if entry[1] > now:
                self._use(token)
                return True
            del self._list[token]
            self._bytes -= entry[0]
        while self._list and (len(self._list) >= self._entries or self._bytes + size > self._limit):
            self._bytes -= self._list.popitem(last=False)[1][0]
        self._list[token] = size, expires
        self._bytes += size
        return False


class FIFO(LRU):
    """First in, first out."""

    def _use(self, token: int) -> None:
        """Leave the order alone."""


class Node:
    """An entry of the policies that mark their entries."""

    __slots__ = ("after", "before", "expires", "freq", "probation", "size", "token")

    def __init__(self, token: int, size: int, expires: float) -> None:
        self.token = token
        self.size = size
        self.expires = expires
        self.freq = 0
        self.probation = True
        self.after: Node | None = None
        self.before: Node | None = None


class Clock:
    """FIFO in which an entry used since it last came up goes round again, up to `most` times."""

    def __init__(self, entries: int, size_limit: int, most: int = 1) -> None:
        self._entries = entries
        self._limit = size_limit
        self._most = most
        self._bytes = 0
        self._list: OrderedDict[int, Node] = OrderedDict()

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Mark on a hit; evict the oldest without a mark."""
        node = self._list.get(token)
        if node is not None:
            if node.expires > now:
                if node.freq < self._most:
                    node.freq += 1
                return True
            del self._list[token]
            self._bytes -= node.size
        while self._list and (len(self._list) >= self._entries or self._bytes + size > self._limit):
            oldest = next(iter(self._list.values()))
            if oldest.freq and oldest.expires > now:
                oldest.freq -= 1
                self._list.move_to_end(oldest.token)
            else:
                del self._list[oldest.token]
                self._bytes -= oldest.size
        self._list[token] = Node(token, size, expires)
        self._bytes += size
        return False


class Sieve:
    """SIEVE (Zhang et al., NSDI 2024): one FIFO, a mark per entry, and a hand that does not start over."""

    def __init__(self, entries: int, size_limit: int) -> None:
        self._entries = entries
        self._limit = size_limit
        self._bytes = 0
        self._map: dict[int, Node] = {}
        self._newest: Node | None = None
        self._oldest: Node | None = None
        self._hand: Node | None = None

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Mark on a hit; on a miss the hand walks from old to new, takes marks, and evicts the first without."""
        node = self._map.get(token)
        if node is not None:
            if node.expires > now:
                node.freq = 1
                return True
            self._drop(node)
        while self._map and (len(self._map) >= self._entries or self._bytes + size > self._limit):
            hand = self._hand or self._oldest
            while hand is not None and hand.freq and hand.expires > now:
                hand.freq = 0
                hand = hand.before or self._oldest
            assert hand is not None
            self._hand = hand
            self._drop(hand)
        node = Node(token, size, expires)
        node.after = self._newest
        if self._newest is not None:
            self._newest.before = node
        else:
            self._oldest = node
        self._newest = node
        self._map[token] = node
        self._bytes += size
        return False

    def _drop(self, node: Node) -> None:
        if self._hand is node:
            self._hand = node.before
        if node.before is not None:
            node.before.after = node.after
        else:
            self._newest = node.after
        if node.after is not None:
            node.after.before = node.before
        else:
            self._oldest = node.before
        del self._map[node.token]
        self._bytes -= node.size


class S3FIFO:
    """S3-FIFO (Yang et al., SOSP 2023) with the paper's constants: 10 % small, promotion at 2 hits, exact ghost."""

    def __init__(self, entries: int, size_limit: int, share: float = 0.1, threshold: int = 2) -> None:
        self._entries = entries
        self._limit = size_limit
        self._share = share
        self._threshold = threshold
        self._small: OrderedDict[int, Node] = OrderedDict()
        self._main: OrderedDict[int, Node] = OrderedDict()
        self._ghost: OrderedDict[int, None] = OrderedDict()
        self._small_bytes = 0
        self._bytes = 0

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Count on a hit; on a miss go to the small queue, or to main where the ghost remembers the token."""
        node = self._small.get(token) or self._main.get(token)
        if node is not None:
            if node.expires > now:
                if node.freq < 3:
                    node.freq += 1
                return True
            if self._small.pop(token, None):
                self._small_bytes -= node.size
            else:
                del self._main[token]
            self._bytes -= node.size
        while self._bytes and (len(self._small) + len(self._main) >= self._entries or self._bytes + size > self._limit):
            if (
                self._small_bytes > self._limit * self._share
                or len(self._small) > self._entries * self._share
                or not self._main
            ):
                self._evict_small()
            else:
                self._evict_main()
        node = Node(token, size, expires)
        self._bytes += size
        if token in self._ghost:
            del self._ghost[token]
            self._main[token] = node
        else:
            self._small[token] = node
            self._small_bytes += size
        return False

    def _evict_small(self) -> None:
        while self._small:
            token, node = self._small.popitem(last=False)
            self._small_bytes -= node.size
            if node.freq >= self._threshold:
                node.freq = 0
                self._main[token] = node
                continue
            self._bytes -= node.size
            self._ghost[token] = None
            if len(self._ghost) > self._entries:
                self._ghost.popitem(last=False)
            return

    def _evict_main(self) -> None:
        while True:
            token, node = next(iter(self._main.items()))
            if not node.freq:
                del self._main[token]
                self._bytes -= node.size
                return
            node.freq -= 1
            self._main.move_to_end(token)


class Sketch:
    """A count-min sketch of four rows of 4-bit counters, halved after ten requests for each entry (TinyLFU)."""

    def __init__(self, entries: int) -> None:
        self._width = 1 << max(4, (entries * 2 - 1).bit_length())
        self._table = bytearray(4 * self._width)
        self._left = self._sample = entries * 10
        self._halves = bytes(value >> 1 for value in range(256))

    def _places(self, token: int) -> tuple[int, int, int, int]:
        bits, mask, width = mixed(token), self._width - 1, self._width
        return (
            bits & mask,
            width + (bits >> 16 & mask),
            2 * width + (bits >> 32 & mask),
            3 * width + ((bits * 0x9E3779B97F4A7C15 & MASK) >> 40 & mask),
        )

    def add(self, token: int) -> None:
        """Count one use."""
        table = self._table
        for place in self._places(token):
            if table[place] < 15:
                table[place] += 1
        self._left -= 1
        if not self._left:
            self._left = self._sample
            self._table = table.translate(self._halves)

    def estimate(self, token: int) -> int:
        """Return the count of uses, 15 at most."""
        a, b, c, d = self._places(token)
        table = self._table
        return min(table[a], table[b], table[c], table[d])


class WTinyLFU:
    """W-TinyLFU (Einziger et al., 2017): LRU window of 1 %, main 20 % probation and 80 % protected."""

    def __init__(self, entries: int, size_limit: int, window: float = 0.01) -> None:
        self._entries = entries
        self._limit = size_limit
        self._window_entries = max(1, int(entries * window))
        self._window_limit = size_limit * window
        self._protected_entries = int((entries - self._window_entries) * 0.8)
        self._protected_limit = (size_limit - self._window_limit) * 0.8
        self._window: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._probation: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._protected: OrderedDict[int, tuple[int, float]] = OrderedDict()
        self._window_bytes = self._probation_bytes = self._protected_bytes = 0
        self._sketch = Sketch(entries)

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Count; on a hit move up; on a miss go to the window, whose oldest must beat main's victim."""
        self._sketch.add(token)
        entry = self._window.get(token)
        if entry is not None:
            if entry[1] > now:
                self._window.move_to_end(token)
                return True
            del self._window[token]
            self._window_bytes -= entry[0]
        entry = self._protected.get(token)
        if entry is not None:
            if entry[1] > now:
                self._protected.move_to_end(token)
                return True
            del self._protected[token]
            self._protected_bytes -= entry[0]
        entry = self._probation.pop(token, None)
        if entry is not None:
            self._probation_bytes -= entry[0]
            if entry[1] > now:
                self._protect(token, entry)
                return True
        self._window[token] = size, expires
        self._window_bytes += size
        while len(self._window) > self._window_entries or self._window_bytes > self._window_limit:
            if len(self._window) == 1 and size <= self._limit and len(self._window) <= self._window_entries:
                break
            self._leave_window()
        while self._over():
            self._evict_main()
        return False

    def _protect(self, token: int, entry: tuple[int, float]) -> None:
        self._protected[token] = entry
        self._protected_bytes += entry[0]
        while len(self._protected) > self._protected_entries or self._protected_bytes > self._protected_limit:
            demoted, old = self._protected.popitem(last=False)
            self._protected_bytes -= old[0]
            self._probation[demoted] = old
            self._probation_bytes += old[0]

    def _over(self) -> bool:
        count = len(self._window) + len(self._probation) + len(self._protected)
        return count > self._entries or self._window_bytes + self._probation_bytes + self._protected_bytes > self._limit

    def _leave_window(self) -> None:
        """Move the window's oldest to probation, if it is used more than each victim that must go for it."""
        token, entry = self._window.popitem(last=False)
        self._window_bytes -= entry[0]
        uses = self._sketch.estimate(token)
        main_entries = self._entries - self._window_entries
        main_limit = self._limit - max(self._window_limit, self._window_bytes)
        while (self._probation or self._protected) and (
            len(self._probation) + len(self._protected) >= main_entries
            or self._probation_bytes + self._protected_bytes + entry[0] > main_limit
        ):
            victim = next(iter(self._probation or self._protected))
            if self._sketch.estimate(victim) >= uses:
                return
            self._evict_main()
        self._probation[token] = entry
        self._probation_bytes += entry[0]

    def _evict_main(self) -> None:
        if self._probation:
            self._probation_bytes -= self._probation.popitem(last=False)[1][0]
        elif self._protected:
            self._protected_bytes -= self._protected.popitem(last=False)[1][0]
        else:
            self._window_bytes -= self._window.popitem(last=False)[1][0]


@dataclass(frozen=True)
class Settings:
    """The parameters of `Judged`; the defaults are what the cache uses.

    Args:
        floor: least share of the bytes that the cap on the window falls to.
        ceiling: share that the cap starts from, and never exceeds.
        step: entries by which one hit of evidence moves the cap.
        late: a hit promotes if since its token came in at least this share of the window has come in after it.
        ghosts: fingerprints remembered beyond the shadow for each entry of the cache; 0 is no table.
        ways: fingerprints in a bucket.
        sweep: slots looked at for expired entries on each miss.
    """

    floor: float = 0.10
    ceiling: float = 0.70
    step: float = 4.0
    late: float = 0.10
    ghosts: float = 0.0
    ways: int = 8
    sweep: int = 4


class Ghost:
    """32-bit fingerprints of evicted entries in buckets of a few: newest first, the oldest falls out."""

    def __init__(self, slots: int, ways: int) -> None:
        self._ways = ways
        self._mask = (1 << (max(1, slots // max(1, ways)) - 1).bit_length()) - 1
        self._buckets: list[list[int]] = [[] for _ in range(self._mask + 1)]

    def add(self, token: int) -> None:
        """Remember the token."""
        bits = mixed(token)
        bucket = self._buckets[bits & self._mask]
        bucket.insert(0, bits >> 32)
        if len(bucket) > self._ways:
            bucket.pop()

    def take(self, token: int) -> bool:
        """Forget the token and return whether it was remembered."""
        bits = mixed(token)
        bucket = self._buckets[bits & self._mask]
        if bits >> 32 in bucket:
            bucket.remove(bits >> 32)
            return True
        return False


class Entry:
    """An entry of `Judged`."""

    __slots__ = ("born", "expires", "main", "size", "slot", "token", "used")

    def __init__(self, token: int, size: int, expires: float, main: bool, now: int, born: int, slot: int) -> None:
        self.token = token
        self.size = size
        self.expires = expires
        self.main = main
        self.used = now
        self.born = born
        self.slot = slot


class Judged:
    """Ours: LRU whose newcomers may take only so much, and a shadow of plain LRU that judges how much.

    Two lists, both in order of last use: `window` for newcomers, `main` for tokens that came back late, or that the
    shadow still held when we did not. The victim is the older of the two tails, which is true LRU, unless the window
    is over its cap: then it is the window's. The shadow knows what true LRU would hold. A hit of ours that LRU would
    have missed lowers the cap, a miss of ours that LRU would have hit raises it.
    """

    def __init__(self, entries: int, size_limit: int, settings: Settings = Settings()) -> None:
        self._entries = entries
        self._limit = size_limit
        self._settings = settings
        self._cap = settings.ceiling
        self._step = settings.step / entries
        self._window: OrderedDict[int, Entry] = OrderedDict()
        self._main: OrderedDict[int, Entry] = OrderedDict()
        self._shadow: OrderedDict[int, int] = OrderedDict()
        self._window_bytes = self._bytes = self._shadow_bytes = 0
        self._uses = self._arrivals = 0
        self._ghost = Ghost(int(entries * settings.ghosts), settings.ways if settings.ghosts else 0)
        self._slots: list[Entry | None] = [None] * entries
        self._free = list(range(entries))
        self._hand = 0

    def request(self, now: float, token: int, size: int, expires: float) -> bool:
        """Ask the shadow, then the lists; on a miss sweep, evict, and take the token in."""
        self._uses += 1
        in_shadow = self._ask_shadow(token, size)
        entry = self._main.get(token) or self._window.get(token)
        if entry is not None:
            if entry.expires > now:
                if not in_shadow:
                    self._cap = max(self._settings.floor, self._cap - self._step)
                self._hit(entry)
                return True
            self._drop(entry)
        if in_shadow:
            self._cap = min(self._settings.ceiling, self._cap + self._step)
        self._sweep(now)
        while self._bytes and (
            len(self._window) + len(self._main) >= self._entries or self._bytes + size > self._limit
        ):
            victim = self._victim()
            if not victim.main and victim.expires > now:
                self._ghost.add(victim.token)
            self._drop(victim)
        # The ghost is asked in any case: what comes in is no longer evicted.
        main = self._ghost.take(token) or in_shadow
        self._arrivals += 1
        entry = Entry(token, size, expires, main, self._uses, self._arrivals, self._free.pop())
        self._slots[entry.slot] = entry
        self._bytes += size
        if main:
            self._main[token] = entry
        else:
            self._window[token] = entry
            self._window_bytes += size
        return False

    def _ask_shadow(self, token: int, size: int) -> bool:
        shadow = self._shadow
        if token in shadow:
            shadow.move_to_end(token)
            return True
        while shadow and (len(shadow) >= self._entries or self._shadow_bytes + size > self._limit):
            self._shadow_bytes -= shadow.popitem(last=False)[1]
        shadow[token] = size
        self._shadow_bytes += size
        return False

    def _hit(self, entry: Entry) -> None:
        entry.used = self._uses
        if entry.main:
            self._main.move_to_end(entry.token)
        elif self._arrivals - entry.born >= self._settings.late * len(self._window):
            del self._window[entry.token]
            self._window_bytes -= entry.size
            entry.main = True
            self._main[entry.token] = entry
        else:
            self._window.move_to_end(entry.token)

    def _victim(self) -> Entry:
        if not self._main:
            return next(iter(self._window.values()))
        oldest = next(iter(self._main.values()))
        if self._window:
            newcomer = next(iter(self._window.values()))
            if self._window_bytes > self._bytes * self._cap or newcomer.used < oldest.used:
                return newcomer
        return oldest

    def _sweep(self, now: float) -> None:
        for _ in range(self._settings.sweep):
            entry = self._slots[self._hand]
            self._hand = (self._hand + 1) % self._entries
            if entry is not None and entry.expires <= now:
                self._drop(entry)

    def _drop(self, entry: Entry) -> None:
        if entry.main:
            del self._main[entry.token]
        else:
            del self._window[entry.token]
            self._window_bytes -= entry.size
        self._bytes -= entry.size
        self._slots[entry.slot] = None
        self._free.append(entry.slot)
