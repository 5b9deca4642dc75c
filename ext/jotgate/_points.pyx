"""Points of P-256 and numbers modulo its order, computed with by libcrypto. Nothing of it is secret.

libcrypto's function for each operation; what is written here is which of them are called. They are looked up when
somebody asks for them first: a library may lack some, and then has none.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from _thread import allocate_lock

from jotgate._lanes cimport begin, end, symbol_of, this_thread

from jotgate._lanes import library

cdef extern from "points.h" nogil:
    int NID_X9_62_prime256v1
    const char* fill_points "jg_fill_points"(Points* points, void* (*look_up)(const char* name) noexcept nogil) noexcept

_lock = allocate_lock()
_outcome = []                       # what the library lacks, or None; empty until somebody has asked


def missing():
    """Return what is missing for points to be computed with, or None; raises like `library`."""
    if not _outcome:
        with _lock:
            if not _outcome:
                _outcome.append(_prepare())
    return _outcome[0]


def _prepare():
    cdef const char* name
    cdef unsigned int thread = this_thread()
    cdef bint prepared = False
    if library() is None:
        return "libcrypto"
    name = fill_points(&POINTS, symbol_of)
    if name is not NULL:
        return name.decode()
    if begin(thread):
        prepared = prepare_curve()
        end(thread)
    return None if prepared else "P-256"


cdef bint prepare_curve() noexcept nogil:
    """Fill `P256`; what a failure leaves behind stays as it is, once a process."""
    cdef BN_CTX* context = POINTS.BN_CTX_new()
    cdef bint done = False
    P256.group = POINTS.EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1)
    P256.field = POINTS.BN_new()
    P256.modulo_order = POINTS.BN_MONT_CTX_new()
    P256.modulo_field = POINTS.BN_MONT_CTX_new()
    if (
        context is not NULL and P256.group is not NULL and P256.field is not NULL
        and P256.modulo_order is not NULL and P256.modulo_field is not NULL
    ):
        P256.order = POINTS.EC_GROUP_get0_order(P256.group)
        P256.exponent = POINTS.BN_dup(P256.order)
        done = (
            P256.exponent is not NULL
            and POINTS.BN_sub(P256.exponent, P256.exponent, POINTS.BN_value_one()) == 1
            and POINTS.BN_sub(P256.exponent, P256.exponent, POINTS.BN_value_one()) == 1
            and POINTS.EC_GROUP_get_curve(P256.group, P256.field, NULL, NULL, context) == 1
            and POINTS.BN_MONT_CTX_set(P256.modulo_order, P256.order, context) == 1
            and POINTS.BN_MONT_CTX_set(P256.modulo_field, P256.field, context) == 1
        )
    POINTS.BN_CTX_free(context)
    return done


cdef bint read_number(BIGNUM* out, const uint8_t* at) noexcept nogil:
    return POINTS.BN_bin2bn(at, NUMBER_BYTES, out) is not NULL


cdef bint write_number(uint8_t* out, const BIGNUM* number) noexcept nogil:
    return POINTS.BN_bn2binpad(number, out, NUMBER_BYTES) == NUMBER_BYTES


cdef bint in_range(const BIGNUM* number) noexcept nogil:
    return not POINTS.BN_is_zero(number) and POINTS.BN_cmp(number, P256.order) < 0


cdef bint multiply(
    BIGNUM* out, const BIGNUM* one, const BIGNUM* other, BN_MONT_CTX* modulus, BN_CTX* context
) noexcept nogil:
    return POINTS.BN_mod_mul_montgomery(out, one, other, modulus, context) == 1


cdef bint invert(BIGNUM* out, const BIGNUM* number, BN_CTX* context) noexcept nogil:
    # 11.3 us, where BN_mod_inverse takes 12.5. libcrypto has an inversion for this very n that takes half as long, but
    # nothing that it exports leads there and hands the result out.
    return (
        POINTS.BN_mod_exp_mont(out, number, P256.exponent, P256.order, context, P256.modulo_order) == 1
        and POINTS.BN_to_montgomery(out, out, P256.modulo_order, context) == 1
    )


cdef void invert_all(Inverses* inverses) noexcept nogil:
    """Invert numbers modulo n together: one inversion, and four products for each (Montgomery's trick)."""
    cdef unsigned int thread = this_thread()
    cdef bint done = False
    cdef int i
    if begin(thread):
        done = invert_in_room(inverses)
        end(thread)
    if not done:
        for i in range(inverses.count):
            inverses.there[i] = False


cdef bint invert_in_room(Inverses* inverses) noexcept nogil:
    cdef bint done = False
    cdef BN_CTX* context = POINTS.BN_CTX_new()
    cdef BIGNUM* number = POINTS.BN_new()
    cdef BIGNUM* helper = POINTS.BN_new()
    cdef BIGNUM* product = POINTS.BN_new()
    if context is not NULL and number is not NULL and helper is not NULL and product is not NULL:
        done = invert_in(inverses, number, helper, product, context)
    POINTS.BN_free(product)
    POINTS.BN_free(helper)
    POINTS.BN_free(number)
    POINTS.BN_CTX_free(context)
    return done


cdef bint invert_in(
    Inverses* inverses, BIGNUM* number, BIGNUM* helper, BIGNUM* product, BN_CTX* context
) noexcept nogil:
    cdef uint8_t before[MOST_INVERSES][NUMBER_BYTES]    # the product of all numbers before each, in Montgomery form
    cdef int i
    if POINTS.BN_to_montgomery(product, POINTS.BN_value_one(), P256.modulo_order, context) != 1:
        return False
    for i in range(inverses.count):
        if not inverses.there[i]:
            continue
        if not read_number(number, inverses.numbers[i]):
            return False
        inverses.there[i] = in_range(number)
        if inverses.there[i] and not (
            write_number(before[i], product)
            and POINTS.BN_to_montgomery(number, number, P256.modulo_order, context) == 1
            and multiply(product, product, number, P256.modulo_order, context)
        ):
            return False
    if (
        POINTS.BN_from_montgomery(number, product, P256.modulo_order, context) != 1
        or not invert(product, number, context)
    ):
        return False
    # from here on `product` is the inverse of the product of all numbers up to i
    for i in range(inverses.count - 1, -1, -1):
        if inverses.there[i] and not (
            read_number(helper, before[i])
            and read_number(number, inverses.numbers[i])
            and multiply(helper, helper, product, P256.modulo_order, context)
            and write_number(inverses.numbers[i], helper)
            and POINTS.BN_to_montgomery(number, number, P256.modulo_order, context) == 1
            and multiply(product, product, number, P256.modulo_order, context)
        ):
            return False
    return True


def inverses(numbers):
    """Return what `invert_all` makes of numbers of 32 bytes each, 64 at most: for each its inverse, or None."""
    cdef Inverses all
    cdef bytes number
    cdef int i
    if missing() is not None or len(numbers) > MOST_INVERSES:
        raise ValueError("too many numbers, or no library for them")
    all.count = <int>len(numbers)
    for i, number in enumerate(numbers):
        all.there[i] = len(number) == NUMBER_BYTES
        if all.there[i]:
            memcpy(all.numbers[i], PyBytes_AS_STRING(number), NUMBER_BYTES)
    with nogil:
        invert_all(&all)
    return [all.numbers[i][:NUMBER_BYTES] if all.there[i] else None for i in range(all.count)]
