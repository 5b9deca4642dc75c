"""Signature lanes: a key prepared in the machine's libcrypto, checked without the GIL.

The library is the one that the interpreter has mapped for ``_hashlib``, or the one that ``JOTGATE_LIBCRYPTO`` names.
Keys come in checked by `cryptography`, which stays the reference: for every input the verdict is the same.

The rules of every check:

- Only the return value 1 is acceptance.
- What the calls leave in the thread's error queue is taken off it again.
- A key's own context is written once and never used. Public keys are checked in a copy of it, made for the check:
  0.2 us of 17 (RS256) and more (`bench/lanes.py`). For HMAC, 0.4 us in all, copying is half of the work, so copies
  are kept, one a thread at a time.
- No thread is inside libcrypto when the process forks or exits. After a fork the child drops the copies that the
  parent kept and makes its own.
"""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.limits cimport INT_MAX
from libc.stdint cimport uint8_t, uint32_t, uint64_t

import os
from _thread import allocate_lock

from jotgate._codec cimport Span, constant_time_same, span
from jotgate._fault cimport BAD_SIGNATURE, OK, UNDECIDED, Fault
from jotgate._key cimport ALGORITHM_COUNT, ES256, ES256K, HS512, MAX_ECDSA_DER, PS256, PS512, ecdsa_der
from jotgate.errors import PolicyError

cdef extern from "libcrypto.h" nogil:
    int RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING
    ctypedef struct Libcrypto "jg_libcrypto":
        uint32_t allocation_failed
        uint32_t reason_mask
        int (*OPENSSL_init_crypto)(uint64_t options, const void* settings) noexcept nogil
        uint32_t (*ERR_peek_error)() noexcept nogil
        uint32_t (*ERR_peek_last_error)() noexcept nogil
        uint32_t (*ERR_get_error)() noexcept nogil
        int (*ERR_set_mark)() noexcept nogil
        int (*ERR_pop_to_mark)() noexcept nogil
        EVP_PKEY* (*d2i_PUBKEY)(EVP_PKEY** out, const uint8_t** at, long size) noexcept nogil
        int (*EVP_PKEY_size)(const EVP_PKEY* key) noexcept nogil
        void (*EVP_PKEY_free)(EVP_PKEY* key) noexcept nogil
        int (*EVP_PKEY_CTX_set_rsa_padding)(EVP_PKEY_CTX* context, int padding) noexcept nogil
        int (*EVP_PKEY_CTX_set_rsa_pss_saltlen)(EVP_PKEY_CTX* context, int size) noexcept nogil
        EVP_MD_CTX* (*EVP_MD_CTX_new)() noexcept nogil
        void (*EVP_MD_CTX_free)(EVP_MD_CTX* context) noexcept nogil
        int (*EVP_MD_CTX_copy_ex)(EVP_MD_CTX* out, const EVP_MD_CTX* context) noexcept nogil
        int (*EVP_DigestVerifyInit)(
            EVP_MD_CTX* context, EVP_PKEY_CTX** scheme, const EVP_MD* digest, void* engine, EVP_PKEY* key
        ) noexcept nogil
        int (*EVP_DigestVerify)(
            EVP_MD_CTX* context, const uint8_t* signature, size_t signature_size, const uint8_t* data, size_t size
        ) noexcept nogil
        HMAC_CTX* (*HMAC_CTX_new)() noexcept nogil
        void (*HMAC_CTX_free)(HMAC_CTX* context) noexcept nogil
        int (*HMAC_CTX_copy)(HMAC_CTX* out, HMAC_CTX* context) noexcept nogil
        int (*HMAC_Init_ex)(
            HMAC_CTX* context, const void* key, size_t size, const EVP_MD* digest, void* engine
        ) noexcept nogil
        int (*HMAC_Update)(HMAC_CTX* context, const uint8_t* data, size_t size) noexcept nogil
        int (*HMAC_Final)(HMAC_CTX* context, uint8_t* out, unsigned int* size) noexcept nogil
    bint runs_with_raised_rights "jg_runs_with_raised_rights"() noexcept
    void* open_beneath "jg_open_beneath"(const char* module, const char** path, const char** why) noexcept
    void* open_named "jg_open_named"(const char* path, const char** why) noexcept
    void* find_symbol "jg_symbol_of"(void* handle, const char* name) noexcept
    const char* version_of "jg_version"(void* handle) noexcept
    const char* fill "jg_fill"(Libcrypto* library, void* handle, bint aws_lc) noexcept
    const EVP_MD* fetch_digest "jg_digest"(const Libcrypto* library, const char* name) noexcept

