"""One verdict without the GIL: the steps of ``Engine.decide`` in the same order, up to the token itself."""

cimport cython
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from jotgate._binding cimport Binding, HeaderFacts, IssuerSlot
from jotgate._claims cimport CLAIMS, NumericDate, check_epoch, read_numeric_date
from jotgate._codec cimport (
    Span, decode_base64url, decoded_size, encoded_size, keyed_hash, same_bytes, slice_span, span, split_compact,
)
from jotgate._engine cimport Engine
from jotgate._fault cimport (
    BAD_BASE64URL, BAD_CHARACTER, EPOCH, EXP, ISS, NO_CLAIM, OK, TOO_LARGE, UNDECIDED, WRONG_ISSUER, Fault,
)
from jotgate._json cimport NUMBER, STRING, Value, names_free, names_init, scan_object
from jotgate._revoked cimport VOUCHED


cdef uint8_t DOT = 0x2E


cdef bint make_room(uint8_t** room, Py_ssize_t* size, Py_ssize_t wanted) noexcept nogil:
    cdef uint8_t* larger
    if wanted <= size[0]:
        return True
    larger = <uint8_t*>realloc(room[0], 2 * wanted)
    if larger == NULL:
        return False
    room[0] = larger
    size[0] = 2 * wanted
    return True


cdef Fault decode_object(Span segment, uint8_t** room, Py_ssize_t* room_size, Span* document) noexcept nogil:
    """Decode a segment into memory that ends in the NUL which the scanner wants."""
    cdef Py_ssize_t size = decoded_size(segment.size)
    document[0] = span(NULL, 0)
    if size < 0:
        return BAD_BASE64URL
    if not make_room(room, room_size, size + 1):
        return UNDECIDED
    if not decode_base64url(segment, room[0]):
        return BAD_BASE64URL
    room[0][size] = 0
    document[0] = span(room[0], size)
    return OK


cdef bint last_number(Span text, uint8_t* number) noexcept nogil:
    """The second half of a signature of 64 bytes, if a text ends with one: the s of an ES256 token."""
    cdef uint8_t signature[64]
    cdef Py_ssize_t start = text.size - encoded_size(64)
    if start < 1 or text.start[start - 1] != DOT:
        return False
    if not decode_base64url(slice_span(text, start, text.size), signature):
        return False
    memcpy(number, &signature[32], 32)
    return True


cdef int64_t seconds_of(Span document, const Value* values) noexcept nogil:
    """``exp`` in whole seconds, 0 where there is none."""
    cdef NumericDate date
    if values[<int>EXP].kind != NUMBER:
        return 0
    if read_numeric_date(slice_span(document, values[<int>EXP].start, values[<int>EXP].end), &date) != OK:
        return 0
    return date.seconds


cdef void scratch_init(Scratch* scratch) noexcept nogil:
    memset(scratch, 0, sizeof(scratch[0]))


cdef void scratch_free(Scratch* scratch) noexcept nogil:
    free(scratch.header)
    free(scratch.payload)


@cython.final
cdef class Judge:
    """What a verifier decides by at one moment: its keys and policies, held while a batch runs."""

    def __cinit__(self, Engine engine not None):
        self.binding = engine._binding
        self.issuers = engine._issuers
        self.revoked = engine._revoked
        if self.revoked is not None:
            self.era = self.revoked.add_reader()    # for as long as this lives: threads read it without the GIL
        self.ahead_ns = engine._ahead_ns
        self.max_token_bytes = engine._max_token_bytes
        self.allow_padding = engine._allow_padding
        self.bindings = [self.binding] if self.issuers is None else list(self.issuers.bindings.values())
        for binding in self.bindings:
            self.looks_ahead |= (<Binding?>binding).takes_inverses()

    def __dealloc__(self):
        if self.revoked is not None:
            self.revoked.drop_reader(self.era)

    cdef Fault decide(self, Span text, int64_t now_ns, Scratch* scratch, Verdict* verdict) noexcept nogil:
        """Decide on a text of allowed length; ``now_ns`` is the wall clock."""
        cdef Fault fault
        verdict.claim = NO_CLAIM
        names_init(&scratch.names)
        fault = self.judge(text, now_ns, scratch, verdict)
        names_free(&scratch.names)
        return fault

    cdef Fault judge(self, Span text, int64_t now_ns, Scratch* scratch, Verdict* verdict) noexcept nogil:
        cdef PyObject* binding = <PyObject*>self.binding
        cdef const IssuerSlot* slot
        cdef Span payload, header
        cdef HeaderFacts facts
        cdef KnownHeader* known
        cdef Fault payload_fault = UNDECIDED
        cdef bint by_issuer = self.issuers is not None
        cdef Fault fault = split_compact(text, self.allow_padding, &scratch.parts)
        if fault != OK:
            return fault
        if by_issuer:
            payload_fault = self.scan(scratch, &payload)
            if payload.start == NULL:
                return payload_fault
            if scratch.values[<int>ISS].kind != STRING and payload_fault != OK:
                return payload_fault
            slot = self.issuers.find(payload, scratch.values[<int>ISS])
            if slot == NULL:
                verdict.claim = ISS
                return WRONG_ISSUER
            binding = slot.binding
            verdict.issuer = slot.index
            if text.size > (<Binding>binding).policy.max_token_bytes:
                return TOO_LARGE
            if scratch.parts.padded and not (<Binding>binding).policy.allow_padding:
                return BAD_CHARACTER
        header = scratch.parts.header
        known = &scratch.known[keyed_hash(header) & (KNOWN_HEADERS - 1)]
        if known.binding == binding and same_bytes(known.segment, header):
            facts.key = known.key
        else:
            known = NULL
            fault = decode_object(header, &scratch.header, &scratch.header_room, &header)
            if fault == OK:
                fault = (<Binding>binding).resolve(header, &facts, &verdict.claim)
            if fault != OK:
                return fault
        fault = (<Binding>binding).check_signature(facts.key, &scratch.parts, scratch.inverse)
        if fault != OK:
            return fault
        if known == NULL:
            header = scratch.parts.header
            known = &scratch.known[keyed_hash(header) & (KNOWN_HEADERS - 1)]
            known.segment = header                  # stays where it is: the batch holds its texts
            known.binding = binding
            known.key = facts.key
        if not by_issuer:
            payload_fault = self.scan(scratch, &payload)
        if payload_fault != OK:
            return payload_fault
        fault = (<Binding>binding).policy.check(
            payload, scratch.values, &scratch.names, now_ns, self.ahead_ns, &verdict.claim)
        if fault != OK:
            return fault
        if self.revoked is not None:
            fault = self.revoked.check(payload, scratch.values, (<Binding>binding).epoch, VOUCHED, &verdict.claim)
        elif (<Binding>binding).epoch >= 0:
            fault = check_epoch(payload, scratch.values[<int>EPOCH], (<Binding>binding).epoch, &verdict.claim)
        if fault != OK:
            return fault
        verdict.exp = seconds_of(payload, scratch.values)
        verdict.key = facts.key
        return OK

    cdef Fault scan(self, Scratch* scratch, Span* payload) noexcept nogil:
        cdef Fault fault = decode_object(scratch.parts.payload, &scratch.payload, &scratch.payload_room, payload)
        return scan_object(payload[0], &CLAIMS, scratch.values, &scratch.names) if fault == OK else fault
