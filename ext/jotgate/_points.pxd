"""Points of P-256 and numbers modulo its order: the functions of libcrypto that compute with them, and the curve."""

from libc.stdint cimport int64_t, uint8_t

from jotgate._lanes cimport EVP_MD, EVP_PKEY, EVP_PKEY_CTX

cdef extern from "points.h" nogil:
    ctypedef struct EC_GROUP
    ctypedef struct EC_POINT
    ctypedef struct BIGNUM
    ctypedef struct BN_CTX
    ctypedef struct BN_MONT_CTX
    ctypedef struct Points "jg_points":
        int (*EVP_Digest)(
            const void* data, size_t size, uint8_t* out, unsigned int* out_size, const EVP_MD* digest, void* engine
        ) noexcept nogil
        EVP_PKEY_CTX* (*EVP_PKEY_CTX_new)(EVP_PKEY* key, void* engine) noexcept nogil
        void (*EVP_PKEY_CTX_free)(EVP_PKEY_CTX* context) noexcept nogil
        int (*EVP_PKEY_verify_init)(EVP_PKEY_CTX* context) noexcept nogil
        int (*EVP_PKEY_verify)(
            EVP_PKEY_CTX* context, const uint8_t* signature, size_t signature_size, const uint8_t* digest, size_t size
        ) noexcept nogil
        BIGNUM* (*BN_new)() noexcept nogil
        BIGNUM* (*BN_dup)(const BIGNUM* number) noexcept nogil
        void (*BN_free)(BIGNUM* number) noexcept nogil
        const BIGNUM* (*BN_value_one)() noexcept nogil
        BIGNUM* (*BN_bin2bn)(const uint8_t* at, int size, BIGNUM* out) noexcept nogil
        int (*BN_bn2binpad)(const BIGNUM* number, uint8_t* out, int size) noexcept nogil
        int (*BN_cmp)(const BIGNUM* one, const BIGNUM* other) noexcept nogil
        int (*BN_is_zero)(const BIGNUM* number) noexcept nogil
        int (*BN_is_one)(const BIGNUM* number) noexcept nogil
        int (*BN_add)(BIGNUM* out, const BIGNUM* one, const BIGNUM* other) noexcept nogil
        int (*BN_sub)(BIGNUM* out, const BIGNUM* one, const BIGNUM* other) noexcept nogil
        BN_CTX* (*BN_CTX_new)() noexcept nogil
        void (*BN_CTX_free)(BN_CTX* context) noexcept nogil
        BN_MONT_CTX* (*BN_MONT_CTX_new)() noexcept nogil
        void (*BN_MONT_CTX_free)(BN_MONT_CTX* modulus) noexcept nogil
        int (*BN_MONT_CTX_set)(BN_MONT_CTX* out, const BIGNUM* modulus, BN_CTX* context) noexcept nogil
        int (*BN_to_montgomery)(
            BIGNUM* out, const BIGNUM* number, BN_MONT_CTX* modulus, BN_CTX* context
        ) noexcept nogil
        int (*BN_from_montgomery)(
            BIGNUM* out, const BIGNUM* number, BN_MONT_CTX* modulus, BN_CTX* context
        ) noexcept nogil
        int (*BN_mod_mul_montgomery)(
            BIGNUM* out, const BIGNUM* one, const BIGNUM* other, BN_MONT_CTX* modulus, BN_CTX* context
        ) noexcept nogil
        int (*BN_mod_exp_mont)(
            BIGNUM* out, const BIGNUM* base, const BIGNUM* exponent, const BIGNUM* modulus, BN_CTX* context,
            BN_MONT_CTX* same_modulus
        ) noexcept nogil
        EC_GROUP* (*EC_GROUP_new_by_curve_name)(int curve) noexcept nogil
        EC_GROUP* (*EC_GROUP_dup)(const EC_GROUP* group) noexcept nogil
        void (*EC_GROUP_free)(EC_GROUP* group) noexcept nogil
        const BIGNUM* (*EC_GROUP_get0_order)(const EC_GROUP* group) noexcept nogil
        int (*EC_GROUP_get_curve)(
            const EC_GROUP* group, BIGNUM* p, BIGNUM* a, BIGNUM* b, BN_CTX* context
        ) noexcept nogil
        int (*EC_GROUP_set_generator)(
            EC_GROUP* group, const EC_POINT* generator, const BIGNUM* order, const BIGNUM* cofactor
        ) noexcept nogil
        int (*EC_GROUP_precompute_mult)(EC_GROUP* group, BN_CTX* context) noexcept nogil
        int (*EC_GROUP_have_precompute_mult)(const EC_GROUP* group) noexcept nogil
        EC_POINT* (*EC_POINT_new)(const EC_GROUP* group) noexcept nogil
        void (*EC_POINT_free)(EC_POINT* point) noexcept nogil
        int (*EC_POINT_oct2point)(
            const EC_GROUP* group, EC_POINT* out, const uint8_t* at, size_t size, BN_CTX* context
        ) noexcept nogil
        int (*EC_POINT_mul)(
            const EC_GROUP* group, EC_POINT* out, const BIGNUM* of_generator, const EC_POINT* point,
            const BIGNUM* of_point, BN_CTX* context
        ) noexcept nogil
        int (*EC_POINT_add)(
            const EC_GROUP* group, EC_POINT* out, const EC_POINT* one, const EC_POINT* other, BN_CTX* context
        ) noexcept nogil
        int (*EC_POINT_is_at_infinity)(const EC_GROUP* group, const EC_POINT* point) noexcept nogil
        int (*EC_POINT_get_Jprojective_coordinates_GFp)(
            const EC_GROUP* group, const EC_POINT* point, BIGNUM* x, BIGNUM* y, BIGNUM* z, BN_CTX* context
        ) noexcept nogil
        int (*EC_POINT_get_affine_coordinates)(
            const EC_GROUP* group, const EC_POINT* point, BIGNUM* x, BIGNUM* y, BN_CTX* context
        ) noexcept nogil

