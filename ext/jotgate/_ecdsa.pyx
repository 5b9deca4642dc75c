"""ECDSA with P-256 and SHA-256 (ES256), checked with a table of multiples of the key.

To verify is to compute u1 G + u2 Q (FIPS 186-5 section 6.4.2). Libraries have multiples of G stored and none of Q, yet
a verifier checks millions of signatures under one Q. libcrypto makes the same table for any generator: of a P-256
group whose generator is Q, so that u2 Q costs what u1 G does. 26 us and, where inverses are computed together, 15
instead of 58 (OpenSSL 3.0, x86-64).

Every operation on a number modulo n or p and on a point is a call of libcrypto; what is written here is which of them,
in which order. Variable time is fine: signature, message and public key are no secrets. Whatever call fails leaves
UNDECIDED, and whoever uses a table has another way to decide.
"""

cimport cython
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t
from libc.string cimport memset

from jotgate._codec cimport Span, slice_span, span, span_of
from jotgate._fault cimport BAD_SIGNATURE, OK, UNDECIDED, Fault
from jotgate._key cimport ES256, MAX_ECDSA_DER, ecdsa_der
from jotgate._lanes cimport EVP_PKEY_CTX, PublicKeyLane, begin, digest_of, end, this_thread
from jotgate._points cimport (
    BIGNUM, BN_CTX, EC_GROUP, EC_POINT, NUMBER_BYTES, P256, POINTS, in_range, invert, multiply, read_number,
    write_number,
)

from jotgate._points import missing

cdef enum:
    POINT_BYTES = 65                # 04 || X || Y, with which a SubjectPublicKeyInfo ends (RFC 5480 section 2.2)

cdef Py_ssize_t ALIVE = 0           # tables there are; both ends of a table's life hold the GIL


def count():
    """Return how many tables there are in this process."""
    return ALIVE


# -- what a check works with. Made anew for each: 1.1 us of 16 could be saved by keeping it, with slots for threads and
#    care at forks as HMAC has them. libcrypto's functions to free take NULL.

cdef bint make_room(Room* room) noexcept nogil:
    memset(room, 0, sizeof(room[0]))
    room.context = POINTS.BN_CTX_new()
    room.of_base = POINTS.EC_POINT_new(P256.group)
    room.of_key = POINTS.EC_POINT_new(P256.group)
    room.sum = POINTS.EC_POINT_new(P256.group)
    room.r = POINTS.BN_new()
    room.s = POINTS.BN_new()
    room.e = POINTS.BN_new()
    room.inverse = POINTS.BN_new()
    room.u1 = POINTS.BN_new()
    room.u2 = POINTS.BN_new()
    room.x = POINTS.BN_new()
    room.z = POINTS.BN_new()
    room.helper = POINTS.BN_new()
    return (
        room.context is not NULL and room.of_base is not NULL and room.of_key is not NULL and room.sum is not NULL
        and room.r is not NULL and room.s is not NULL and room.e is not NULL and room.inverse is not NULL
        and room.u1 is not NULL and room.u2 is not NULL and room.x is not NULL and room.z is not NULL
        and room.helper is not NULL
    )


cdef void free_room(Room* room) noexcept nogil:
    POINTS.BN_free(room.helper)
    POINTS.BN_free(room.z)
    POINTS.BN_free(room.x)
    POINTS.BN_free(room.u2)
    POINTS.BN_free(room.u1)
    POINTS.BN_free(room.inverse)
    POINTS.BN_free(room.e)
    POINTS.BN_free(room.s)
    POINTS.BN_free(room.r)
    POINTS.EC_POINT_free(room.sum)
    POINTS.EC_POINT_free(room.of_key)
    POINTS.EC_POINT_free(room.of_base)
    POINTS.BN_CTX_free(room.context)


cdef bint is_inverse(BIGNUM* inverse, const uint8_t* given, Room* room) noexcept nogil:
    """Read what is said to be the inverse of `room.s`; whether it is."""
    return (
        read_number(inverse, given)
        and multiply(room.helper, room.s, inverse, P256.modulo_order, room.context)
        and POINTS.BN_is_one(room.helper)
    )


