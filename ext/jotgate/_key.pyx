"""A prepared key checks one signature; a table finds the key for a header.

The arithmetic is cryptography's. What is prepared once per key is the object it needs: a keyed HMAC to copy, or the
bound ``verify`` of a public key with its padding and hash.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.exc cimport PyErr_SetInterrupt, PyErr_SetObject, PyErr_WriteUnraisable
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

from cryptography.exceptions import InvalidSignature

from jotgate._codec cimport Span, constant_time_same, keyed_hash, same_bytes, span, span_of
from jotgate._fault cimport BAD_SIGNATURE, OK, UNDECIDED, Fault
from jotgate._json cimport STRING, Value, string_is

FOREVER = 0x7FFFFFFFFFFFFFFF

_NAMES = (
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
    "ES256K", "Ed25519", "Ed448", "ML-DSA-44", "ML-DSA-65", "ML-DSA-87",
)
ALGORITHM_NUMBERS = {name: number for number, name in enumerate(_NAMES)}

# What a header may call an algorithm, as spans for the nogil steps; the bytes objects are kept by the list.
_SPELLINGS = [name.encode() for name in (*_NAMES, "EdDSA")]
cdef enum:
    SPELLING_COUNT = 19             # ALGORITHM_COUNT and the name that two algorithms share
cdef Span[SPELLING_COUNT] SPELLINGS
for _index, _name in enumerate(_SPELLINGS):
    SPELLINGS[<int>_index] = span_of(_name)


cdef uint32_t algorithms_named(Span document, Value name) noexcept nogil:
    """The algorithms that a header's `alg` value means: exact bytes, after unescaping (RFC 7515 section 5.3)."""
    cdef int i
    if name.kind != STRING:
        return 0
    for i in range(ALGORITHM_COUNT):
        if string_is(document, name, SPELLINGS[i]):
            return <uint32_t>1 << i
    if string_is(document, name, SPELLINGS[<int>ALGORITHM_COUNT]):
        return <uint32_t>1 << ED25519 | <uint32_t>1 << ED448
    return 0


cdef Py_ssize_t write_der_integer(Span number, uint8_t* out) noexcept nogil:
    """Write an unsigned big-endian number as a DER INTEGER; at most number.size + 3 bytes."""
    cdef const uint8_t* at = number.start
    cdef Py_ssize_t size = number.size
    cdef Py_ssize_t sign_byte
    while size > 1 and at[0] == 0:
        at += 1
        size -= 1
    sign_byte = at[0] >> 7          # a set top bit would read as a minus sign
    out[0] = 0x02
    out[1] = <uint8_t>(size + sign_byte)
    out[2] = 0
    memcpy(out + 2 + sign_byte, at, size)
    return 2 + sign_byte + size


cdef Py_ssize_t ecdsa_der(Span signature, uint8_t* out) noexcept nogil:
    """Turn R || S (RFC 7518 section 3.4) into a DER SEQUENCE.

    `out` has MAX_ECDSA_DER bytes, proved enough: at most 66 bytes a number after the exact-length check, 3 more for
    each INTEGER, 3 for the SEQUENCE.
    """
    cdef uint8_t numbers[2 * (66 + 3)]
    cdef Py_ssize_t half = signature.size // 2
    cdef Py_ssize_t size = write_der_integer(span(signature.start, half), numbers)
    size += write_der_integer(span(signature.start + half, half), numbers + size)
    out[0] = 0x30
    if size < 0x80:
        out[1] = <uint8_t>size
        memcpy(out + 2, numbers, size)
        return size + 2
    out[1] = 0x81
    out[2] = <uint8_t>size
    memcpy(out + 3, numbers, size)
    return size + 3


