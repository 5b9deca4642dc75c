"""A policy over a set of keys, ready to decide: what the header must look like, which key it leads to, and whether the
signature is that key's. All but the header object itself is read without the GIL.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from jotgate._memo cimport HeaderMemo
from jotgate._claims cimport CompiledPolicy
from jotgate._codec cimport (
    Compact, Span, decode_base64url, decoded_size, encoded_size, is_canonical_tail, keyed_hash, same_bytes,
    slice_span, span, span_of,
)
from jotgate._fault cimport (
    ALGORITHM_NOT_ALLOWED, AMBIGUOUS_KEY, BAD_BASE64URL, BAD_HEADER, BAD_SIGNATURE, CRITICAL_HEADER, KEY_FETCH_FAILED,
    KEY_WITHDRAWN, MISSING_CLAIM, OK, REVOKED, TYP, UNDECIDED, UNKNOWN_KEY, WRONG_TYP, Fault,
)
from jotgate._json cimport (
    ABSENT, ARRAY, STRING, Names, Value, Vocabulary, add_word, copy_string, has_member, names_free, names_init,
    next_string, scan_object, string_is, string_text,
)
from jotgate._key cimport (
    MAX_SIGNATURE_BYTES, KeyHandle, KeySource, KeyTable, SignatureLane, Snapshot, TrustCell, algorithms_named,
    is_usable,
)
from jotgate._token cimport Header, make_header, string_value


cdef Fault check_under_gil(PyObject* handle, Span signature, Span data) noexcept with gil:
    # the one copy of the token's text: this primitive takes bytes
    return (<KeyHandle>handle).check(signature, PyBytes_FromStringAndSize(<const char*>data.start, data.size))


cdef enum Parameter:
    ALG
    CRIT
    TYP_PARAMETER
    B64
    KID
    PARAMETER_COUNT

cdef Vocabulary PARAMETERS
for _name in (b"alg", b"crit", b"typ", b"b64", b"kid"):
    add_word(&PARAMETERS, _name)

cdef enum:
    MAX_KID_BYTES = 256
    MAX_TYP_BYTES = 256             # RFC 6838 section 4.2 ends a media type at 255

cdef const uint8_t* MEDIA_PREFIX = b"application/"
cdef Py_ssize_t MEDIA_PREFIX_SIZE = 12


cdef inline uint8_t lower(uint8_t c) noexcept nogil:
    return c | 0x20 if 65 <= c <= 90 else c


cdef Span without_media_prefix(Span text) noexcept nogil:
    cdef Py_ssize_t i
    if text.size < MEDIA_PREFIX_SIZE:
        return text
    for i in range(MEDIA_PREFIX_SIZE):
        if lower(text.start[i]) != MEDIA_PREFIX[i]:
            return text
    return slice_span(text, MEDIA_PREFIX_SIZE, text.size)


cdef bint same_media_type(Span one, Span other) noexcept nogil:
    """Compare as media types: "at+jwt" is "application/at+jwt", in any ASCII case (RFC 7515 section 4.1.9)."""
    cdef Py_ssize_t i
    one = without_media_prefix(one)
    other = without_media_prefix(other)
    if one.size != other.size:
        return False
    for i in range(one.size):
        if lower(one.start[i]) != lower(other.start[i]):
            return False
    return True


@cython.final
cdef class Binding:
    """One policy over one snapshot of keys.

    Args:
        policy: What tokens must satisfy.
        keys: The keys.
        cells: A ``TrustCell`` for each key, in the order of ``keys.handles``; its own ones if None.
        lanes: A ``SignatureLane`` or None for each key; if None, `cryptography` checks every signature.
        source: Who vouches for the keys; the source of the cells if None.
        epoch: The ``epoch`` that tokens must carry; None for none.
        supply: What the source's feed vouched for when it gave the keys.
    """

    def __cinit__(self, CompiledPolicy policy not None, KeyTable keys not None, tuple cells=None, tuple lanes=None,
                  KeySource source=None, epoch=None, supply=None):
        cdef Py_ssize_t count = len(keys.handles)
        cdef Py_ssize_t i
        self.policy = policy
        self.keys = keys
        self.cells = cells if cells is not None else KeySource().publish(range(count))
        if source is None:
            source = (<TrustCell?>self.cells[0]).source if self.cells else KeySource()
        self.source = source
        if epoch is not None and epoch < 0:
            raise ValueError("an epoch is a count")
        self.epoch = -1 if epoch is None else epoch
        self.supply = supply
        self.lanes = lanes if lanes is not None else (None,) * count
        if len(self.cells) != count or len(self.lanes) != count:
            raise ValueError("one cell and one lane for each key")
        self.handle_refs = <PyObject**>calloc(3 * count + 1, sizeof(PyObject*))
        if self.handle_refs == NULL:
            raise MemoryError
        self.lane_refs = self.handle_refs + count
        self.cell_refs = self.lane_refs + count
        for i in range(count):
            self.handle_refs[i] = <PyObject*>self.keys.handles[i]
            self.cell_refs[i] = <PyObject*><TrustCell?>self.cells[i]
            if self.lanes[i] is not None:
                self.lane_refs[i] = <PyObject*><SignatureLane?>self.lanes[i]
        self.snapshot = Snapshot()
        self.snapshot.policy = policy
        self.snapshot.live = True
        self.memo = HeaderMemo()

    def __dealloc__(self):
        free(self.handle_refs)

    cdef Fault resolve(self, Span document, HeaderFacts* facts, int* claim) noexcept nogil:
        """Check a decoded header and find its key by (kid, alg)."""
        cdef Value values[PARAMETER_COUNT]
        cdef Names names
        cdef Fault fault
        cdef uint8_t room[MAX_KID_BYTES]
        cdef Span kid = span(NULL, 0)
        names_init(&names)
        fault = scan_object(document, &PARAMETERS, values, &names)
        if fault == OK:
            fault = self.check_header(document, values, &names, claim)
        names_free(&names)
        if fault != OK:
            return fault
        facts.kid = values[<int>KID]
        facts.alg = values[<int>ALG]
        facts.algorithms = algorithms_named(document, facts.alg) & self.policy.algorithms
        if facts.kid.kind != ABSENT:
            kid = span(room, copy_string(document, facts.kid, room, MAX_KID_BYTES))
        facts.key = self.keys.find(kid, facts.algorithms)
        if facts.key < 0:
            if not is_usable(self.source):
                return KEY_FETCH_FAILED
            return AMBIGUOUS_KEY if facts.kid.kind == ABSENT else UNKNOWN_KEY
        return OK

    cdef Header read_header(self, Span segment, Fault* fault, int* claim):
        """The header of a token as an object; None with a fault set when it does not pass."""
        cdef Py_ssize_t size = decoded_size(segment.size)
        cdef HeaderFacts facts
        cdef bytes decoded
        cdef Span document
        fault[0] = BAD_BASE64URL
        if size < 0:
            return None
        decoded = PyBytes_FromStringAndSize(NULL, size)
        document = span_of(decoded)
        if not decode_base64url(segment, <uint8_t*>PyBytes_AS_STRING(decoded)):
            return None
        fault[0] = self.resolve(document, &facts, claim)
        if fault[0] != OK:
            return None
        fault[0] = UNDECIDED
        header = make_header(
            PyBytes_FromStringAndSize(<const char*>segment.start, segment.size), decoded,
            string_value(document, facts.kid) if facts.kid.kind != ABSENT else None,
            string_value(document, facts.alg), facts.algorithms, <KeyHandle>self.keys.handles[facts.key],
            <TrustCell>self.cells[facts.key], self.snapshot,
        )
        header.index = facts.key
        fault[0] = OK
        return header

    cdef bint takes_inverses(self) noexcept:
        """Whether there is a key for whose signatures inverses are worth computing together."""
        cdef Py_ssize_t i
        for i in range(len(self.lanes)):
            if self.lane_refs[i] != NULL and (<SignatureLane>self.lane_refs[i]).takes_inverse():
                return True
        return False

    cdef Fault check_signature(self, int key, const Compact* parts, const uint8_t* inverse) noexcept nogil:
        """Exact length first, then the key's own verdict over the bytes as written (RFC 7515 section 5.2).

        Then whether the key is still vouched for: checking takes time, and a batch holds its keys for longer than that.
        What a distrusted key signed is not even looked at.
        """
        cdef uint8_t raw[MAX_SIGNATURE_BYTES]
        cdef Fault fault
        cdef Span text = parts.signature
        cdef Py_ssize_t size = (<KeyHandle>self.handle_refs[key]).signature_bytes
        if (<TrustCell>self.cell_refs[key]).distrusted:
            return REVOKED
        if not is_usable(self.source):
            return KEY_FETCH_FAILED
        if text.size != encoded_size(size):
            return BAD_SIGNATURE if is_canonical_tail(text) else BAD_BASE64URL
        if not decode_base64url(text, raw):
            return BAD_BASE64URL
        if self.lane_refs[key] != NULL:
            fault = (<SignatureLane>self.lane_refs[key]).check(span(raw, size), parts.signing_input, inverse)
        else:
            fault = check_under_gil(self.handle_refs[key], span(raw, size), parts.signing_input)
        if fault == OK and not (<TrustCell>self.cell_refs[key]).trusted:
            return REVOKED if (<TrustCell>self.cell_refs[key]).distrusted else KEY_WITHDRAWN
        return fault

    cdef Fault check_header(self, Span document, const Value* values, const Names* names, int* claim) noexcept nogil:
        """alg before anything else, then crit, typ, b64, kid. jwk, jku, x5u and x5c choose nothing and are not read."""
        cdef Fault fault
        cdef uint8_t kid[MAX_KID_BYTES]
        if not algorithms_named(document, values[<int>ALG]) & self.policy.algorithms:
            return ALGORITHM_NOT_ALLOWED
        if values[<int>CRIT].kind != ABSENT:
            fault = self.check_crit(document, values[<int>CRIT], names)
            if fault != OK:
                return fault
        fault = self.check_typ(document, values[<int>TYP_PARAMETER], claim)
        if fault != OK:
            return fault
        if values[<int>B64].kind != ABSENT:         # RFC 7797 section 7: a JWT must not use it
            return BAD_HEADER
        if values[<int>KID].kind != ABSENT:
            if values[<int>KID].kind != STRING:
                return BAD_HEADER
            if copy_string(document, values[<int>KID], kid, MAX_KID_BYTES) < 1:
                return BAD_HEADER
        return OK

    cdef Fault check_crit(self, Span document, Value crit, const Names* names) noexcept nogil:
        """Every name known to the policy, present, and there once; at least one (RFC 7515 section 4.1.11)."""
        cdef Value item
        cdef uint64_t seen = 0
        cdef Py_ssize_t i
        cdef bint known
        if crit.kind != ARRAY:
            return CRITICAL_HEADER
        memset(&item, 0, sizeof(item))
        while next_string(document, crit, &item):
            known = False
            if item.kind == STRING:
                for i in range(self.policy.crit.count):
                    if string_is(document, item, self.policy.crit.items[i]) and not seen >> i & 1:
                        seen |= <uint64_t>1 << i
                        known = has_member(names, document, self.policy.crit.items[i])
                        break
            if not known:
                return CRITICAL_HEADER
        return OK if seen else CRITICAL_HEADER

    cdef Fault check_typ(self, Span document, Value typ, int* claim) noexcept nogil:
        cdef uint8_t written[MAX_TYP_BYTES]
        cdef Py_ssize_t size
        cdef Py_ssize_t i
        if typ.kind == ABSENT:
            if self.policy.typ.count:
                claim[0] = TYP
                return MISSING_CLAIM
            return OK
        if typ.kind != STRING:
            return BAD_HEADER
        if not self.policy.typ.count:
            return OK
        size = copy_string(document, typ, written, MAX_TYP_BYTES)
        for i in range(self.policy.typ.count):
            if size >= 0 and same_media_type(span(written, size), self.policy.typ.items[i]):
                return OK
        claim[0] = TYP
        return WRONG_TYP


@cython.final
cdef class Issuers:
    """An index from issuer to the ``Binding`` that decides on its tokens.

    Args:
        bindings: A mapping from issuer, as UTF-8 ``bytes``, to ``Binding``.
    """

    def __cinit__(self, dict bindings not None):
        cdef IssuerSlot slot
        cdef uint32_t at
        self.bindings = dict(bindings)          # ours: what the caller does to theirs changes nothing here
        self._mask = 3
        while self._mask < 2 * len(self.bindings):
            self._mask = 2 * self._mask + 1
        self._slots = <IssuerSlot*>calloc(<size_t>self._mask + 1, sizeof(IssuerSlot))
        if self._slots == NULL:
            raise MemoryError
        for slot.index, (name, binding) in enumerate(self.bindings.items()):
            if type(binding) is not Binding:
                raise TypeError("each issuer needs a Binding")
            slot.name = span_of(<bytes?>name)
            slot.binding = <PyObject*>binding
            at = <uint32_t>keyed_hash(slot.name) & self._mask
            while self._slots[at].name.start != NULL:
                at = (at + 1) & self._mask
            self._slots[at] = slot

    def __dealloc__(self):
        free(self._slots)

    cdef const IssuerSlot* find(self, Span document, Value issuer) noexcept nogil:
        """The place of an issuer, by exact match; NULL: not one of ours."""
        cdef Span name
        cdef uint8_t* room
        cdef uint32_t at
        cdef const IssuerSlot* found = NULL
        if issuer.kind != STRING or not string_text(document, issuer, &name, &room):
            return NULL
        at = <uint32_t>keyed_hash(name) & self._mask
        while self._slots[at].name.start != NULL:
            if same_bytes(name, self._slots[at].name):
                found = &self._slots[at]
                break
            at = (at + 1) & self._mask
        free(room)
        return found