cdef extern from "lane_guard.h" nogil:
    unsigned int thread_number "jg_thread_number"() noexcept
    bint enter "jg_enter"(unsigned int thread) noexcept
    void leave "jg_leave"(unsigned int thread) noexcept
    uint32_t generation "jg_generation"() noexcept
    Slot* take "jg_take"(Slot* slots, unsigned int thread, bint* orphaned) noexcept
    void give_back "jg_give_back"(Slot* slot) noexcept
    int watch_process "jg_watch_process"() noexcept

# The AlgorithmIdentifier of each algorithm's keys (RFC 3279, 5480, 8410, 9881), DER. It says the kind of key whole,
# the curve too, and to both families of libraries alike.
_RSA_KEY = bytes.fromhex("300d06092a864886f70d0101010500")
_KINDS = [
    None, None, None,
    *[_RSA_KEY] * 6,
    bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107"),
    bytes.fromhex("301006072a8648ce3d020106052b81040022"),
    bytes.fromhex("301006072a8648ce3d020106052b81040023"),
    bytes.fromhex("301006072a8648ce3d020106052b8104000a"),
    bytes.fromhex("300506032b6570"),
    bytes.fromhex("300506032b6571"),
    bytes.fromhex("300b0609608648016503040311"),
    bytes.fromhex("300b0609608648016503040312"),
    bytes.fromhex("300b0609608648016503040313"),
]
_SIGNATURE_BYTES = [32, 48, 64, *[0] * 6, 64, 96, 132, 64, 64, 114, 2420, 3309, 4627]    # 0: as long as the modulus
_HASHES = [b"SHA256", b"SHA384", b"SHA512"]

# Filled by `_find` under the lock, once, and never written again.
cdef void* HANDLE = NULL
cdef Libcrypto LIBRARY
cdef (const EVP_MD*)[3] DIGESTS
_lock = allocate_lock()
_found = None                       # (path, version) or the reason why there is none


def _find():
    """Find the library and fill the table; the outcome is kept.

    Raises:
        PolicyError: ``invalid_policy``: ``JOTGATE_LIBCRYPTO`` names something that cannot be used.
    """
    global _found
    if _found is None:
        with _lock:
            if _found is None:
                named = None if runs_with_raised_rights() else os.environ.get("JOTGATE_LIBCRYPTO") or None
                _found = _beneath_hashlib() if named is None else _named(named)
    return _found


def _named(path):
    cdef const char* why = NULL
    cdef bytes name = os.fsencode(path)
    if not os.path.isabs(path):
        raise PolicyError("JOTGATE_LIBCRYPTO must be an absolute path")
    cdef void* handle = open_named(name, &why)
    outcome = why.decode(errors="replace") if handle is NULL else _use(handle, path)
    if type(outcome) is str:
        raise PolicyError(f"JOTGATE_LIBCRYPTO cannot be used: {outcome}")
    return outcome


def _beneath_hashlib():
    cdef const char* path = NULL
    cdef const char* why = NULL
    try:
        import _hashlib
    except ImportError:
        return "the interpreter has no _hashlib"
    module = getattr(_hashlib, "__file__", None)
    if module is None:
        return "the interpreter has its _hashlib built in"
    cdef bytes name = os.fsencode(module)
    cdef void* handle = open_beneath(name, &path, &why)
    return why.decode() if handle is NULL else _use(handle, os.fsdecode(path))


