"""Verifying many tokens: a batch is cut into parts, a part into chunks, and chunks are verified without the GIL.

    note        under the GIL: which texts are equal, which does the cache know; what is left is to do
    run_chunk   without: split, header, key, signature, claims, revocation for some dozens of tokens by one clock
                reading. Threads take chunks until there are none, so a slow token holds up nobody else's
    _finish     under the GIL: copies verdicts to equal texts, counts them, remembers tokens

A verdict is 32 bytes; tokens and errors are made when somebody looks at them, from the texts, which a batch holds.
"""

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memset

from collections.abc import Sequence
from operator import index as operator_index

from jotgate._binding cimport Binding
from jotgate._cache cimport TokenCache, slot_hash
from jotgate._clock cimport monotonic_ns, wall_ns
from jotgate._codec cimport Span, keyed_hash, same_bytes, span_of, split_compact
from jotgate._engine cimport Engine, Work, read_text, scan_payload
from jotgate._fault cimport FAULT_COUNT, KEY_WITHDRAWN, NO_CLAIM, OK, UNDECIDED, Fault
from jotgate._json cimport names_free, names_init
from jotgate._judge cimport Judge, Scratch, Verdict, last_number, scratch_free, scratch_init, seconds_of
from jotgate._points cimport MOST_INVERSES, inverse_at, invert_all
from jotgate._key cimport TrustCell
from jotgate._revoked cimport VOUCHED
from jotgate._sync cimport (
    PY_LOCK_ACQUIRED, PyThread_acquire_lock, PyThread_acquire_lock_timed, PyThread_allocate_lock, PyThread_free_lock,
    PyThread_release_lock, is_set, peek, set_flag, take,
)
from jotgate._token cimport Header, VerifiedToken, make_token

from jotgate.errors import BY_FAULT, PolicyError

cdef extern from "Python.h":
    int PyErr_CheckSignals() except -1
    PyObject* item_of "PyTuple_GET_ITEM"(PyObject* tuple, Py_ssize_t index) noexcept nogil

cdef enum:
    MOST_OF_A_CHUNK = 256
    LEAST_OF_A_CHUNK = 4
    SHARES_PER_THREAD = 4           # a chunk is so small a part of what is left that all threads finish together
    LISTENS_EVERY_US = 50_000       # for signals, while others work; where a signal does not end the wait by itself
    REMEMBERED_SHARE = 10           # a batch fills at most a tenth of the cache: what newcomers always get

cdef Py_ssize_t MOST_TEXTS = 0xFFFFFFFE   # an Item names another by 32 bits, and one more than its index fits, too
cdef int64_t CLOCK_IS_GOOD_FOR_NS = 40_000_000

_UNDECIDED = {_fault for _fault, (_error, _, _) in BY_FAULT.items() if _error.http_status == 503}
_CODES = [BY_FAULT[_fault][1] if _fault in BY_FAULT else "accepted" for _fault in range(FAULT_COUNT)]


