/* The part of libcrypto that signature lanes call, found at run time: no header of OpenSSL, nothing to link.
 *
 * One struct of function pointers, and for each family of libraries (OpenSSL 3 and 4, AWS-LC) the names to fill it
 * from. Where the two families declare a function differently, the prototype here serves both; each case says why.
 */
#ifndef JOTGATE_LIBCRYPTO_H
#define JOTGATE_LIBCRYPTO_H

#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* dladdr, RTLD_DEEPBIND; Python.h has defined it already */
#endif

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if !defined(_WIN32)
#include <dlfcn.h>
#include <unistd.h>
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "lane_types.h"

enum { RSA_PKCS1_PADDING = 1, RSA_PKCS1_PSS_PADDING = 6 };

typedef struct {
    /* The reason code of a failed allocation, and the bits of an error that are its reason. */
    uint32_t allocation_failed, reason_mask;

    const char *(*OpenSSL_version)(int);
    int (*OPENSSL_init_crypto)(uint64_t, const void *);

    /* Errors are unsigned long in OpenSSL, of which it uses 32 bits, and uint32_t in AWS-LC. */
    uint32_t (*ERR_peek_error)(void);
    uint32_t (*ERR_peek_last_error)(void);
    uint32_t (*ERR_get_error)(void);
    int (*ERR_set_mark)(void);
    int (*ERR_pop_to_mark)(void);

    EVP_MD *(*EVP_MD_fetch)(void *, const char *, const char *); /* OpenSSL only */
    const EVP_MD *(*EVP_get_digestbyname)(const char *);         /* AWS-LC only: there nothing is fetched */

    EVP_PKEY *(*d2i_PUBKEY)(EVP_PKEY **, const unsigned char **, long);
    int (*EVP_PKEY_size)(const EVP_PKEY *);
    void (*EVP_PKEY_free)(EVP_PKEY *);
    int (*EVP_PKEY_CTX_set_rsa_padding)(EVP_PKEY_CTX *, int);
    int (*EVP_PKEY_CTX_set_rsa_pss_saltlen)(EVP_PKEY_CTX *, int);

    EVP_MD_CTX *(*EVP_MD_CTX_new)(void);
    void (*EVP_MD_CTX_free)(EVP_MD_CTX *);
    int (*EVP_MD_CTX_copy_ex)(EVP_MD_CTX *, const EVP_MD_CTX *);
    int (*EVP_DigestVerifyInit)(EVP_MD_CTX *, EVP_PKEY_CTX **, const EVP_MD *, void *, EVP_PKEY *);
    int (*EVP_DigestVerify)(EVP_MD_CTX *, const unsigned char *, size_t, const unsigned char *, size_t);

    HMAC_CTX *(*HMAC_CTX_new)(void);
    void (*HMAC_CTX_free)(HMAC_CTX *);
    int (*HMAC_CTX_copy)(HMAC_CTX *, HMAC_CTX *);
    /* The length is int in OpenSSL and size_t in AWS-LC. A size_t that fits an int is passed as either. */
    int (*HMAC_Init_ex)(HMAC_CTX *, const void *, size_t, const EVP_MD *, void *);
    int (*HMAC_Update)(HMAC_CTX *, const unsigned char *, size_t);
    int (*HMAC_Final)(HMAC_CTX *, unsigned char *, unsigned int *);
} jg_libcrypto;

typedef struct {
    size_t at; /* offset of the pointer in jg_libcrypto */
    const char *openssl, *aws_lc; /* its name in each family; NULL where that has none and needs none */
} jg_symbol;

#define JG_SAME(name) {offsetof(jg_libcrypto, name), #name, #name}
static const jg_symbol jg_symbols[] = {
    JG_SAME(OpenSSL_version),
    JG_SAME(OPENSSL_init_crypto),
    JG_SAME(ERR_peek_error),
    JG_SAME(ERR_peek_last_error),
    JG_SAME(ERR_get_error),
    JG_SAME(ERR_set_mark),
    JG_SAME(ERR_pop_to_mark),
    {offsetof(jg_libcrypto, EVP_MD_fetch), "EVP_MD_fetch", NULL},
    {offsetof(jg_libcrypto, EVP_get_digestbyname), NULL, "EVP_get_digestbyname"},
    JG_SAME(d2i_PUBKEY),
    {offsetof(jg_libcrypto, EVP_PKEY_size), "EVP_PKEY_get_size", "EVP_PKEY_size"},
    JG_SAME(EVP_PKEY_free),
    JG_SAME(EVP_PKEY_CTX_set_rsa_padding),
    JG_SAME(EVP_PKEY_CTX_set_rsa_pss_saltlen),
    JG_SAME(EVP_MD_CTX_new),
    JG_SAME(EVP_MD_CTX_free),
    JG_SAME(EVP_MD_CTX_copy_ex),
    JG_SAME(EVP_DigestVerifyInit),
    JG_SAME(EVP_DigestVerify),
    JG_SAME(HMAC_CTX_new),
    JG_SAME(HMAC_CTX_free),
    JG_SAME(HMAC_CTX_copy),
    JG_SAME(HMAC_Init_ex),
    JG_SAME(HMAC_Update),
    JG_SAME(HMAC_Final),
};

/* The digest that contexts are made with. Fetched once a name and kept: an EVP_sha256() would be fetched anew by every
 * context, 0.3 us each (OpenSSL 3.0). */