cdef object _use(void* handle, path):
    """Fill the table from a library of one of the two families; returns like `_find`."""
    global HANDLE
    cdef const char* missing
    cdef int i
    version = version_of(handle).decode(errors="replace")
    aws_lc = version.startswith("AWS-LC ")
    if not aws_lc and not version.startswith(("OpenSSL 3.", "OpenSSL 4.")):
        return f"lanes know OpenSSL 3 and 4 and AWS-LC, not {version}"
    missing = fill(&LIBRARY, handle, aws_lc)
    if missing is not NULL:
        return f"{version} has no {missing.decode()}"
    # First the library's exit handler is registered, then the one that must run before it.
    LIBRARY.OPENSSL_init_crypto(0, NULL)
    if watch_process() != 0:
        return "no handler for fork and exit could be registered"
    LIBRARY.ERR_set_mark()
    for i in range(3):
        DIGESTS[i] = fetch_digest(&LIBRARY, _HASHES[i])
    LIBRARY.ERR_pop_to_mark()
    HANDLE = handle
    return path, version


def library():
    """Return the path and the version text of the libcrypto that lanes use, or None (then see `reason`).

    Raises:
        PolicyError: ``invalid_policy``: ``JOTGATE_LIBCRYPTO`` is not an absolute path, does not load, or is neither
            OpenSSL 3 or 4 nor AWS-LC.
    """
    found = _find()
    return found if type(found) is tuple else None


def reason():
    """Return why there is no library, or None; raises like `library`."""
    found = _find()
    return found if type(found) is str else None


def prepare(int algorithm, bytes material not None):
    """Prepare a key.

    Args:
        algorithm: Number from ``ALGORITHM_NUMBERS``.
        material: The secret of an HMAC algorithm, else a public key as SubjectPublicKeyInfo, DER, checked before.

    Returns:
        An ``EVPLane``.

    Raises:
        LookupError: There is no library, or it does not take this key.
        ValueError: The material is not a key of this algorithm.
        PolicyError: As `library`.
    """
    return MACLane(algorithm, material) if algorithm <= HS512 else PublicKeyLane(algorithm, material)


def _is_key_of(bytes material, bytes kind):
    """Whether DER starts like a SubjectPublicKeyInfo, and with this AlgorithmIdentifier."""
    length_of_length = 1 + (material[1] & 0x7F) if len(material) > 1 and material[1] >= 0x80 else 1
    return material[:1] == b"\x30" and material.startswith(kind, 1 + length_of_length)


cdef void* symbol_of(const char* name) noexcept nogil:
    return NULL if HANDLE is NULL else find_symbol(HANDLE, name)


cdef unsigned int this_thread() noexcept nogil:
    return thread_number()


cdef bint begin(unsigned int thread) noexcept nogil:
    if not enter(thread):
        return False
    LIBRARY.ERR_set_mark()
    return True


cdef void end(unsigned int thread) noexcept nogil:
    LIBRARY.ERR_pop_to_mark()
    leave(thread)


cdef const EVP_MD* digest_of(int algorithm) except NULL:
    cdef const EVP_MD* digest = DIGESTS[algorithm % 3]
    if digest is NULL:
        raise LookupError("the library has not this hash")
    return digest


cdef class EVPLane:
    """A key prepared in libcrypto, for one algorithm; made by `prepare`. Any number of threads may share it."""

    def __cinit__(self, int algorithm, bytes material not None):
        # Runs before that of the subclass, which relies on every one of these.
        if not 0 <= algorithm < ALGORITHM_COUNT:
            raise ValueError("no such algorithm")
        if library() is None:
            raise LookupError(reason())
        if (algorithm <= HS512) != isinstance(self, MACLane):
            raise ValueError("not the lane of this algorithm")
        if algorithm > HS512 and not _is_key_of(material, _KINDS[algorithm]):
            raise ValueError("not a SubjectPublicKeyInfo of this algorithm")
        self.algorithm = algorithm
        self.signature_bytes = _SIGNATURE_BYTES[algorithm]


