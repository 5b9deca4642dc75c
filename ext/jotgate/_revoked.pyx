"""The revocation index: what was taken back, exactly, with the names in clear. So a store that lost them can be given
them again; and who can read the memory of this process sees ids, subjects and sessions, as in its tokens.

A change moves the generation on. Whoever remembers "not revoked" remembers the generation read before looking, and
looks again when the two differ. One thread writes at a time, under the GIL; batches read without it.
"""

cimport cython
from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free

from weakref import WeakMethod
from weakref import ref as weak_reference

from jotgate._claims cimport NumericDate, check_epoch, read_numeric_date
from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, slice_span, span, span_of
from jotgate._fault cimport (
    EPOCH, EPOCH_AHEAD, EPOCH_UNKNOWN, IAT, ISS, JTI, NO_CLAIM, OK, REVOKED, RULES_STALE, RULES_UNASKED, SID, SUB,
    UNDECIDED, WRONG_TYPE, Fault,
)
from jotgate._json cimport ABSENT, NUMBER, STRING, Value, string_text
from jotgate._key cimport FOREVER
from jotgate._shards cimport (
    EPOCH_RULE, EVERY_ISSUER, FOR_EVER, ISSUER_NAME, JTI_RULE, KEY_RULE, MOST_LEEWAY, SHARDS, Fact, Record, Shard,
    Shards, is_over, read_record, record_at, value_of,
)
from jotgate._sync cimport peek

cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t NEVER = 253_402_300_799           # 9999-12-31T23:59:59Z, as rules write it
cdef int64_t MOST_EPOCHS = 1_000_000_000_000_000
cdef int64_t MOST_SECONDS = 0x7FFFFFFFFFFFFFFF
cdef enum:
    MOST_NAME_BYTES = 1 << 28
    MOST_ISSUERS = 0xFFFF
    MOST_MARKS = 0xFF
    CLAIM_KINDS = 3                 # the kinds that are about a claim come first: JTI_RULE, SUB_RULE, SID_RULE
    MOST_COPIED = 4096              # records, before other threads get the GIL: a quarter of a millisecond

_KINDS = ("jti", "sub", "sid", "epoch", "key")
_NUMBERS = {kind: number for number, kind in enumerate(_KINDS)}
cdef int[CLAIM_KINDS] CLAIM_OF
CLAIM_OF[0], CLAIM_OF[1], CLAIM_OF[2] = <int>JTI, <int>SUB, <int>SID


cdef tuple read_rule(rule):
    """The parts of a rule as they are kept; raises where they are not what they should be."""
    kind, issuer, name, value, until = rule
    if type(kind) is not str or kind not in _NUMBERS:
        raise ValueError("the kind of a rule is jti, sub, sid, epoch or key")
    if type(issuer) is not str or type(name) is not str or type(value) is not int or type(until) is not int:
        raise TypeError("a rule has a kind, an issuer and a name, all str, and a value and a time, whole numbers")
    number = _NUMBERS[kind]
    written = (<str>name).encode("utf-8")
    if len(written) >= MOST_NAME_BYTES or (number == EPOCH_RULE and written):
        raise ValueError("the name of a rule is too long, or that of an epoch is not empty")
    if not 0 <= value <= (MOST_EPOCHS if number == EPOCH_RULE else MOST_SECONDS) or abs(until) > MOST_SECONDS:
        raise ValueError("the value or the time of a rule is out of range")
    if number == JTI_RULE or number == KEY_RULE:
        value = 0
    elif number != EPOCH_RULE:
        value = min(value, FOR_EVER)
    # Epochs and keys stay for ever: no token's expiry makes up for them
    until = FOR_EVER if number >= EPOCH_RULE else max(0, min(until, FOR_EVER))
    return number, (<str>issuer).encode("utf-8"), written, value, until