cdef struct Curve:
    # P-256. All of it is only read after `prepare_curve`, so threads share it.
    EC_GROUP* group
    const BIGNUM* order             # n
    BIGNUM* field                   # p
    BIGNUM* exponent                # n - 2: a number to this power is its inverse, n being prime (Fermat)
    BN_MONT_CTX* modulo_order
    BN_MONT_CTX* modulo_field


cdef enum:
    NUMBER_BYTES = 32               # of a number modulo n, and of a digest
    MOST_INVERSES = 64              # 11 us of an inversion among so many are 0.2 us each, and 4 KiB are enough for it


cdef struct Inverses:
    # The numbers s of several signatures and then, in the same place and in Montgomery form, their inverses.
    int count
    bint there[MOST_INVERSES]       # False: there is no number from 1 to n - 1, and no inverse
    uint8_t numbers[MOST_INVERSES][NUMBER_BYTES]


# Filled once `missing()` is None, and never written again.
cdef Points POINTS
cdef Curve P256

# All of these are called between `begin` and `end`, and are True on success.
cdef bint read_number(BIGNUM* out, const uint8_t* at) noexcept nogil            # NUMBER_BYTES of them, big-endian
cdef bint write_number(uint8_t* out, const BIGNUM* number) noexcept nogil
cdef bint in_range(const BIGNUM* number) noexcept nogil                         # one of 1 to n - 1
cdef bint invert(BIGNUM* out, const BIGNUM* number, BN_CTX* context) noexcept nogil   # in Montgomery form

# The product, where one factor is in Montgomery form; in that form, where both are.
cdef bint multiply(
    BIGNUM* out, const BIGNUM* one, const BIGNUM* other, BN_MONT_CTX* modulus, BN_CTX* context
) noexcept nogil

cdef void invert_all(Inverses* inverses) noexcept nogil                         # whole: not between the two


cdef inline const uint8_t* inverse_at(const Inverses* inverses, int64_t index) noexcept nogil:
    if index < 0 or index >= inverses.count or not inverses.there[index]:
        return NULL
    return inverses.numbers[index]