cdef Fault compare(const BIGNUM* number, Room* room) noexcept nogil:
    """Whether X = number Z^2 modulo p, for `room.z` = Z^2: then the affine x of the point is `number`. No division."""
    if (
        POINTS.BN_to_montgomery(room.helper, number, P256.modulo_field, room.context) != 1
        or not multiply(room.helper, room.helper, room.z, P256.modulo_field, room.context)
    ):
        return UNDECIDED
    return OK if POINTS.BN_cmp(room.helper, room.x) == 0 else BAD_SIGNATURE


cdef Fault compare_x(Room* room) noexcept nogil:
    """Whether the affine x of `room.sum` is r modulo n. There are at most two such x below p: r, and r + n."""
    cdef Fault fault
    if POINTS.EC_POINT_is_at_infinity(P256.group, room.sum):
        return BAD_SIGNATURE
    if (
        POINTS.EC_POINT_get_Jprojective_coordinates_GFp(
            P256.group, room.sum, room.x, NULL, room.z, room.context) != 1
        or POINTS.BN_to_montgomery(room.helper, room.z, P256.modulo_field, room.context) != 1
        or not multiply(room.z, room.z, room.helper, P256.modulo_field, room.context)
    ):
        return UNDECIDED
    fault = compare(room.r, room)
    if fault != BAD_SIGNATURE:
        return fault
    if POINTS.BN_add(room.r, room.r, P256.order) != 1:
        return UNDECIDED
    return compare(room.r, room) if POINTS.BN_cmp(room.r, P256.field) < 0 else BAD_SIGNATURE


cdef Fault verify_in(
    Room* room, const EC_GROUP* table, const uint8_t* signature, const uint8_t* digest, const uint8_t* inverse
) noexcept nogil:
    """FIPS 186-5 section 6.4.2, for numbers of exactly `NUMBER_BYTES` bytes."""
    if (
        not read_number(room.r, signature)
        or not read_number(room.s, signature + NUMBER_BYTES)
        or not read_number(room.e, digest)
    ):
        return UNDECIDED
    if not in_range(room.r) or not in_range(room.s):
        return BAD_SIGNATURE
    # a digest is below 2^256, which is below 2 n
    if POINTS.BN_cmp(room.e, P256.order) >= 0 and POINTS.BN_sub(room.e, room.e, P256.order) != 1:
        return UNDECIDED
    # whoever computed an inverse for us is not relied upon
    if inverse is NULL or not is_inverse(room.inverse, inverse, room):
        if not invert(room.inverse, room.s, room.context):
            return UNDECIDED
    if (
        not multiply(room.u1, room.e, room.inverse, P256.modulo_order, room.context)
        or not multiply(room.u2, room.r, room.inverse, P256.modulo_order, room.context)
        or POINTS.EC_POINT_mul(P256.group, room.of_base, room.u1, NULL, NULL, room.context) != 1
        or POINTS.EC_POINT_mul(table, room.of_key, room.u2, NULL, NULL, room.context) != 1
        # of equal and of opposite points too
        or POINTS.EC_POINT_add(P256.group, room.sum, room.of_base, room.of_key, room.context) != 1
    ):
        return UNDECIDED
    return compare_x(room)