static const EVP_MD *jg_digest(const jg_libcrypto *library, const char *name) {
    if (library->EVP_MD_fetch != NULL)
        return library->EVP_MD_fetch(NULL, name, NULL);
    return library->EVP_get_digestbyname(name);
}

#if defined(_WIN32)

static int jg_runs_with_raised_rights(void) { return 0; }
static void *jg_open_beneath(const char *module, const char **path, const char **why) {
    (void)module;
    *path = NULL;
    *why = "signature lanes are not built for Windows";
    return NULL;
}
static void *jg_open_named(const char *path, const char **why) {
    (void)path;
    *why = "signature lanes are not built for Windows";
    return NULL;
}
static void *jg_symbol_of(void *handle, const char *name) {
    (void)handle, (void)name;
    return NULL;
}
static const char *jg_version(void *handle) {
    (void)handle;
    return NULL;
}
static const char *jg_fill(jg_libcrypto *library, void *handle, int aws_lc) {
    (void)library;
    (void)handle;
    return aws_lc ? jg_symbols[0].aws_lc : jg_symbols[0].openssl;
}

#else

/* Whether the environment belongs to somebody with fewer rights than the process: then it must not name code. */
static int jg_runs_with_raised_rights(void) {
#if defined(__linux__)
    return getauxval(AT_SECURE) != 0;
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    return issetugid();
#else
    return geteuid() != getuid() || getegid() != getgid();
#endif
}

/* The file that an address was mapped from, or NULL. */
static const char *jg_file_of(void *address) {
    Dl_info found;
    return address != NULL && dladdr(address, &found) ? found.dli_fname : NULL;
}

/* A second handle of what is mapped already from a file; NULL if nothing is. */
static void *jg_mapped(const char *path) {
    return path == NULL ? NULL : dlopen(path, RTLD_NOLOAD | RTLD_NOW | RTLD_LOCAL);
}

/* Give a handle back and say why it will not do. */
static void *jg_refuse(void *handle, const char *reason, const char **why) {
    if (handle != NULL)
        dlclose(handle);
    *why = reason;
    return NULL;
}

/* Open the libcrypto that a mapped extension module was linked to, by asking the module's own dependencies: a name
 * alone could find another. Both strings stay as long as the library is mapped, which is for good. */
static void *jg_open_beneath(const char *module, const char **path, const char **why) {
    void *user = jg_mapped(module);
    void *program = dlopen(NULL, RTLD_NOW | RTLD_LOCAL);
    void *version = user == NULL ? NULL : dlsym(user, "OpenSSL_version");
    void *handle;
    *path = jg_file_of(version);
    handle = jg_mapped(*path);
    if (user != NULL)
        dlclose(user);
    if (program != NULL)
        dlclose(program);
    if (version == NULL)
        return jg_refuse(handle, "the interpreter's _hashlib uses no OpenSSL", why);
    if (handle == NULL || handle == user || handle == program)
        return jg_refuse(handle, "the interpreter has its OpenSSL linked into itself", why);
#if defined(__APPLE__)
    if (strncmp(*path, "/usr/lib/", 9) == 0 || strncmp(*path, "/System/", 8) == 0)
        return jg_refuse(handle, "the libcrypto of macOS is not for programs to use", why);
#endif
    return handle;
}

/* Load a libcrypto by its path, kept out of the way of every other: RTLD_LOCAL hides its symbols from the rest, and
 * RTLD_DEEPBIND keeps it from taking those of an OpenSSL that the program itself exports. AddressSanitizer, which works
 * by taking symbols, refuses the latter. */
static void *jg_open_named(const char *path, const char **why) {
    int flags = RTLD_NOW | RTLD_LOCAL;
    void *handle, *itself;
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__)
    flags |= RTLD_DEEPBIND;
#endif
    handle = dlopen(path, flags);
    if (handle == NULL)
        return jg_refuse(NULL, dlerror(), why);
    /* dlsym would also find the libcrypto that some other library depends on */
    itself = jg_mapped(jg_file_of(dlsym(handle, "OpenSSL_version")));
    if (itself != NULL)
        dlclose(itself);
    return itself == handle ? handle : jg_refuse(handle, "it is not a libcrypto", why);
}

/* What a function pointer is written and read as: ISO C has no cast between it and the void* of dlsym. */
static void jg_point(void *pointer, void *symbol) { memcpy(pointer, &symbol, sizeof symbol); }

static void *jg_symbol_of(void *handle, const char *name) { return dlsym(handle, name); }

/* The library's name and version, as it says them. */
static const char *jg_version(void *handle) {
    const char *(*version)(int);
    jg_point(&version, dlsym(handle, "OpenSSL_version"));
    return version(0);
}

/* Fill the table; returns the name of a symbol that is missing, or NULL. */
static const char *jg_fill(jg_libcrypto *library, void *handle, int aws_lc) {
    size_t i;
    memset(library, 0, sizeof *library);
    /* ERR_R_MALLOC_FAILURE and ERR_REASON_MASK, which are macros */
    library->allocation_failed = aws_lc ? 65 : 0xC0100;
    library->reason_mask = aws_lc ? 0xFFF : 0x7FFFFF;
    for (i = 0; i < sizeof jg_symbols / sizeof *jg_symbols; i++) {
        const char *name = aws_lc ? jg_symbols[i].aws_lc : jg_symbols[i].openssl;
        void *symbol = name == NULL ? NULL : dlsym(handle, name);
        if (name != NULL && symbol == NULL)
            return name;
        jg_point((char *)library + jg_symbols[i].at, symbol);
    }
    return NULL;
}

#endif
#endif