cdef class KeyHandle:
    """One key, prepared for one algorithm. Immutable.

    Args:
        algorithm: Number from ``ALGORITHM_NUMBERS``.
        kid: Key id or None.
        context: What checks a signature: ``(keyed HMAC,)``, ``(RSA key, padding, hash)``, ``(EC key, ECDSA)``, or
            ``(key,)`` for EdDSA and ML-DSA.
        signature_bytes: Exact length of every signature of this key.
        material: Called without arguments for the key as another library takes it: SubjectPublicKeyInfo in DER, or the
            secret; or None.
    """

    def __cinit__(self, int algorithm, kid, tuple context, Py_ssize_t signature_bytes, material=None):
        if not 0 <= algorithm < ALGORITHM_COUNT:
            raise ValueError("no such algorithm")
        # The bounds that the stack buffers of the native steps rely on
        if not 0 < signature_bytes <= (MAX_SIGNATURE_BYTES if algorithm >= ED25519 else 1024):
            raise ValueError("signature length out of range")
        if ES256 <= algorithm <= ES256K and (signature_bytes > 132 or signature_bytes % 2):
            raise ValueError("signature length out of range")
        self.algorithm = algorithm
        self.kid = kid
        self.signature_bytes = signature_bytes
        self._context = context
        self._material = material
        self._call = context[0].copy if algorithm <= HS512 else context[0].verify

    cdef Fault check(self, Span signature, bytes data) noexcept:
        """Check a signature of exactly `signature_bytes` bytes over `data`.

        Only InvalidSignature means a bad one. Any other error of the primitive decides nothing: it is reported as
        unraisable, by its type alone because its text may quote what was signed, and the outcome is UNDECIDED.
        """
        if signature.size != self.signature_bytes:
            return BAD_SIGNATURE
        try:
            return self.check_mac(signature, data) if self.algorithm <= HS512 else self.check_public(signature, data)
        except InvalidSignature:
            return BAD_SIGNATURE
        except KeyboardInterrupt:                   # nothing may be raised here: let it come again, right after
            PyErr_SetInterrupt()
            return UNDECIDED
        except BaseException as error:
            broken = RuntimeError(f"{_NAMES[self.algorithm]}: checking a signature failed with {type(error).__name__}")
        PyErr_SetObject(RuntimeError, broken)
        PyErr_WriteUnraisable(self)
        return UNDECIDED

    cdef Fault check_mac(self, Span signature, bytes data) except? UNDECIDED:
        mac = self._call()
        mac.update(data)
        written = mac.finalize()
        if type(written) is not bytes or len(<bytes>written) != self.signature_bytes:
            return UNDECIDED
        if constant_time_same(<const uint8_t*>PyBytes_AS_STRING(written), signature.start, signature.size):
            return OK
        return BAD_SIGNATURE

    cdef Fault check_public(self, Span signature, bytes data) except? UNDECIDED:
        cdef uint8_t der[MAX_ECDSA_DER]
        if ES256 <= self.algorithm <= ES256K:
            written = PyBytes_FromStringAndSize(<const char*>der, ecdsa_der(signature, der))
        else:
            written = PyBytes_FromStringAndSize(<const char*>signature.start, signature.size)
        if self.algorithm <= PS512:
            outcome = self._call(written, data, self._context[1], self._context[2])
        elif self.algorithm <= ES256K:
            outcome = self._call(written, data, self._context[1])
        else:
            outcome = self._call(written, data)
        return OK if outcome is None else UNDECIDED

    def in_lane(self, prepare):
        """Return this key as ``prepare(material)`` makes it in another library; made once, for every verifier.

        Returns:
            SignatureLane | None: None without material, or where the library does not serve the algorithm.
        """
        if self._lane is None and self._material is not None:
            self._lane = prepare(self._material())
        return self._lane

    def verify(self, data, signature):
        """Return whether ``signature`` (raw JWS form) is this key's over ``data``; both ``bytes``."""
        cdef bytes over = data
        cdef bytes raw = signature
        return self.check(span_of(raw), over) == OK

    def __repr__(self):
        return f"<KeyHandle {_NAMES[self.algorithm]} kid={self.kid!r}>"


cdef class SignatureLane:
    """A key prepared in another library, whose check needs no GIL. This is what such a library's classes fill in."""

    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil:
        """Check a raw JWS signature of exactly the key's `signature_bytes`; only OK is acceptance.

        `inverse` is NULL, or what an `Inverses` holds for this signature. It saves work and decides nothing.
        """
        return UNDECIDED

    cdef bint takes_inverse(self) noexcept nogil:
        return False

    def verify(self, bytes data not None, bytes signature not None):
        """Return whether ``signature`` (raw JWS form) is this key's over ``data``. Releases the GIL."""
        cdef Span over = span_of(data)
        cdef Span raw = span_of(signature)
        cdef Fault fault
        with nogil:
            fault = self.check(raw, over, NULL)
        if fault == UNDECIDED:
            raise RuntimeError("libcrypto failed to check a signature")
        return fault == OK


cdef class TrustCell:
    """Whether one source still vouches for one key. Made and cleared by its source; never set again once cleared."""

    def __cinit__(self, KeySource source not None):
        self.source = source
        self.trusted = True

    def distrust(self):
        """Count nothing that the key signed, from now on, whoever vouches for it."""
        self.trusted = False
        self.distrusted = True

    def __repr__(self):
        return f"<TrustCell trusted={self.trusted} distrusted={self.distrusted}>"