@cython.final
cdef class PointTable:
    """A table of multiples of one P-256 key, and ES256 verification with it. Immutable; threads share it.

    Args:
        material: The key as SubjectPublicKeyInfo, DER, checked before.

    Raises:
        LookupError: The library makes no table of this key.

    Cost: 21 ms, without the GIL, in which the process does not fork; some 150 KiB until it is freed.
    """

    def __cinit__(self, bytes material not None):
        global ALIVE
        cdef unsigned int thread = this_thread()
        cdef Span point = span_of(material)
        cdef bint built = False
        point = slice_span(point, point.size - POINT_BYTES, point.size)
        if missing() is not None:
            raise LookupError(f"the library has no {missing()}")
        self._hash = digest_of(ES256)
        with nogil:
            if begin(thread):
                built = self.build(point)
                end(thread)
        if not built:
            raise LookupError("the library makes no table of this key")
        self._counted = True
        ALIVE += 1

    cdef bint build(self, Span point) noexcept nogil:
        cdef BN_CTX* context = POINTS.BN_CTX_new()
        cdef EC_POINT* key = POINTS.EC_POINT_new(P256.group)
        cdef bint built
        self._group = POINTS.EC_GROUP_dup(P256.group)
        built = (
            context is not NULL and key is not NULL and self._group is not NULL
            # refuses what does not lie on the curve
            and POINTS.EC_POINT_oct2point(P256.group, key, point.start, point.size, context) == 1
            and not POINTS.EC_POINT_is_at_infinity(P256.group, key)
            and POINTS.EC_GROUP_set_generator(self._group, key, P256.order, POINTS.BN_value_one()) == 1
            and POINTS.EC_GROUP_precompute_mult(self._group, context) == 1
            and POINTS.EC_GROUP_have_precompute_mult(self._group) == 1
        )
        POINTS.EC_POINT_free(key)
        POINTS.BN_CTX_free(context)
        return built

    def __dealloc__(self):
        global ALIVE
        cdef unsigned int thread = this_thread()
        if self._counted:
            ALIVE -= 1
        # once the process is ending, libcrypto's memory is its own affair
        if self._group is NULL or not begin(thread):
            return
        POINTS.EC_GROUP_free(self._group)
        end(thread)

    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil:
        """Like `SignatureLane.check`."""
        cdef uint8_t digest[NUMBER_BYTES]
        cdef unsigned int size = 0
        cdef unsigned int thread = this_thread()
        cdef Fault fault = UNDECIDED
        if not begin(thread):
            return UNDECIDED
        if POINTS.EVP_Digest(data.start, data.size, digest, &size, self._hash, NULL) == 1 and size == NUMBER_BYTES:
            fault = self.check_digest(signature, digest, inverse)
        end(thread)
        return fault

    cdef Fault check_digest(self, Span signature, const uint8_t* digest, const uint8_t* inverse) noexcept nogil:
        """The verdict over a digest of `NUMBER_BYTES` bytes; between `begin` and `end`."""
        cdef Room room
        cdef Fault fault = UNDECIDED
        if signature.size != 2 * NUMBER_BYTES:
            return BAD_SIGNATURE
        if make_room(&room):
            fault = verify_in(&room, self._group, signature.start, digest, inverse)
        free_room(&room)
        return fault

    def verify_digest(self, bytes digest not None, bytes signature not None, bytes inverse=None):
        """Return whether a signature is the key's over whatever has this digest: for tests of the table.

        Args:
            digest: 32 bytes.
            signature: R || S.
            inverse: What `inverses` returned for it; None to have it computed.
        """
        cdef Span number = span_of(digest)
        cdef Span raw = span_of(signature)
        cdef const uint8_t* given = NULL
        cdef unsigned int thread = this_thread()
        cdef Fault fault = UNDECIDED
        if number.size != NUMBER_BYTES or (inverse is not None and len(inverse) != NUMBER_BYTES):
            raise ValueError("digests and inverses have 32 bytes")
        if inverse is not None:
            given = span_of(inverse).start
        with nogil:
            if begin(thread):
                fault = self.check_digest(raw, number.start, given)
                end(thread)
        if fault == UNDECIDED:
            raise RuntimeError("libcrypto failed to check a signature")
        return fault == OK


