/* The types that a class of lanes is laid out with: all that modules which use such a class need of the two headers. */
#ifndef JOTGATE_LANE_TYPES_H
#define JOTGATE_LANE_TYPES_H

#include <stdint.h>

typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct hmac_ctx_st HMAC_CTX;

enum { JG_SLOTS = 8 };

/* A context that one thread at a time works with. Each has a cache line of its own. */
typedef struct {
    uint32_t holder;     /* the generation of the process whose thread has it, 0 if none */
    uint32_t generation; /* of the process that made the context */
    void *context;       /* NULL until the first use */
    char padding[64 - 2 * sizeof(uint32_t) - sizeof(void *)];
} jg_slot;

#endif
