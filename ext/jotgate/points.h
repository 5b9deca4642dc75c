/* The functions of libcrypto that compute with numbers and with points of a curve. OpenSSL calls some of them
 * deprecated, and another library may lack them: they are looked up one by one, and all of them or none are used. */
#ifndef JOTGATE_POINTS_H
#define JOTGATE_POINTS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lane_types.h"

typedef struct ec_group_st EC_GROUP;
typedef struct ec_point_st EC_POINT;
typedef struct bignum_st BIGNUM;
typedef struct bignum_ctx BN_CTX;
typedef struct bn_mont_ctx_st BN_MONT_CTX;

enum { NID_X9_62_prime256v1 = 415 };

typedef struct {
    int (*EVP_Digest)(const void *, size_t, unsigned char *, unsigned int *, const EVP_MD *, void *);
    EVP_PKEY_CTX *(*EVP_PKEY_CTX_new)(EVP_PKEY *, void *);
    void (*EVP_PKEY_CTX_free)(EVP_PKEY_CTX *);
    int (*EVP_PKEY_verify_init)(EVP_PKEY_CTX *);
    int (*EVP_PKEY_verify)(EVP_PKEY_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);

    BIGNUM *(*BN_new)(void);
    BIGNUM *(*BN_dup)(const BIGNUM *);
    void (*BN_free)(BIGNUM *);
    const BIGNUM *(*BN_value_one)(void);
    BIGNUM *(*BN_bin2bn)(const unsigned char *, int, BIGNUM *);
    int (*BN_bn2binpad)(const BIGNUM *, unsigned char *, int);
    int (*BN_cmp)(const BIGNUM *, const BIGNUM *);
    int (*BN_is_zero)(const BIGNUM *);
    int (*BN_is_one)(const BIGNUM *);
    int (*BN_add)(BIGNUM *, const BIGNUM *, const BIGNUM *);
    int (*BN_sub)(BIGNUM *, const BIGNUM *, const BIGNUM *);
    BN_CTX *(*BN_CTX_new)(void);
    void (*BN_CTX_free)(BN_CTX *);
    BN_MONT_CTX *(*BN_MONT_CTX_new)(void);
    void (*BN_MONT_CTX_free)(BN_MONT_CTX *);
    int (*BN_MONT_CTX_set)(BN_MONT_CTX *, const BIGNUM *, BN_CTX *);
    int (*BN_to_montgomery)(BIGNUM *, const BIGNUM *, BN_MONT_CTX *, BN_CTX *);
    int (*BN_from_montgomery)(BIGNUM *, const BIGNUM *, BN_MONT_CTX *, BN_CTX *);
    int (*BN_mod_mul_montgomery)(BIGNUM *, const BIGNUM *, const BIGNUM *, BN_MONT_CTX *, BN_CTX *);
    int (*BN_mod_exp_mont)(BIGNUM *, const BIGNUM *, const BIGNUM *, const BIGNUM *, BN_CTX *, BN_MONT_CTX *);

    EC_GROUP *(*EC_GROUP_new_by_curve_name)(int);
    EC_GROUP *(*EC_GROUP_dup)(const EC_GROUP *);
    void (*EC_GROUP_free)(EC_GROUP *);
    const BIGNUM *(*EC_GROUP_get0_order)(const EC_GROUP *);
    int (*EC_GROUP_get_curve)(const EC_GROUP *, BIGNUM *, BIGNUM *, BIGNUM *, BN_CTX *);
    int (*EC_GROUP_set_generator)(EC_GROUP *, const EC_POINT *, const BIGNUM *, const BIGNUM *);
    int (*EC_GROUP_precompute_mult)(EC_GROUP *, BN_CTX *);
    int (*EC_GROUP_have_precompute_mult)(const EC_GROUP *);
    EC_POINT *(*EC_POINT_new)(const EC_GROUP *);
    void (*EC_POINT_free)(EC_POINT *);
    int (*EC_POINT_oct2point)(const EC_GROUP *, EC_POINT *, const unsigned char *, size_t, BN_CTX *);
    int (*EC_POINT_mul)(const EC_GROUP *, EC_POINT *, const BIGNUM *, const EC_POINT *, const BIGNUM *, BN_CTX *);
    int (*EC_POINT_add)(const EC_GROUP *, EC_POINT *, const EC_POINT *, const EC_POINT *, BN_CTX *);
    int (*EC_POINT_is_at_infinity)(const EC_GROUP *, const EC_POINT *);
    int (*EC_POINT_get_Jprojective_coordinates_GFp)(const EC_GROUP *, const EC_POINT *, BIGNUM *, BIGNUM *, BIGNUM *,
                                                    BN_CTX *);
    int (*EC_POINT_get_affine_coordinates)(const EC_GROUP *, const EC_POINT *, BIGNUM *, BIGNUM *, BN_CTX *);
} jg_points;