cdef class MACLane(EVPLane):
    """HMAC (RFC 2104): the keyed state is computed once."""

    def __cinit__(self, int algorithm, bytes secret):
        cdef const EVP_MD* digest = digest_of(algorithm)
        cdef unsigned int thread = thread_number()
        cdef bint keyed = False
        if len(secret) > INT_MAX:
            raise ValueError("the secret is too long")
        if begin(thread):
            self._keyed = LIBRARY.HMAC_CTX_new()
            keyed = self._keyed is not NULL and LIBRARY.HMAC_Init_ex(
                self._keyed, PyBytes_AS_STRING(secret), len(secret), digest, NULL
            ) == 1
            end(thread)
        if not keyed:
            raise LookupError("the library does not take this secret")

    def __dealloc__(self):
        cdef unsigned int thread = thread_number()
        cdef int i
        # Once the process is ending, libcrypto's memory is its own affair.
        if self._keyed is NULL or not enter(thread):
            return
        for i in range(JG_SLOTS):
            LIBRARY.HMAC_CTX_free(<HMAC_CTX*>self._slots[i].context)
        LIBRARY.HMAC_CTX_free(self._keyed)
        leave(thread)

    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil:
        """Compute the MAC and compare; UNDECIDED if it could not be computed."""
        cdef unsigned int thread = thread_number()
        cdef bint orphaned = False
        cdef Slot* slot
        cdef HMAC_CTX* context
        cdef Fault fault
        if signature.size != self.signature_bytes:
            return BAD_SIGNATURE
        if not begin(thread):
            return UNDECIDED
        slot = take(self._slots, thread, &orphaned)
        context = self.copied() if slot is NULL else self.context_of(slot, orphaned)
        fault = self.compare(context, signature, data)
        if slot is NULL:
            LIBRARY.HMAC_CTX_free(context)
        else:
            if fault == UNDECIDED:
                LIBRARY.HMAC_CTX_free(context)
                slot.context = NULL
            give_back(slot)
        end(thread)
        return fault

    cdef HMAC_CTX* context_of(self, Slot* slot, bint orphaned) noexcept nogil:
        """The context of a slot that this thread holds, made if need be; NULL if it could not be made."""
        cdef uint32_t now = generation()
        if slot.context is NULL or slot.generation != now:
            # What a thread of the parent was still working with at the fork stays as it is, lost on purpose.
            if not orphaned:
                LIBRARY.HMAC_CTX_free(<HMAC_CTX*>slot.context)
            slot.context = self.copied()
            slot.generation = now
        return <HMAC_CTX*>slot.context

    cdef HMAC_CTX* copied(self) noexcept nogil:
        cdef HMAC_CTX* context = LIBRARY.HMAC_CTX_new()
        if context is not NULL and LIBRARY.HMAC_CTX_copy(context, self._keyed) != 1:
            LIBRARY.HMAC_CTX_free(context)
            return NULL
        return context

    cdef Fault compare(self, HMAC_CTX* context, Span signature, Span data) noexcept nogil:
        cdef uint8_t mac[64]
        cdef unsigned int size = 0
        # No key and no hash: back to the state after the key, which HMAC_Final has left behind.
        if (
            context is NULL
            or LIBRARY.HMAC_Init_ex(context, NULL, 0, NULL, NULL) != 1
            or LIBRARY.HMAC_Update(context, data.start, data.size) != 1
            or LIBRARY.HMAC_Final(context, mac, &size) != 1
            or <Py_ssize_t>size != signature.size
        ):
            return UNDECIDED
        return OK if constant_time_same(mac, signature.start, size) else BAD_SIGNATURE


