"""The pipeline. Read this file first.

    text -> known? -> three parts -> header -> key -> signature -> payload -> claims -> revoked? -> VerifiedToken

Each step returns a ``Fault``; the first that is not OK is the verdict, and ``conclude`` is the one place that raises.
Steps marked ``nogil`` touch no Python object. A step that breaks leaves UNDECIDED, which refuses.
"""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.object cimport PyObject, PyTypeObject, Py_TYPE
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint64_t

from jotgate._binding cimport Binding, Issuers, IssuerSlot
from jotgate._cache cimport Sighting, TokenCache, slot_hash
from jotgate._claims cimport CLAIMS, check_epoch
from jotgate._clock cimport wall_ns
from jotgate._codec cimport Span, decode_base64url, decoded_size, span, span_of, split_compact
from jotgate._fault cimport (
    AMBIGUOUS_KEY, BAD_BASE64URL, BAD_CHARACTER, EPOCH, EPOCH_AHEAD, EPOCH_UNKNOWN, FAULT_COUNT, ISS, KEY_FETCH_FAILED,
    KEY_WITHDRAWN, NO_CLAIM, OK, REVOKED, RULES_STALE, RULES_UNASKED, STORE_UNAVAILABLE, TOO_LARGE, UNDECIDED,
    UNKNOWN_KEY, WRONG_INPUT_TYPE, WRONG_ISSUER, Fault,
)
from jotgate._flights cimport Flights
from jotgate._json cimport STRING, names_free, names_init, scan_object
from jotgate._key cimport HS512, KeySource, is_usable
from jotgate._revoked cimport ASKED, NO_EPOCH, UNASKED, VOUCHED, Asking, RevocationIndex, is_current
from jotgate._token cimport Header, VerifiedToken, make_payload, make_token

from jotgate.errors import BY_FAULT, PolicyError

cdef extern from "Python.h":
    # Macros and inline functions that read what never changes: no GIL needed.
    bint PyUnicode_CheckExact(PyObject* text) noexcept nogil
    bint PyUnicode_IS_COMPACT_ASCII(PyObject* text) noexcept nogil
    void* PyUnicode_DATA(PyObject* text) noexcept nogil
    Py_ssize_t PyUnicode_GET_LENGTH(PyObject* text) noexcept nogil
    bint PyBytes_CheckExact(PyObject* text) noexcept nogil
    char* PyBytes_AS_STRING(PyObject* text) noexcept nogil
    Py_ssize_t PyBytes_GET_SIZE(PyObject* text) noexcept nogil

    PyObject* Py_False
    PyObject* Py_True
    int PyUnicode_CompareWithASCIIString(object text, const char* ascii) noexcept
    # Raw pointers and no exception value: conclude() sets the error and returns NULL itself.
    void PyErr_SetInterrupt() noexcept
    void PyErr_SetObject(PyObject* type, PyObject* value) noexcept

    ctypedef struct PyMethodDef:
        const char* ml_name
        void* ml_meth
        int ml_flags
        const char* ml_doc
    int METH_FASTCALL
    int METH_KEYWORDS
    object PyDescr_NewMethod(PyTypeObject* type, PyMethodDef* method)
    void PyType_Modified(PyTypeObject* type)


_FRESH_NEEDS_REVOCATIONS = "fresh=True needs a verifier with revocations"