typedef struct {
    size_t at; /* offset of the pointer in jg_points */
    const char *name;
} jg_point_symbol;

#define JG_POINTS(name) {offsetof(jg_points, name), #name}
static const jg_point_symbol jg_point_symbols[] = {
    JG_POINTS(EC_GROUP_precompute_mult), /* what is missing first: AWS-LC has no such thing */
    JG_POINTS(EVP_Digest),
    JG_POINTS(EVP_PKEY_CTX_new),
    JG_POINTS(EVP_PKEY_CTX_free),
    JG_POINTS(EVP_PKEY_verify_init),
    JG_POINTS(EVP_PKEY_verify),
    JG_POINTS(BN_new),
    JG_POINTS(BN_dup),
    JG_POINTS(BN_free),
    JG_POINTS(BN_value_one),
    JG_POINTS(BN_bin2bn),
    JG_POINTS(BN_bn2binpad),
    JG_POINTS(BN_cmp),
    JG_POINTS(BN_is_zero),
    JG_POINTS(BN_is_one),
    JG_POINTS(BN_add),
    JG_POINTS(BN_sub),
    JG_POINTS(BN_CTX_new),
    JG_POINTS(BN_CTX_free),
    JG_POINTS(BN_MONT_CTX_new),
    JG_POINTS(BN_MONT_CTX_free),
    JG_POINTS(BN_MONT_CTX_set),
    JG_POINTS(BN_to_montgomery),
    JG_POINTS(BN_from_montgomery),
    JG_POINTS(BN_mod_mul_montgomery),
    JG_POINTS(BN_mod_exp_mont),
    JG_POINTS(EC_GROUP_new_by_curve_name),
    JG_POINTS(EC_GROUP_dup),
    JG_POINTS(EC_GROUP_free),
    JG_POINTS(EC_GROUP_get0_order),
    JG_POINTS(EC_GROUP_get_curve),
    JG_POINTS(EC_GROUP_set_generator),
    JG_POINTS(EC_GROUP_have_precompute_mult),
    JG_POINTS(EC_POINT_new),
    JG_POINTS(EC_POINT_free),
    JG_POINTS(EC_POINT_oct2point),
    JG_POINTS(EC_POINT_mul),
    JG_POINTS(EC_POINT_add),
    JG_POINTS(EC_POINT_is_at_infinity),
    JG_POINTS(EC_POINT_get_Jprojective_coordinates_GFp),
    JG_POINTS(EC_POINT_get_affine_coordinates),
};

/* Fill the table by a look-up; returns the name of a symbol that is missing, or NULL. */
static inline const char *jg_fill_points(jg_points *points, void *(*look_up)(const char *)) {
    size_t i;
    for (i = 0; i < sizeof jg_point_symbols / sizeof *jg_point_symbols; i++) {
        void *symbol = look_up(jg_point_symbols[i].name);
        if (symbol == NULL)
            return jg_point_symbols[i].name;
        memcpy((char *)points + jg_point_symbols[i].at, &symbol, sizeof symbol);
    }
    return NULL;
}

#endif