cdef class KeySource:
    """Where keys come from, as far as remembered verdicts must know: which keys it vouches for, and until when.

    A source that is a set of objects vouches for ever; one that must be refreshed sets ``usable_until``.

    Args:
        feed: The ``KeyFeed`` that the keys come from; None for keys that are given once.
    """

    def __cinit__(self, feed=None):
        self.usable_until = FOREVER
        self.feed = feed
        self._cells = {}
        self._leaving = []

    def publish(self, identities):
        """Vouch for these keys and no others, from now on; as `announce` and `settle`."""
        cells = self.announce(identities)
        self.settle()
        return cells

    def announce(self, identities):
        """Vouch for these keys, and until `settle` for those of before.

        A key that was there keeps its cell, so that what was verified with it stays known; the cell of a key that is
        gone will be cleared, and should that key ever come back it gets a new one. The two steps let a verifier serve
        the new keys before the old ones are gone, so that whoever finds its key gone finds the new ones there.

        Args:
            identities: One hashable value for each key: its kid, algorithm and thumbprint.

        Returns:
            tuple[TrustCell, ...]: in the same order.
        """
        cdef dict before = self._cells
        cells = {identity: before.get(identity) or TrustCell(self) for identity in identities}
        self._cells = cells
        self._leaving.extend([known for identity, known in before.items() if identity not in cells])
        return tuple([cells[identity] for identity in identities])

    def settle(self):
        """Vouch no more for the keys that are gone."""
        cdef TrustCell cell
        leaving, self._leaving = self._leaving, []
        for each in leaving:
            cell = each
            cell.trusted = False

    def expire_at(self, moment):
        """Vouch until this moment of the monotonic clock, in nanoseconds; None for ever."""
        self.usable_until = FOREVER if moment is None else moment


cdef class Snapshot:
    """One policy over one set of keys, while it is what its verifier decides by."""


cdef class KeyTable:
    """Immutable index of keys by (kid, algorithm)."""

    def __cinit__(self, handles):
        cdef KeyHandle handle
        cdef Py_ssize_t index
        self.handles = tuple(handles)
        for item in self.handles:
            if type(item) is not KeyHandle:
                raise TypeError("a KeyTable takes KeyHandle objects")
        self._kids = [None if handle.kid is None else (<str>handle.kid).encode("utf-8") for handle in self.handles]
        self._mask = 3
        while self._mask < 2 * len(self.handles):
            self._mask = 2 * self._mask + 1
        self._slots = <KeySlot*>calloc(self._mask + 1, sizeof(KeySlot))
        if self._slots == NULL:
            raise MemoryError
        distinct = set()
        for index, item in enumerate(self.handles):
            handle = item
            if (handle.kid, handle.algorithm) in distinct:
                raise ValueError("two keys with one kid and algorithm")
            distinct.add((handle.kid, handle.algorithm))
            self._count[handle.algorithm] += 1
            self._lone[handle.algorithm] = <int>index
            self._named[handle.algorithm] = handle.kid is not None
            if handle.kid is not None:
                self.enter(self._kids[index], handle.algorithm, <int>index)

    cdef void enter(self, bytes kid, int algorithm, int index) noexcept:
        cdef KeySlot slot
        cdef uint32_t place
        slot.kid = span_of(kid)
        slot.algorithm = algorithm
        slot.index = index
        place = <uint32_t>keyed_hash(slot.kid) & self._mask
        while self._slots[place].kid.start != NULL:
            place = (place + 1) & self._mask
        self._slots[place] = slot

    def __dealloc__(self):
        free(self._slots)

    cdef int find(self, Span kid, uint32_t algorithms) noexcept nogil:
        """Index of the one key that may serve a token with this kid (no start: none) and one of these algorithms.

        A kid names its key exactly. Without one, or where only a key without kid could answer, the key must be the
        set's only one of these algorithms. -1 where there is no such key.
        """
        cdef int found = -1
        cdef int lone = -1
        cdef bint named = False
        cdef int total = 0
        cdef int matches = 0
        cdef uint32_t place
        cdef int i
        for i in range(ALGORITHM_COUNT):
            if algorithms >> i & 1 and self._count[i]:
                total += self._count[i]
                lone = self._lone[i]
                named = self._named[i]
        if total and kid.start != NULL:
            place = <uint32_t>keyed_hash(kid) & self._mask
            while self._slots[place].kid.start != NULL:
                if algorithms >> self._slots[place].algorithm & 1 and same_bytes(kid, self._slots[place].kid):
                    found = self._slots[place].index
                    matches += 1
                place = (place + 1) & self._mask
            if matches:
                return found if matches == 1 else -1
        if total == 1 and (kid.start == NULL or not named):
            return lone
        return -1

    def lookup(self, kid, algorithms):
        """Return the ``KeyHandle`` for a kid (or None) and an algorithm mask, or None."""
        cdef bytes named = None if kid is None else (<str>kid).encode("utf-8")
        cdef Span wanted = span(NULL, 0)
        cdef int index
        if named is not None:
            wanted = span_of(named)
        index = self.find(wanted, algorithms)
        return None if index < 0 else self.handles[index]