def verify_plainly(PublicKeyLane lane not None, bytes digest not None, bytes signature not None):
    """Return what the library's own verification says of a signature over whatever has this digest.

    Args:
        lane: An ES256 key.
        digest: 32 bytes.
        signature: R || S, 64 bytes.
    """
    cdef uint8_t der[MAX_ECDSA_DER]
    cdef Span number = span_of(digest)
    cdef Span raw = span_of(signature)
    cdef unsigned int thread = this_thread()
    cdef EVP_PKEY_CTX* context
    cdef bint good = False
    if lane.algorithm != ES256 or missing() is not None:
        raise ValueError("not a key that tables are of")
    if number.size != NUMBER_BYTES or raw.size != 2 * NUMBER_BYTES:
        raise ValueError("digests have 32 bytes, signatures 64")
    raw = span(der, ecdsa_der(raw, der))
    with nogil:
        if begin(thread):
            context = POINTS.EVP_PKEY_CTX_new(lane._key, NULL)
            good = (
                context is not NULL
                and POINTS.EVP_PKEY_verify_init(context) == 1
                and POINTS.EVP_PKEY_verify(context, raw.start, raw.size, number.start, number.size) == 1
            )
            POINTS.EVP_PKEY_CTX_free(context)
            end(thread)
    return good


def signed_digest(bytes material not None, bytes u1 not None, bytes u2 not None):
    """Return a digest and the key's signature over it, made without the private key and without a table.

    Every pair of numbers gives one: with R = u1 G + u2 Q and r the x of R, s = r / u2 and e = u1 s solve the equation
    that a verifier checks. Nobody can choose e, so this signs no message; it tests whoever verifies.

    Args:
        material: The key as SubjectPublicKeyInfo, DER.
        u1: Number from 0 to n - 1, 32 bytes.
        u2: Number from 1 to n - 1, 32 bytes.

    Raises:
        ValueError: The key or the numbers are none, or they have no signature.
    """
    cdef unsigned int thread = this_thread()
    cdef uint8_t signature[2 * NUMBER_BYTES]
    cdef uint8_t digest[NUMBER_BYTES]
    cdef Span point = span_of(material)
    cdef const uint8_t* first = span_of(u1).start
    cdef const uint8_t* second = span_of(u2).start
    cdef Room room
    cdef bint made = False
    point = slice_span(point, point.size - POINT_BYTES, point.size)
    if missing() is not None or len(u1) != NUMBER_BYTES or len(u2) != NUMBER_BYTES:
        raise ValueError("not a key and two numbers")
    with nogil:
        if begin(thread):
            made = make_room(&room) and sign_in(&room, point, first, second, signature, digest)
            free_room(&room)
            end(thread)
    if not made:
        raise ValueError("these numbers have no signature")
    return (
        PyBytes_FromStringAndSize(<const char*>digest, NUMBER_BYTES),
        PyBytes_FromStringAndSize(<const char*>signature, 2 * NUMBER_BYTES),
    )


cdef bint sign_in(
    Room* room, Span point, const uint8_t* u1, const uint8_t* u2, uint8_t* signature, uint8_t* digest
) noexcept nogil:
    return (
        read_number(room.u1, u1) and read_number(room.u2, u2) and in_range(room.u2)
        and POINTS.BN_cmp(room.u1, P256.order) < 0
        and POINTS.EC_POINT_oct2point(P256.group, room.of_key, point.start, point.size, room.context) == 1
        and POINTS.EC_POINT_mul(P256.group, room.sum, room.u1, room.of_key, room.u2, room.context) == 1
        and not POINTS.EC_POINT_is_at_infinity(P256.group, room.sum)
        and POINTS.EC_POINT_get_affine_coordinates(P256.group, room.sum, room.r, NULL, room.context) == 1
        and (POINTS.BN_cmp(room.r, P256.order) < 0 or POINTS.BN_sub(room.r, room.r, P256.order) == 1)
        and in_range(room.r)
        and invert(room.inverse, room.u2, room.context)
        and multiply(room.s, room.r, room.inverse, P256.modulo_order, room.context)
        and POINTS.BN_to_montgomery(room.helper, room.s, P256.modulo_order, room.context) == 1
        and multiply(room.e, room.u1, room.helper, P256.modulo_order, room.context)
        and write_number(signature, room.r)
        and write_number(signature + NUMBER_BYTES, room.s)
        and write_number(digest, room.e)
    )