@cython.final
@cython.auto_pickle(False)
cdef class BatchResult:
    """What ``verify_batch`` found: for each text, in the order given, a ``VerifiedToken`` or the ``JotgateError`` that
    ``verify`` would have raised. Tokens and errors are made when they are looked at.
    """

    def __cinit__(self, Engine engine not None, Py_ssize_t part):
        if engine._max_token_bytes == 0:            # a subclass that skipped __init__
            raise PolicyError("this verifier has no keys and no policy: its __init__ was not called")
        self._engine = engine
        self._bindings = []
        self._parts = []
        self._part = part
        self._idle = PyThread_allocate_lock()
        if self._idle == NULL:
            raise MemoryError

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self._count):
            if self._items[i].token != NULL:
                Py_DECREF(<object>self._items[i].token)
        free(self._items)
        free(self._todo)
        if self._idle != NULL:
            PyThread_free_lock(self._idle)

    # -- how it is filled, for each part: _take, _share, _work while other threads _help, _join, _finish

    def _take(self, tuple texts):
        """Add a part, of at most the size that the batch was made for; return how many texts are to be verified."""
        cdef Py_ssize_t start = self._count
        cdef Py_ssize_t room = start + len(texts)
        cdef Item* items
        cdef uint32_t* todo
        if len(texts) > self._part:
            raise ValueError("more texts than a part holds")
        if room > MOST_TEXTS:
            raise MemoryError("more texts than a batch holds")
        items = <Item*>realloc(self._items, max(room, 1) * sizeof(Item))
        if items == NULL:
            raise MemoryError
        memset(&items[start], 0, len(texts) * sizeof(Item))
        self._items = items
        todo = <uint32_t*>realloc(self._todo, max(len(texts), 1) * sizeof(uint32_t))
        if todo == NULL:
            raise MemoryError
        self._todo = todo
        self.appoint()                              # a part that is read later is decided by the keys of later
        self._began_ns = wall_ns()
        self._parts.append(texts)
        self._count = room
        self.note(start)
        self._next = self._next_undone = 0
        return self._todo_count

    cdef int appoint(self) except -1:
        """Let the keys and policies of now decide from now on."""
        self._judge = Judge(self._engine)
        self._first_binding = <uint32_t>len(self._bindings)
        self._bindings.extend(self._judge.bindings)
        return 0

    def _lacking(self):
        """Return whom to ask for keys or rules, because those of now left texts of this part undecided: by feed, what
        to ask for and what it had vouched for. What was not found in a set that no longer counts was not looked for in
        a newer one."""
        cdef Py_ssize_t i
        cdef tuple renewal
        wants = {}
        for i in range(self._next_undone, self._todo_count):
            renewal = self.renewal_at(i)
            if renewal is not None:
                feed, seen, want, _ = renewal
                if feed is not None and wants.get(feed, ("",))[0] != "usable":
                    wants[feed] = want, seen
        return wants

    cdef tuple renewal_at(self, Py_ssize_t todo):
        cdef Item* item = &self._items[self._todo[todo]]
        return self._engine.renewal_of(<Binding>self._bindings[item.issuer], <Fault>item.fault)

    def _withdrawn(self):
        """Find the texts of this part that were accepted by a key that no longer counts; return how many are to be
        decided again."""
        cdef Py_ssize_t start = self._count - len(<tuple>self._parts[-1])
        cdef Py_ssize_t i
        cdef Py_ssize_t found = 0
        cdef Item* item
        cdef TrustCell cell
        for i in range(start, self._count):
            item = &self._items[i]
            if item.fault == KEY_WITHDRAWN:
                found += 1
            if item.fault != OK or item.first != i:
                continue
            if item.token != NULL:
                cell = (<VerifiedToken>item.token)._header.cell
            else:
                cell = <TrustCell>(<Binding>self._bindings[item.issuer]).cell_refs[item.claim]
            if cell.trusted:
                continue
            if item.token != NULL:                  # from the cache
                Py_DECREF(<object>item.token)
                item.token = NULL
                self._todo[self._todo_count] = <uint32_t>i
                self._todo_count += 1
            item.fault = KEY_WITHDRAWN
            found += 1
        return found

    def _again(self, feeds):
        """Set out to verify again, by what is known now, what these feeds had left undecided, and what a key that is
        gone accepted.

        Returns:
            How many texts that are. They are moved to the end of what is to do, and only they are taken.
        """
        cdef Py_ssize_t i
        cdef Py_ssize_t decided = self._next_undone
        cdef uint32_t index
        cdef tuple renewal
        for i in range(self._next_undone, self._todo_count):
            index = self._todo[i]
            renewal = self.renewal_at(i)
            if self._items[index].fault != KEY_WITHDRAWN and (renewal is None or renewal[0] not in feeds):
                self._todo[i] = self._todo[decided]
                self._todo[decided] = index
                decided += 1
        self._next_undone = self._next = decided
        self.appoint()
        return self._todo_count - decided

    def _unfetched(self, feeds):
        """What these feeds left undecided stays so: whether there is anything newer is not known."""
        cdef Py_ssize_t i
        cdef Item* item
        cdef tuple renewal
        for i in range(self._next_undone, self._todo_count):
            item = &self._items[self._todo[i]]
            renewal = self.renewal_at(i)
            if renewal is not None and renewal[0] in feeds:
                item.fault = renewal[3]
                item.claim = NO_CLAIM

    def _share(self, Py_ssize_t threads):
        """Let this many threads work on the part, the caller's one of them."""
        self._seats = threads - 1
        self._shares = threads * SHARES_PER_THREAD

    def _work(self):
        """Verify until nothing is left to take or the batch is stopped. Lets signals through between chunks."""
        cdef Scratch scratch
        cdef bint more = True
        scratch_init(&scratch)
        try:
            while more:
                with nogil:
                    more = self.run_chunk(&scratch)
                PyErr_CheckSignals()
        finally:
            scratch_free(&scratch)

    def _help(self):
        """Work as another thread, if the part at work still wants one."""
        with cython.critical_section(self):
            if self._helpers >= self._seats:
                return
            if self._helpers == 0:
                PyThread_acquire_lock(self._idle, 0)
            self._helpers += 1
        try:
            self._work()
        finally:
            with cython.critical_section(self):
                self._helpers -= 1
                if self._helpers == 0:
                    PyThread_release_lock(self._idle)

    def _join(self):
        """Return when no other thread works on the part and none can begin to.

        All of it is one call, so that no interrupt comes in between: one stops the batch, and is raised when the last
        thread has left.
        """
        interrupt = None
        self._seats = 0
        while self._helpers > 0:
            with nogil:
                if PyThread_acquire_lock_timed(self._idle, LISTENS_EVERY_US, 1) == PY_LOCK_ACQUIRED:
                    PyThread_release_lock(self._idle)
            try:
                PyErr_CheckSignals()
            except BaseException as error:
                interrupt = error
                self._stop()
        if interrupt is not None:
            raise interrupt

    def _stop(self):
        """Take no more chunks; those under way end soon."""
        set_flag(&self._stopped)

    def _finish(self):
        """Complete the part that was taken last: no thread works on it any more."""
        cdef Engine engine = self._engine
        cdef Py_ssize_t start = self._count - len(<tuple>self._parts[-1])
        cdef Py_ssize_t i
        cdef Item* item
        cdef Item* first
        cdef Py_ssize_t left = 0
        cdef Py_ssize_t tokens_left = 0
        cdef VerifiedToken token
        cdef Work work
        if engine._cache is not None:
            left = engine._cache.max_bytes // REMEMBERED_SHARE
            tokens_left = max(1, engine._cache._entry_limit // REMEMBERED_SHARE)
        if engine._is_revoked is not None:
            for i in range(start, self._count):
                item = &self._items[i]
                if item.fault == OK and item.first == i:
                    token = self.token_at(i)
                    item.fault = engine.ask(token, False) if token is not None else UNDECIDED
        for i in range(self._todo_count):
            if left <= 0 or tokens_left <= 0:
                break
            item = &self._items[self._todo[i]]
            if item.fault != OK:
                continue
            token = self.make(self._todo[i], &work)
            if token is None:
                item.fault = UNDECIDED
                continue
            work.now_ns = self._began_ns
            engine.remember(self._bindings[item.issuer], &work, token)
            left -= 1024 + work.size
            tokens_left -= 1
        for i in range(start, self._count):
            item = &self._items[i]
            first = &self._items[item.first]
            item.fault = first.fault
            item.claim = first.claim
            item.issuer = first.issuer
            item.exp = first.exp
            engine._verdicts[item.fault] += 1
        self._todo_count = 0
        self._judge = None                          # a result that is kept keeps nothing in the index from being freed

    cdef int note(self, Py_ssize_t start) except -1:
        """Find equal texts and known tokens among the items from `start` on; list the others as to do."""
        cdef Engine engine = self._engine
        cdef TokenCache cache = engine._cache
        cdef uint32_t mask = 1
        cdef uint32_t* seen                         # an open-addressing set of items, each one more than its index
        cdef uint32_t at, step
        cdef uint64_t hash
        cdef Py_ssize_t i
        cdef Item* item
        cdef Span text, other
        self._texts = <PyObject*>self._parts[-1]
        self._start = start
        self._todo_count = 0
        if self._judge.revoked is not None:
            self._generation = self._judge.revoked.generation
        while mask < 2 * (self._count - start):
            mask = 2 * mask + 1
        seen = <uint32_t*>calloc(<size_t>mask + 1, sizeof(uint32_t))
        if seen == NULL:
            raise MemoryError
        for i in range(start, self._count):
            item = &self._items[i]
            item.first = <uint32_t>i
            item.fault = read_text(item_of(self._texts, i - start), self._judge.max_token_bytes, &text)
            if item.fault != OK:
                continue
            item.fault = UNDECIDED
            hash = slot_hash(text)
            at = <uint32_t>(hash >> 32) & mask
            step = 0
            while seen[at]:
                read_text(item_of(self._texts, seen[at] - 1 - start), self._judge.max_token_bytes, &other)
                if same_bytes(text, other):
                    item.first = seen[at] - 1
                    break
                if step == 0:
                    # of the whole text: who sends many that end alike does not make them all search one row of places
                    step = <uint32_t>keyed_hash(text) | 1
                at = (at + step) & mask
            if item.first != i:
                continue
            seen[at] = <uint32_t>i + 1
            if cache is not None:
                item.token = engine.known(text, hash, False, VOUCHED)
                if item.token != NULL:
                    cache._hits += 1
                    item.fault = OK
                    item.exp = seconds_of(
                        span_of((<VerifiedToken>item.token).payload), (<VerifiedToken>item.token)._values)
                    continue
                cache._misses += 1
            self._todo[self._todo_count] = <uint32_t>i
            self._todo_count += 1
        free(seen)
        return 0

    # -- without the GIL

    cdef bint run_chunk(self, Scratch* scratch) noexcept nogil:
        """Verify the next chunk; False when there is none."""
        cdef int64_t at, end, size
        cdef int64_t inverted = 0
        cdef int64_t now_ns = 0
        cdef int64_t read_at = 0
        cdef int64_t monotonic
        cdef Verdict verdict
        cdef Item* item
        cdef Span text
        if is_set(&self._stopped):
            return False
        # what is left may have changed by the time it is taken: that makes a chunk a little too big, and nothing else
        size = (self._todo_count - peek(&self._next)) // self._shares
        size = max(LEAST_OF_A_CHUNK, min(MOST_OF_A_CHUNK, size))
        at = take(&self._next, size)
        end = min(at + size, self._todo_count)
        scratch.inverses.count = 0
        scratch.inverse = NULL
        while at < end and not is_set(&self._stopped):
            if self._judge.looks_ahead:
                if at >= inverted + scratch.inverses.count:
                    inverted = at
                    self.look_ahead(at, min(end, at + MOST_INVERSES), scratch)
                scratch.inverse = inverse_at(&scratch.inverses, at - inverted)
            monotonic = monotonic_ns()
            if now_ns == 0 or monotonic - read_at > CLOCK_IS_GOOD_FOR_NS:
                now_ns = wall_ns()
                read_at = monotonic
            item = &self._items[self._todo[at]]
            read_text(
                item_of(self._texts, <Py_ssize_t>self._todo[at] - self._start), self._judge.max_token_bytes, &text)
            verdict.exp = verdict.issuer = 0
            item.fault = self._judge.decide(text, now_ns, scratch, &verdict)
            item.exp = verdict.exp
            item.issuer = self._first_binding + verdict.issuer
            item.claim = verdict.key if item.fault == OK else verdict.claim
            at += 1
        return end < self._todo_count

    cdef void look_ahead(self, int64_t at, int64_t end, Scratch* scratch) noexcept nogil:
        """Invert what an ES256 check needs the inverse of, for some tokens together, whatever their keys are."""
        cdef int64_t i
        cdef Span text
        scratch.inverses.count = <int>(end - at)
        for i in range(end - at):
            read_text(
                item_of(self._texts, <Py_ssize_t>self._todo[at + i] - self._start), self._judge.max_token_bytes, &text)
            scratch.inverses.there[i] = last_number(text, scratch.inverses.numbers[i])
        invert_all(&scratch.inverses)

    # -- what it holds

    cdef VerifiedToken token_at(self, Py_ssize_t index):
        """The token of an accepted text, made if nobody has looked at it yet; None when that fails."""
        cdef Item* item = &self._items[self._items[index].first]
        cdef Work work
        return <VerifiedToken>item.token if item.token != NULL else self.make(item.first, &work)

    cdef VerifiedToken make(self, Py_ssize_t index, Work* work):
        """Read an accepted text once more, now for its token; `work` is what a cache wants to know."""
        cdef Item* item = &self._items[index]
        cdef Binding binding = self._bindings[item.issuer]
        cdef Header header
        cdef VerifiedToken token
        cdef PyObject* scanned = NULL
        cdef bytes payload
        cdef Span text
        cdef Fault fault
        texts = <tuple>self._parts[index // self._part]
        work.claim = NO_CLAIM
        work.generation = self._generation
        fault = read_text(<PyObject*>texts[index % self._part], binding.policy.max_token_bytes, &text)
        work.size = text.size
        work.hash = slot_hash(text)
        if fault == OK:
            fault = split_compact(text, binding.policy.allow_padding, &work.parts)
        if fault != OK:
            return None
        header = binding.memo.find(work.parts.header)
        if header is None:
            header = binding.read_header(work.parts.header, &fault, &work.claim)
            if header is None:
                return None
            binding.memo.add(header)
        names_init(&work.names)
        fault = scan_payload(work, &scanned)
        names_free(&work.names)
        if scanned == NULL:
            return None
        payload = <bytes>scanned
        Py_DECREF(payload)                          # `payload` holds it now
        if fault != OK:
            return None
        if item.token != NULL:                      # made before, or by another thread meanwhile: the first one counts
            return <VerifiedToken>item.token
        token = make_token(payload, header, work.values)
        Py_INCREF(token)
        item.token = <PyObject*>token
        return token

    cdef object result_at(self, Py_ssize_t index):
        cdef Item* item = &self._items[index]
        cdef Binding binding
        if item.fault == OK:
            token = self.token_at(index)
            if token is not None:
                return token
        error, code, message = BY_FAULT[<int>UNDECIDED if item.fault == OK else item.fault]
        binding = self._bindings[item.issuer]
        return error(message, code, binding.policy.claim_name(item.claim))

    def __len__(self):
        return self._count

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [self.result_at(i) for i in range(*index.indices(self._count))]
        at = operator_index(index)
        if at < 0:
            at += self._count
        if not 0 <= at < self._count:
            raise IndexError("a batch has no result at this index")
        return self.result_at(at)

    def __iter__(self):
        return (self.result_at(i) for i in range(self._count))

    index = Sequence.index
    count = Sequence.count

    @property
    def accepted(self):
        """How many texts are tokens that passed every check."""
        return self.tally()[<int>OK]

    @property
    def undecided(self):
        """How many could not be decided (503): neither accepted nor refused, to be tried again."""
        return sum(count for fault, count in enumerate(self.tally()) if fault in _UNDECIDED)

    @property
    def rejected(self):
        """How many were refused (401)."""
        return self._count - self.accepted - self.undecided

    @property
    def counts(self):
        """How often each verdict was given: a dict from code (``accepted`` for tokens) to a number above 0."""
        counts = {}
        for fault, count in enumerate(self.tally()):
            if count:
                counts[_CODES[fault]] = counts.get(_CODES[fault], 0) + count
        return counts

    @property
    def ok(self):
        """Column: whether each text was accepted; a ``memoryview`` of bool."""
        cdef bytearray column = bytearray(self._count)
        cdef Py_ssize_t i
        for i in range(self._count):
            column[i] = self._items[i].fault == OK
        return memoryview(bytes(column)).cast("?")

    @property
    def code(self):
        """Column: the verdict on each text, ``accepted`` or the code of the refusal; a tuple of str."""
        cdef Py_ssize_t i
        return tuple([_CODES[self._items[i].fault] for i in range(self._count)])

    @property
    def exp(self):
        """Column: when each accepted token expires, in whole Unix seconds, 0 where there is no ``exp`` or no token; a
        ``memoryview`` of signed 64-bit integers."""
        cdef bytearray column = bytearray(8 * self._count)
        cdef Py_ssize_t i
        cdef int64_t exp
        for i in range(self._count):
            exp = self._items[i].exp if self._items[i].fault == OK else 0
            memcpy(PyByteArray_AS_STRING(column) + 8 * i, &exp, 8)
        return memoryview(bytes(column)).cast("q")

    def __repr__(self):
        return f"<BatchResult of {self._count}: {self.accepted} accepted, {self.rejected} rejected, " \
               f"{self.undecided} undecided>"

    def __reduce__(self):
        raise TypeError("a BatchResult can be neither copied nor pickled: it makes tokens that only a verifier makes")

    cdef list tally(self):
        cdef uint32_t counts[FAULT_COUNT]
        cdef Py_ssize_t i
        memset(counts, 0, sizeof(counts))
        for i in range(self._count):
            counts[self._items[i].fault] += 1
        return [counts[i] for i in range(FAULT_COUNT)]


Sequence.register(BatchResult)