cdef Fault read_text(PyObject* text, Py_ssize_t max_bytes, Span* whole) noexcept nogil:
    """The bytes of the token, in place."""
    whole[0] = span(NULL, 0)
    if PyUnicode_CheckExact(text):
        whole[0] = span(<const uint8_t*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
        if not PyUnicode_IS_COMPACT_ASCII(text):
            return BAD_CHARACTER
        return OK if whole.size <= max_bytes else TOO_LARGE
    if PyBytes_CheckExact(text):
        whole[0] = span(<const uint8_t*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
        return OK if whole.size <= max_bytes else TOO_LARGE
    return WRONG_INPUT_TYPE


cdef inline void hand_over(PyObject** place, object value) noexcept:
    Py_INCREF(value)
    place[0] = <PyObject*>value


cdef Fault scan_payload(Work* work, PyObject** payload) noexcept:
    """Decode the payload and find the registered claims in it; the decoded bytes are the caller's to release."""
    cdef Span segment = work.parts.payload
    cdef Py_ssize_t size = decoded_size(segment.size)
    cdef bytes decoded
    if size < 0:
        return BAD_BASE64URL
    decoded = PyBytes_FromStringAndSize(NULL, size)
    if not decode_base64url(segment, <uint8_t*>PyBytes_AS_STRING(<PyObject*>decoded)):
        return BAD_BASE64URL
    hand_over(payload, decoded)
    return scan_object(span_of(decoded), &CLAIMS, work.values, &work.names)


cdef void retire(list bindings, list serving) noexcept:
    """What was remembered under these has to be looked up again, but for those that go on to serve."""
    cdef Binding each
    for binding in bindings:
        (<Binding>binding).snapshot.live = False
    for binding in serving:
        each = binding
        each.snapshot.live = True


_USABLE, _NEWER, _NOW = "usable", "newer", "now"


cdef object wanted_for(Fault fault):
    """What a feed is asked for when its keys or rules have led to this; None: no others would help."""
    if fault == KEY_FETCH_FAILED or fault == KEY_WITHDRAWN or fault == RULES_STALE:
        return _USABLE
    if fault == UNKNOWN_KEY or fault == AMBIGUOUS_KEY or fault == EPOCH_AHEAD or fault == EPOCH_UNKNOWN:
        return _NEWER
    return _NOW if fault == RULES_UNASKED else None


cdef object renewed(feed, seen, want):
    """Ask: True where there is something newer, False where there is not, None where that cannot be known."""
    if feed is None:
        return True
    if want is not _NOW:
        return feed._newer(seen, want)
    try:
        feed._asked_now()
    except Exception:
        return None
    return True


cdef int raise_what_is_set() except -1:
    return -1


cdef tuple take_renewal(Outcome* outcome):
    cdef tuple renewal = <tuple>outcome.renewal
    outcome.renewal = NULL
    Py_DECREF(renewal)                              # `renewal` holds it now
    return renewal


cdef void drop_claim(Outcome* outcome) noexcept:
    if outcome.claim != NULL:
        Py_DECREF(<object>outcome.claim)
        outcome.claim = NULL


cdef inline void begin(Engine engine, Outcome* outcome, bint fresh) noexcept:
    outcome.token = outcome.claim = outcome.renewal = outcome.interrupt = NULL
    outcome.asking = UNASKED if fresh and engine._feed is not None else VOUCHED


cdef class Engine:
    """The native base of ``Verifier``: holds its bindings and verifies."""

    def _bind(self, Binding binding not None):
        """Serve one policy from now on."""
        replaced = self._bindings_now()
        self._max_token_bytes = binding.policy.max_token_bytes
        self._allow_padding = binding.policy.allow_padding
        self._issuers = None
        self._binding = binding
        retire(replaced, [binding])

    def _bind_issuers(self, dict bindings not None):
        """Serve several issuers from now on: a mapping from issuer, as UTF-8 ``bytes``, to ``Binding``."""
        cdef Issuers issuers = Issuers(bindings)
        cdef Binding binding
        cdef Py_ssize_t max_token_bytes = 0
        cdef bint allow_padding = False
        for item in issuers.bindings.values():
            binding = item
            max_token_bytes = max(max_token_bytes, binding.policy.max_token_bytes)
            allow_padding |= binding.policy.allow_padding
        replaced = self._bindings_now()
        self._max_token_bytes = max_token_bytes
        self._allow_padding = allow_padding
        self._binding = None
        self._issuers = issuers
        retire(replaced, list(issuers.bindings.values()))

    def _bindings_now(self):
        bindings = [self._binding] if self._binding is not None else []
        if self._issuers is not None:
            bindings.extend(self._issuers.bindings.values())
        return bindings

    def _equip(self, TokenCache cache, RevocationIndex revoked, feed, is_revoked):
        """Remember tokens in ``cache``; refuse what ``revoked`` holds, which ``feed`` keeps up to date, and what
        ``is_revoked(token, fresh)`` says.

        Raises:
            PolicyError: ``invalid_policy``: the cache serves a verifier already; what fed `revoked` is gone.
        """
        if revoked is not None and revoked._feed is not None and revoked.feed is None:
            raise PolicyError("nothing keeps this index up to date any more: give the verifier the Revocations itself")
        if cache is not None:
            if cache._taken:
                raise PolicyError("a TokenCache belongs to one verifier, because what it holds was decided by its "
                                  "policy; give each verifier its own")
            cache._taken = True
        self._cache = cache
        self._flights = Flights() if cache is not None else None
        self._revoked = revoked
        self._feed = feed
        # who issues under rules dates the first token after one up to a second ahead
        self._ahead_ns = 1_000_000_000 if revoked is not None else 0
        self._is_revoked = is_revoked

    def _verdicts_by_code(self):
        """Return how often each verdict was given: ``accepted``, and the codes of the refusals."""
        counts = {"accepted": self._verdicts[<int>OK]}
        for fault, (_, code, _) in BY_FAULT.items():
            counts[code] = counts.get(code, 0) + self._verdicts[<int>fault]
        return counts

    @property
    def cache(self):
        """The ``TokenCache`` of this verifier, or None."""
        return self._cache

    cdef Fault decide(self, object text, bint fresh, Outcome* outcome) noexcept:
        """The verdict on one token."""
        cdef Work work
        cdef Span whole
        cdef TokenCache cache = self._cache
        cdef Fault fault
        if self._max_token_bytes == 0:              # a subclass that skipped __init__
            return UNDECIDED
        fault = read_text(<PyObject*>text, self._max_token_bytes, &whole)
        if fault != OK:
            return fault
        work.flight = NULL
        work.size = whole.size
        work.claim = NO_CLAIM
        if cache is not None:
            work.hash = slot_hash(whole)
            outcome.token = self.recall(whole, work.hash, fresh, outcome.asking)
            if outcome.token == NULL and self._flights.wait_for(whole, work.hash):
                outcome.token = self.recall(whole, work.hash, fresh, outcome.asking)
            if outcome.token != NULL:
                return OK if outcome.asking != UNASKED else self.ask_for(None, RULES_UNASKED, outcome)
            cache._misses += 1
            cache.expect(work.hash)
        fault = split_compact(whole, self._allow_padding, &work.parts)
        if fault == OK:
            names_init(&work.names)
            fault = self.decide_anew(&work, fresh, outcome)
            names_free(&work.names)
        if work.flight != NULL:
            self._flights.land(work.flight)
        return fault

    cdef Fault decide_with_renewed(self, object text, bint fresh, Fault fault, Outcome* outcome) noexcept:
        """Decide again, if the feed whose keys or rules did not decide finds newer ones. It is asked for each want
        once: there may be no keys, and those that came may not have the kid."""
        asked = []
        while outcome.renewal != NULL:
            feed, seen, want, otherwise = take_renewal(outcome)
            if (feed, want) in asked:
                break
            asked.append((feed, want))
            try:
                newer = renewed(feed, seen, want)
            except BaseException as error:          # an interrupt: nothing may be raised here, so `conclude` does
                drop_claim(outcome)
                hand_over(&outcome.interrupt, error)
                return UNDECIDED
            if newer is False:
                break
            drop_claim(outcome)
            if newer is not True:
                return <Fault><int>otherwise
            if want is _NOW:
                outcome.asking = ASKED
            fault = self.decide(text, fresh, outcome)
        return fault

    cdef Fault ask_for(self, Binding binding, Fault fault, Outcome* outcome) noexcept:
        """Leave it to newer keys or rules, if there may be any."""
        cdef tuple renewal
        if fault == RULES_UNASKED and outcome.token != NULL:
            Py_DECREF(<object>outcome.token)
            outcome.token = NULL
        if fault == EPOCH_UNKNOWN and outcome.asking == ASKED:
            return fault                            # what the store says now is the last word
        renewal = self.renewal_of(binding, fault)
        if renewal is not None:
            hand_over(&outcome.renewal, renewal)
        return fault

    cdef tuple renewal_of(self, Binding binding, Fault fault):
        """Whom to ask (None: nobody, but decide again), what it had vouched for, what to ask it for, and the verdict if
        it does not know. None: the fault stands."""
        want = wanted_for(fault)
        if want is None:
            return None
        if fault == RULES_STALE or fault == EPOCH_UNKNOWN or fault == RULES_UNASKED:
            return None if self._feed is None else (self._feed, None, want, <int>STORE_UNAVAILABLE)
        if binding.source.feed is None and fault != KEY_WITHDRAWN:
            return None
        return binding.source.feed, binding.supply, want, <int>KEY_FETCH_FAILED

    def _verify_once(self, text, bint fresh, bint asked, bint patient):
        """As ``verify``, but where newer keys or rules might decide otherwise and the caller is `patient`, return
        instead of raising what `renewal_of` does. `asked`: the store has been asked, for `fresh`."""
        cdef Outcome outcome
        cdef Fault fault
        cdef PyObject* token
        cdef tuple renewal
        if fresh and self._revoked is None and self._is_revoked is None:
            raise PolicyError(_FRESH_NEEDS_REVOCATIONS)
        begin(self, &outcome, fresh)
        if asked:
            outcome.asking = ASKED
        fault = self.decide(text, fresh, &outcome)
        if outcome.renewal != NULL:
            renewal = take_renewal(&outcome)
            if patient:
                drop_claim(&outcome)
                return renewal
        self._verdicts[<int>fault] += 1
        token = conclude(fault, &outcome)
        if token == NULL:
            raise_what_is_set()
        made = <object>token
        Py_DECREF(made)
        return made

    def _refuse(self, fault):
        """Count and raise a refusal that was not reached by deciding."""
        error, code, message = BY_FAULT[fault]
        self._verdicts[<int>fault] += 1
        raise error(message, code)

    cdef PyObject* recall(self, Span text, uint64_t hash, bint fresh, Asking asking) noexcept:
        """The token with this very text, if all that was decided about it then holds now; else NULL.

        Never a refusal: what does not hold is decided anew from the text.
        """
        cdef PyObject* found = self.known(text, hash, fresh, asking)
        cdef VerifiedToken token
        if found == NULL:
            return NULL
        if self._is_revoked is not None:
            token = <VerifiedToken>found
            Py_DECREF(token)                        # `token` holds it now
            if self.answer(token, fresh) != OK:
                return NULL
            Py_INCREF(token)
        self._cache._hits += asking != UNASKED      # then it is looked up again
        return found

    cdef PyObject* known(self, Span text, uint64_t hash, bint fresh, Asking asking) noexcept:
        """As `recall`, but for the caller's own check. Trust first, then time, then revocation."""
        cdef Sighting seen
        cdef VerifiedToken token
        cdef KeySource source
        cdef int64_t now
        cdef uint64_t generation
        cdef int claim
        if not self._cache.find(text, hash, &seen):
            return NULL
        token = <VerifiedToken>seen.token
        Py_DECREF(token)                            # `token` holds it now
        if not (token._header.cell.trusted and (token._header.snapshot.live or self.resolves_again(token))):
            self._cache.forget(text, hash)
            return NULL
        source = token._header.cell.source
        if not is_usable(source):
            return NULL
        now = wall_ns()
        if now < seen.opens_ns:
            return NULL
        if now >= seen.closes_ns:
            self._cache.forget(text, hash)
            return NULL
        if self._revoked is not None:
            if asking == VOUCHED and not is_current(self._revoked):
                return NULL
            generation = self._revoked.generation   # read before looking: a change in between is noticed next time
            if fresh or generation != seen.generation:
                if self._revoked.look_up(span_of(token.payload), token._values, NO_EPOCH, &claim) != OK:
                    return NULL
                self._cache.still_unrevoked(text, hash, generation)
        Py_INCREF(token)
        return <PyObject*>token

    cdef bint resolves_again(self, VerifiedToken token) noexcept:
        """Whether the keys of now, under the same policy, lead the token's header to the same trusted key."""
        cdef Header header = token._header
        cdef Binding now = self._binding
        cdef const IssuerSlot* found
        cdef bytes kid
        cdef Span wanted = span(NULL, 0)
        cdef int index
        if now is None and self._issuers is not None:
            found = self._issuers.find(span_of(token.payload), token._values[<int>ISS])
            if found != NULL:
                now = <Binding>found.binding
        if now is None or header.snapshot.policy is not now.policy:
            return False
        if header.kid is not None:
            kid = (<str>header.kid).encode("utf-8")
            wanted = span_of(kid)
        index = now.keys.find(wanted, header.algorithms)
        if index < 0 or now.cells[index] is not header.cell:
            return False
        header.snapshot = now.snapshot
        return True

    cdef Fault decide_anew(self, Work* work, bint fresh, Outcome* outcome) noexcept:
        cdef Binding binding = self._binding
        if binding is not None:
            return self.verify_token(binding, work, None, UNDECIDED, fresh, outcome)
        if self._issuers is not None:
            return self.decide_by_issuer(work, fresh, outcome)
        return UNDECIDED

    cdef Fault decide_by_issuer(self, Work* work, bint fresh, Outcome* outcome) noexcept:
        """Of the payload only `iss` is used before the signature: to choose, by exact match, whose keys and policy."""
        cdef Issuers issuers = self._issuers
        cdef PyObject* scanned = NULL
        cdef const IssuerSlot* found
        cdef Fault payload_fault = scan_payload(work, &scanned)
        cdef bytes payload
        cdef Binding binding
        if scanned == NULL:
            return payload_fault
        payload = <bytes>scanned
        Py_DECREF(payload)                          # `payload` holds it now
        if work.values[<int>ISS].kind != STRING and payload_fault != OK:
            return payload_fault
        found = issuers.find(span_of(payload), work.values[<int>ISS])
        if found == NULL:
            hand_over(&outcome.claim, "iss")
            return WRONG_ISSUER
        binding = <Binding>found.binding
        if work.size > binding.policy.max_token_bytes:
            return TOO_LARGE
        if work.parts.padded and not binding.policy.allow_padding:
            return BAD_CHARACTER
        return self.verify_token(binding, work, payload, payload_fault, fresh, outcome)

    cdef Fault verify_token(self, Binding binding, Work* work, bytes payload, Fault payload_fault, bint fresh,
                            Outcome* outcome) noexcept:
        """Everything after the split, for one issuer. `payload` is None unless the issuer was looked up in it."""
        cdef PyObject* scanned = NULL
        cdef VerifiedToken token
        cdef Fault fault = UNDECIDED
        cdef Header header = binding.memo.find(work.parts.header)
        cdef bint known = header is not None
        if known:
            fault = OK                              # these very bytes led to a valid signature under this key before
        else:
            header = binding.read_header(work.parts.header, &fault, &work.claim)
        if fault == OK:
            fault = self.check_signature(binding, header, work)
        if fault == OK:
            if not known:
                binding.memo.add(header)
            if payload is None:
                payload_fault = scan_payload(work, &scanned)
                if scanned != NULL:
                    payload = <bytes>scanned
                    Py_DECREF(payload)              # `payload` holds it now
            fault = payload_fault
        if fault == OK:
            work.now_ns = wall_ns()
            fault = binding.policy.check(
                span_of(payload), work.values, &work.names, work.now_ns, self._ahead_ns, &work.claim)
        if fault == OK and self._revoked is not None:
            work.generation = self._revoked.generation
            fault = self._revoked.check(span_of(payload), work.values, binding.epoch, outcome.asking, &work.claim)
        elif fault == OK and binding.epoch >= 0:
            fault = check_epoch(span_of(payload), work.values[<int>EPOCH], binding.epoch, &work.claim)
        if fault == OK:
            token = make_token(payload, header, work.values)
            if self._is_revoked is not None:
                # nobody waits for us while foreign code runs: it may verify this very token, or wait for who does
                if work.flight != NULL:
                    self._flights.land(work.flight)
                    work.flight = NULL
                fault = self.answer(token, fresh)
            if fault == OK:
                hand_over(&outcome.token, token)
                if self._cache is not None:
                    self.remember(binding, work, token)
        elif work.claim != NO_CLAIM:
            hand_over(&outcome.claim, binding.policy.claim_name(work.claim))
        return OK if fault == OK else self.ask_for(binding, fault, outcome)

    cdef Fault check_signature(self, Binding binding, Header header, Work* work) noexcept:
        """Check it, without the GIL where that is worth handing it over.

        Measured on two cores with threads that also run Python: letting go of it for an HMAC costs a fifth to a third
        of the throughput, because waking a thread takes longer than the HMAC; keeping it for RS256 and ES256 halves
        what two threads verify. A check without the GIL is announced first: who comes with the same new token meanwhile
        waits for the verdict.
        """
        cdef Fault fault
        if header.key.algorithm <= HS512 or binding.lane_refs[header.index] == NULL:
            return binding.check_signature(header.index, &work.parts, NULL)
        if self._cache is not None and not work.parts.padded:
            work.flight = self._flights.board(span(work.parts.header.start, work.size), work.hash)
        with nogil:
            fault = binding.check_signature(header.index, &work.parts, NULL)
        return fault

    cdef Fault ask(self, VerifiedToken token, bint fresh) except? UNDECIDED:
        """Ask the caller's own check, every time: its verdicts are not ours to remember. An interrupt goes through."""
        try:
            revoked = self._is_revoked(token, fresh=fresh)
        except Exception:
            return STORE_UNAVAILABLE
        if revoked is False:
            return OK
        return REVOKED if revoked is True else STORE_UNAVAILABLE

    cdef Fault answer(self, VerifiedToken token, bint fresh) noexcept:
        """As `ask`, where nothing may be raised: an interrupt comes again right after."""
        try:
            return self.ask(token, fresh)
        except KeyboardInterrupt:
            PyErr_SetInterrupt()
            return UNDECIDED

    cdef void remember(self, Binding binding, Work* work, VerifiedToken token) noexcept:
        """Enter a token that was just accepted, with the time for which its claims go on to hold."""
        cdef int64_t opens_ns, closes_ns
        if work.parts.padded:                       # several texts of one token would share what one may take
            return
        binding.policy.window(span_of(token.payload), token._values, self._ahead_ns, &opens_ns, &closes_ns)
        self._cache.add(span(work.parts.header.start, work.size), work.hash, token, work.now_ns, opens_ns, closes_ns,
                        work.generation)


# -- the door --------------------------------------------------------------------------------------------------------

# By fault: the class to raise, and its args for a refusal that is about no claim. Exceptions are made anew for each
# raise; their args are tuples of constants and can be shared. _ARGS keeps them alive, errors.BY_FAULT the classes.
cdef PyObject* ERROR_CLASS[FAULT_COUNT]
cdef PyObject* ERROR_ARGS[FAULT_COUNT]
_ARGS = []
for _fault in range(FAULT_COUNT):
    _error, _code, _message = BY_FAULT.get(_fault, BY_FAULT[<int>UNDECIDED])
    _ARGS.append((_message, _code, None))
    ERROR_CLASS[<int>_fault] = <PyObject*>_error
    ERROR_ARGS[<int>_fault] = <PyObject*>_ARGS[_fault]


cdef PyObject* conclude(Fault fault, Outcome* outcome) noexcept:
    """The one place that raises: the token for OK, else an error set and NULL, as a C method returns."""
    if fault == OK:
        if outcome.token != NULL:
            return outcome.token
        fault = UNDECIDED
    if outcome.interrupt != NULL:
        PyErr_SetObject(<PyObject*>Py_TYPE(<object>outcome.interrupt), outcome.interrupt)
        Py_DECREF(<object>outcome.interrupt)
        return NULL
    if outcome.claim == NULL:
        PyErr_SetObject(ERROR_CLASS[<int>fault], ERROR_ARGS[<int>fault])
    else:
        set_claim_error(fault, <object>outcome.claim)
        Py_DECREF(<object>outcome.claim)
    return NULL


cdef void set_claim_error(Fault fault, object claim) noexcept:
    message, code, _ = <tuple>ERROR_ARGS[<int>fault]
    args = (message, code, claim)
    PyErr_SetObject(ERROR_CLASS[<int>fault], <PyObject*>args)


# verify() is a method definition of our own, not a Cython `def`, which would add a traceback entry of its own to every
# refusal and so double what a refusal costs (bench/: refusals).
cdef PyObject* verify_method(PyObject* self, PyObject** args, Py_ssize_t count, PyObject* keywords) noexcept:
    cdef Engine engine = <Engine>self
    cdef Outcome outcome
    cdef Fault fault
    cdef PyObject* text
    cdef bint fresh = False
    if keywords == NULL and count == 1:
        text = args[0]
    else:
        text = text_argument(args, count, <tuple>keywords if keywords != NULL else (), &fresh)
        if text == NULL:
            return NULL
        if fresh and engine._revoked is None and engine._is_revoked is None:
            PyErr_SetObject(<PyObject*>PolicyError, <PyObject*>_FRESH_NEEDS_REVOCATIONS)
            return NULL
    begin(engine, &outcome, fresh)
    fault = engine.decide(<object>text, fresh, &outcome)
    if outcome.renewal != NULL:
        fault = engine.decide_with_renewed(<object>text, fresh, fault, &outcome)
    engine._verdicts[<int>fault] += 1
    return conclude(fault, &outcome)


cdef PyObject* text_argument(PyObject** args, Py_ssize_t count, tuple keywords, bint* wants_fresh) noexcept:
    """The `text` of verify(text, *, fresh=False), borrowed; NULL with an error set when the call is wrong."""
    cdef PyObject* text = args[0] if count == 1 else NULL
    cdef PyObject* fresh = Py_False
    cdef Py_ssize_t i
    cdef bint wrong = count > 1
    for i in range(len(keywords)):
        # in C, because a str subclass may bring an `==` of its own
        if PyUnicode_CompareWithASCIIString(keywords[i], b"text") == 0 and text == NULL:
            text = args[count + i]
        elif PyUnicode_CompareWithASCIIString(keywords[i], b"fresh") == 0:
            fresh = args[count + i]
        else:
            wrong = True
    if wrong or text == NULL or (fresh != Py_False and fresh != Py_True):
        PyErr_SetObject(<PyObject*>TypeError, <PyObject*>"verify() takes one token, and fresh=True or fresh=False")
        return NULL
    wants_fresh[0] = fresh == Py_True
    return text


cdef PyMethodDef VERIFY
VERIFY.ml_name = "verify"
VERIFY.ml_meth = <void*>verify_method
VERIFY.ml_flags = METH_FASTCALL | METH_KEYWORDS
VERIFY.ml_doc = b"""verify($self, text, *, fresh=False)
--

Check everything the policy asks for and return the token.

Args:
    text: The token in compact form, ``str`` or ``bytes``, without "Bearer ".
    fresh: Do not rely on what was found out earlier about revocation. A verifier without revocations has nothing to
        ask, so True is a PolicyError.

Returns:
    VerifiedToken: the only way to get one.

Raises:
    TokenError: the token is refused; ``code`` says why. A signature failure hides every later reason.
    UndecidedError: nothing could be decided; try again.
    PolicyError: ``invalid_policy``: ``fresh=True`` without revocations.

Cost: A token that the cache knows: one look-up and the checks that time, keys and revocation need. Another: one copy of
    the payload, and of the text for the cache; no claims object is built. Public-key signatures are checked without
    the GIL.

Spec: RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3.
"""
(<dict>(<PyTypeObject*>Engine).tp_dict)["verify"] = PyDescr_NewMethod(<PyTypeObject*>Engine, &VERIFY)
PyType_Modified(<PyTypeObject*>Engine)


def verify_payload(text, Binding binding not None):
    """Check the signature alone and return a ``VerifiedPayload``; the policy's header rules and limits apply.

    Raises:
        TokenError: as ``Verifier.verify``, but nothing about claims.
    """
    cdef Work work
    cdef Span whole
    cdef Header header
    cdef Py_ssize_t size
    cdef Fault fault = read_text(<PyObject*>text, binding.policy.max_token_bytes, &whole)
    work.claim = NO_CLAIM
    if fault == OK:
        fault = split_compact(whole, binding.policy.allow_padding, &work.parts)
    if fault == OK:
        header = binding.read_header(work.parts.header, &fault, &work.claim)
    if fault == OK:
        fault = binding.check_signature(header.index, &work.parts, NULL)
    if fault == OK:
        size = decoded_size(work.parts.payload.size)
        fault = BAD_BASE64URL
        if size >= 0:
            payload = PyBytes_FromStringAndSize(NULL, size)
            if decode_base64url(work.parts.payload, <uint8_t*>PyBytes_AS_STRING(<PyObject*>payload)):
                return make_payload(payload, header)
    error, code, message = BY_FAULT[<int>fault]
    raise error(message, code, binding.policy.claim_name(work.claim))