@cython.final
cdef class RevocationIndex(Shards):
    """What was taken back: tokens by ``jti``; those of a subject, a session or an epoch by when they were issued; keys.

    It holds every rule at least until the tokens that it is about have expired anyway, 600 seconds of leeway included.
    One that nobody feeds is complete by itself: what was not entered was not taken back.

    Names are held in clear and compared whole. A million ids of 22 characters take less than 64 MB.

    Args:
        feed: What keeps it up to date, held weakly: a ``RevocationFeed``. Until that vouches for it, it knows nothing
            and says so (``store_unavailable``).
    """

    def __cinit__(self, feed=None):
        self.distrusted = frozenset()
        self._feed = None if feed is None else weak_reference(feed)
        self._usable_until = FOREVER if feed is None else 0
        self._issuers = [""]
        self._numbers = {b"": EVERY_ISSUER}
        self._watchers = {}

    # -- what verifying asks, without the GIL

    cdef Fault check(self, Span document, const Value* values, int64_t epoch, Asking asking, int* claim) noexcept nogil:
        """Whether the token with these claims was taken back.

        What is known here refuses, however old it is; only that nothing is known has to be vouched for. A token without
        a `jti`, `sub` or `sid` has nothing by which a rule of that kind could be about it.

        `epoch` is that of the keys, or NO_EPOCH. Keys and rules tell of the same count, and the one that heard of the
        last step first is right.
        """
        cdef Fault fault = self.look_up(document, values, epoch, claim)
        if fault != OK and fault != EPOCH_UNKNOWN:
            return fault
        if asking == UNASKED:
            fault = RULES_UNASKED
        elif asking == VOUCHED and not is_current(self):
            fault = RULES_STALE
        else:
            return fault
        claim[0] = NO_CLAIM
        return fault

    cdef Fault look_up(self, Span document, const Value* values, int64_t epoch, int* claim) noexcept nogil:
        cdef Fact wanted
        cdef uint8_t* room
        cdef Value value
        cdef bint general, own, refused
        cdef int64_t held = NO_EPOCH
        cdef int issuer = EVERY_ISSUER
        cdef int kind
        cdef Fault fault
        if values[<int>SID].kind != STRING and values[<int>SID].kind != ABSENT:
            claim[0] = SID
            return WRONG_TYPE
        if peek(&self._tally.general[<int>ISSUER_NAME]):
            issuer = self.number_in(document, values[<int>ISS])
            if issuer < 0:
                return UNDECIDED
        for kind in range(CLAIM_KINDS):
            value = values[CLAIM_OF[kind]]
            if value.kind != STRING:
                continue
            general = peek(&self._tally.general[kind]) > 0
            own = issuer != EVERY_ISSUER and peek(&self._tally.own[kind]) > 0
            if not (general or own):
                continue
            if not string_text(document, value, &wanted.name, &room):
                return UNDECIDED
            wanted.kind = kind
            refused = general and self.refuses(&wanted, EVERY_ISSUER, document, values)
            refused = refused or (own and self.refuses(&wanted, issuer, document, values))
            free(room)
            if refused:
                return REVOKED
        if peek(&self._tally.general[<int>EPOCH_RULE]):
            held = self.epoch_of(EVERY_ISSUER)
        if issuer != EVERY_ISSUER and peek(&self._tally.own[<int>EPOCH_RULE]):
            held = max(held, self.epoch_of(issuer))
        if held == NO_EPOCH and epoch == NO_EPOCH:
            return OK
        fault = check_epoch(document, values[<int>EPOCH], max(held, epoch), claim)
        return EPOCH_UNKNOWN if fault == EPOCH_AHEAD and held != NO_EPOCH else fault

    cdef bint refuses(self, Fact* wanted, int issuer, Span document, const Value* values) noexcept nogil:
        """Whether a rule about this says so of a token with this `iat`; one without might be as old as any."""
        cdef const Record* record
        cdef NumericDate date
        cdef Value iat = values[<int>IAT]
        cdef uint64_t before
        wanted.issuer = issuer
        record = self.find(wanted)
        if record == NULL:
            return False
        before = value_of(record)
        if wanted.kind == JTI_RULE or before == FOR_EVER or iat.kind != NUMBER:
            return True
        if read_numeric_date(slice_span(document, iat.start, iat.end), &date) != OK:
            return True
        return date.seconds < <int64_t>before

    cdef int number_in(self, Span document, Value issuer) noexcept nogil:
        """The number of an issuer about whose tokens there are rules; EVERY_ISSUER: there are none. Negative: no
        memory."""
        cdef Fact wanted
        cdef uint8_t* room
        cdef const Record* record
        if issuer.kind != STRING:
            return EVERY_ISSUER
        if not string_text(document, issuer, &wanted.name, &room):
            return -1
        wanted.kind = ISSUER_NAME
        wanted.issuer = EVERY_ISSUER
        record = self.find(&wanted)
        free(room)
        return EVERY_ISSUER if record == NULL else <int>value_of(record)

    cdef int64_t epoch_of(self, int issuer) noexcept nogil:
        cdef Fact wanted
        cdef const Record* record
        wanted.kind = EPOCH_RULE
        wanted.issuer = issuer
        wanted.name = span(<const uint8_t*>&wanted, 0)
        record = self.find(&wanted)
        return -1 if record == NULL else <int64_t>value_of(record)

    # -- what is entered

    def merge(self, rules, int mark=0):
        """Join rules to those there are. All are read before one is entered.

        Args:
            rules: A sequence of ``Rule``, or of such tuples. Those that have run out are left out.
            mark: That of the snapshot of a store that they are part of; 0 for others.

        Returns:
            int: How many said something new. Then the generation has moved on: once, or where much had to be copied in
            steps.

        Raises:
            TypeError: One is not five things of the right types; nothing was changed.
            ValueError: A kind that there is not, a value out of range, or more than 65,535 issuers.
        """
        cdef Fact fact
        cdef Py_ssize_t news = 0
        cdef int64_t now_s = wall_ns() // NANOSECONDS
        cdef bytes name
        cdef bint changed = False
        if not 0 <= mark <= MOST_MARKS:
            raise ValueError("there is no such mark")
        keys = set()
        try:
            for kind, issuer, written, value, until in [read_rule(rule) for rule in rules]:
                fact.until = until
                if fact.until != FOR_EVER and fact.until + MOST_LEEWAY <= now_s:
                    continue
                name = written
                fact.issuer = self.number_of(issuer)
                fact.kind = kind
                fact.name = span_of(name)
                fact.value = value
                fact.mark = <uint8_t>mark
                if self.enter(&fact):
                    news += 1
                    changed = True
                if kind == KEY_RULE:
                    keys.add(name.decode("utf-8"))
                if self._copied >= MOST_COPIED:        # the GIL was held for long enough
                    self.settle(changed, keys)
                    changed = False
                    keys = set()
                    with nogil:
                        pass
        finally:
            self.settle(changed, keys)
        return news

    cdef int settle(self, bint changed, set keys) except -1:
        """Let what was entered be seen, before anybody else can run and find nothing new in it."""
        self._copied = 0
        if changed:
            self.generation += 1
        if keys:
            if not keys <= self.distrusted:
                self.distrusted |= keys
            self.tell()                                # of known ones too: who entered them may not be so far yet
        return 0

    def revoke(self, token_id, until):
        """Refuse every token with this ``jti`` from now on, whoever issued it.

        Args:
            token_id: The ``jti``, a str.
            until: Unix seconds, an int: when the last token with this id has expired. Kept at least until then.
        """
        self.merge((("jti", "", token_id, 0, until),))

    cdef int number_of(self, bytes issuer) except -1:
        """The number of an issuer, which gets one with the first rule about its tokens."""
        cdef Fact fact
        cdef object known = self._numbers.get(issuer)
        if known is not None:
            return known
        if len(self._issuers) > MOST_ISSUERS:
            raise ValueError("rules about more issuers than an index holds")
        fact.kind = ISSUER_NAME
        fact.issuer = EVERY_ISSUER
        fact.name = span_of(issuer)
        fact.value = len(self._issuers)
        fact.until = FOR_EVER
        fact.mark = 0
        self.enter(&fact)
        self._issuers.append(issuer.decode("utf-8"))
        self._numbers[issuer] = len(self._issuers) - 1
        return len(self._issuers) - 1

    cdef object tell(self):
        """Call those who watch, each of them, whatever happens in one."""
        interrupt = None
        for each in self._watchers.copy().values():    # a copy in one step: others watch and leave meanwhile
            watcher = each()
            if watcher is None:
                continue
            try:
                watcher()
            except Exception as error:
                broken = RuntimeError(f"telling a verifier of a distrusted key failed with {type(error).__name__}")
                PyErr_SetObject(RuntimeError, broken)
                PyErr_WriteUnraisable(self)
            except BaseException as error:             # an interrupt: it must not keep a key trusted
                interrupt = error
                watcher()
        if interrupt is not None:
            raise interrupt

    def _watch(self, watcher):
        """Call a bound method, held weakly, each time a rule about a key is merged, on whatever thread does it."""
        self._unwatch(watcher)
        made = WeakMethod(watcher)
        self._watchers[id(made)] = made                # in place: what two threads enter at once both stays

    def _unwatch(self, watcher):
        """Call it no more."""
        for number, each in self._watchers.copy().items():
            if each() in (None, watcher):
                self._watchers.pop(number, None)

    def sweep(self):
        """Let go of what has run out in one shard, the next each time, where that is worth it; return how many rules
        went."""
        before = len(self)
        self.sweep_next()
        return before - len(self)

    # -- who vouches for it

    @property
    def feed(self):
        """What keeps it up to date; None: nothing does, or it is gone."""
        return None if self._feed is None else self._feed()

    @property
    def usable_until(self):
        """Moment of the monotonic clock in nanoseconds from which on there may be rules that it does not know; None:
        none comes."""
        return None if self._usable_until == FOREVER else self._usable_until

    @property
    def usable(self):
        """Whether it may be relied on now for knowing every rule."""
        return is_current(self)

    def vouch_until(self, moment):
        """Say until when it may be relied on for knowing every rule, in nanoseconds of the monotonic clock; None: for
        ever."""
        self._usable_until = FOREVER if moment is None else moment

    # -- what it holds

    def mark_snapshot(self):
        """Return a mark for the rules of a snapshot that is about to be merged."""
        if self._mark == MOST_MARKS:                   # they begin again: none may seem to be of a new snapshot
            self._mark = 0
            self.clear_marks()
        self._mark += 1
        return self._mark

    def unmarked(self, int mark, Py_ssize_t at_most):
        """Return an iterator over the rules that were not entered with this mark, or say more now than they did then.

        Rules may be entered while it is read: one that was there before comes once, or again.

        Args:
            mark: Of the snapshot.
            at_most: Rules in one portion.

        Returns:
            Iterator[list[tuple]]: Portions, none empty.
        """
        cdef int at = 0
        cdef uint64_t serial = 0
        cdef uint64_t place = 0
        while at < SHARDS:
            found, at, serial, place = self.portion(at, serial, place, mark, at_most)
            if found:
                yield found
            with nogil:                                # a shard without any takes a while, too
                pass

    cdef tuple portion(self, int at, uint64_t serial, uint64_t place, int mark, Py_ssize_t at_most):
        """Rules of one shard from a place on, and where to go on; from its beginning if another has taken its place."""
        cdef Shard* shard = self._shards[at]
        cdef const Record* record
        cdef Fact fact
        cdef bytes name
        cdef int64_t now_s = wall_ns() // NANOSECONDS
        found = []
        if shard == NULL:
            return found, at + 1, 0, 0
        if shard.serial != serial:
            place = 0
        while place < shard.room:
            if len(found) == at_most:
                return found, at, shard.serial, place
            record = record_at(shard, <uint32_t>place)
            place += 1
            if record == NULL or is_over(record, now_s):
                continue
            read_record(record, &fact)
            if fact.kind == ISSUER_NAME or fact.mark == mark:
                continue
            name = (<const char*>fact.name.start)[:fact.name.size]
            value = NEVER if fact.kind < EPOCH_RULE and fact.value == FOR_EVER else fact.value
            until = NEVER if fact.until == FOR_EVER else fact.until
            found.append((_KINDS[fact.kind], self._issuers[fact.issuer], name.decode("utf-8"), value, until))
        return found, at + 1, 0, 0

    def rules(self):
        """Return an iterator over every rule that has not run out, as tuples in the order of a ``Rule``; what has no
        end within 32 bits never ends."""
        for found in self.unmarked(-1, 1000):
            yield from found

    def epoch(self, issuer):
        """Return the epoch that a rule demands of an issuer's tokens (of every issuer's: the empty name); 0: none."""
        cdef bytes name = (<str?>issuer).encode("utf-8")
        cdef object number = self._numbers.get(name)
        held = self.epoch_of(EVERY_ISSUER)
        return max(0, held, held if number is None else self.epoch_of(number))

    def counts(self):
        """Return how many rules there are, by kind; some may have run out."""
        return {
            kind: self._tally.general[number] + self._tally.own[number] for number, kind in enumerate(_KINDS)
        }

    @property
    def nbytes(self):
        """Bytes of memory that it takes."""
        return self.bytes_held()

    def __len__(self):
        return sum(self.counts().values())

    def __repr__(self):
        return f"<RevocationIndex of {len(self)} rules>"