cdef class PublicKeyLane(EVPLane):
    """RSA, ECDSA, EdDSA or ML-DSA, all through EVP_DigestVerify."""

    def __cinit__(self, int algorithm, bytes material):
        cdef const EVP_MD* digest = digest_of(algorithm) if algorithm <= ES256K else NULL
        cdef unsigned int thread = thread_number()
        cdef bint prepared = False
        if begin(thread):
            prepared = self.prepare(material, digest)
            end(thread)
        if not prepared:
            raise LookupError("the library does not verify with this key")

    cdef bint prepare(self, bytes material, const EVP_MD* digest) noexcept:
        """Read the key and set up the context that checks copy; False if the library will not."""
        cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(material)
        cdef const uint8_t* material_end = at + len(material)
        cdef EVP_PKEY_CTX* scheme = NULL                # belongs to the prepared context
        self._key = LIBRARY.d2i_PUBKEY(NULL, &at, len(material))
        self._prepared = LIBRARY.EVP_MD_CTX_new()
        if self._key is NULL or at != material_end or self._prepared is NULL:
            return False
        if LIBRARY.EVP_DigestVerifyInit(self._prepared, &scheme, digest, NULL, self._key) != 1:
            return False
        if self.algorithm > PS512:
            return True
        self.signature_bytes = LIBRARY.EVP_PKEY_size(self._key)
        if self.algorithm < PS256:
            return LIBRARY.EVP_PKEY_CTX_set_rsa_padding(scheme, RSA_PKCS1_PADDING) == 1
        # RFC 7518 section 3.5: a salt as long as the hash; MGF1 takes the same hash if none is set
        return (
            LIBRARY.EVP_PKEY_CTX_set_rsa_padding(scheme, RSA_PKCS1_PSS_PADDING) == 1
            and LIBRARY.EVP_PKEY_CTX_set_rsa_pss_saltlen(scheme, 32 + 16 * (self.algorithm - PS256)) == 1
        )

    def __dealloc__(self):
        cdef unsigned int thread = thread_number()
        if (self._key is NULL and self._prepared is NULL) or not enter(thread):
            return
        LIBRARY.EVP_MD_CTX_free(self._prepared)
        LIBRARY.EVP_PKEY_free(self._key)
        leave(thread)

    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil:
        """Verify in a copy of the prepared context.

        Whatever is not acceptance is the token's fault, a negative answer as well as 0: libcrypto gives one for a
        signature whose sum of points is at infinity, where `cryptography` says InvalidSignature too. But an allocation
        that failed, in a context or within the arithmetic, decided nothing; only the error queue tells it apart.
        """
        cdef uint8_t der[MAX_ECDSA_DER]
        cdef unsigned int thread = thread_number()
        cdef EVP_MD_CTX* context
        cdef bint queue_was_empty
        cdef Fault fault = UNDECIDED
        if signature.size != self.signature_bytes:
            return BAD_SIGNATURE
        if ES256 <= self.algorithm <= ES256K:
            signature = span(der, ecdsa_der(signature, der))
        if not begin(thread):
            return UNDECIDED
        queue_was_empty = LIBRARY.ERR_peek_error() == 0
        context = LIBRARY.EVP_MD_CTX_new()
        if context is not NULL and LIBRARY.EVP_MD_CTX_copy_ex(context, self._prepared) == 1:
            if LIBRARY.EVP_DigestVerify(context, signature.start, signature.size, data.start, data.size) == 1:
                fault = OK
            elif not allocation_failed(queue_was_empty):
                fault = BAD_SIGNATURE
        LIBRARY.EVP_MD_CTX_free(context)
        end(thread)
        return fault


cdef bint allocation_failed(bint queue_is_ours) noexcept nogil:
    """Whether the call that just failed says that memory was short.

    Where the queue was empty before, all of it is looked through; else only the last entry can be told from others'.
    """
    cdef uint32_t error = LIBRARY.ERR_peek_last_error()
    while error != 0:
        if error & LIBRARY.reason_mask == LIBRARY.allocation_failed:
            return True
        error = LIBRARY.ERR_get_error() if queue_is_ours else 0
    return False
