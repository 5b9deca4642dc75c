"""Text of a token: spans of bytes, the compact split, base64url, constant-time compare.

Whoever makes a Span keeps the object it points into alive for as long as the Span is used.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp

from jotgate._fault cimport Fault

cdef extern from *:
    """
    #include <string.h>
    #if defined(_MSC_VER)
      #include <intrin.h>
      static __inline int jg_lowest_byte(unsigned long long flags) {
          unsigned long at; _BitScanForward64(&at, flags); return (int)(at >> 3);
      }
    #else
      static inline int jg_lowest_byte(unsigned long long flags) { return __builtin_ctzll(flags) >> 3; }
    #endif
    /* The eight bytes in memory order, first byte lowest, whatever the machine's byte order. */
    static inline unsigned long long jg_load_word(const unsigned char *at) {
        unsigned long long word;
        memcpy(&word, at, 8);
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
    #endif
        return word;
    }
    #if defined(__GNUC__) || defined(__clang__)
      #define jg_prefetch(at) __builtin_prefetch((at), 1)
    #else
      #define jg_prefetch(at) ((void)(at))
    #endif
    /* Both halves of the 128-bit product, folded: what one bit of either factor changes cannot be undone by another. */
    static inline unsigned long long jg_fold(unsigned long long one, unsigned long long other) {
    #if defined(_MSC_VER)
        unsigned long long high, low = _umul128(one, other, &high);
        return low ^ high;
    #else
        unsigned __int128 product = (unsigned __int128)one * other;
        return (unsigned long long)product ^ (unsigned long long)(product >> 64);
    #endif
    }
    """
    void prefetch "jg_prefetch"(const void* at) noexcept nogil           # a hint: this is going to be written to
    uint64_t fold "jg_fold"(uint64_t one, uint64_t other) noexcept nogil
    int lowest_byte "jg_lowest_byte"(uint64_t flags) noexcept nogil      # index of the lowest byte with a flag set
    uint64_t load_word "jg_load_word"(const uint8_t* at) noexcept nogil  # unaligned load of eight bytes


cdef uint64_t SECRET_WORD, SECRET_STATE     # 128 bits, new in each process


cdef struct Span:
    const uint8_t* start
    Py_ssize_t size


cdef struct Compact:
    # The three parts as written, without padding, and the bytes the signature is over, as written.
    Span header
    Span payload
    Span signature
    Span signing_input
    bint padded                      # some part carried `=`: such text must never become a cache key


cdef inline Span span(const uint8_t* start, Py_ssize_t size) noexcept nogil:
    cdef Span made
    made.start = start
    made.size = size
    return made


cdef inline Span span_of(bytes data) noexcept:
    """The bytes of an object that the caller keeps alive."""
    return span(<const uint8_t*>PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef inline Span slice_span(Span whole, Py_ssize_t start, Py_ssize_t end) noexcept nogil:
    """The part [start, end) of a span. The one bounds check: what does not lie inside is the empty span."""
    if start < 0 or end < start or end > whole.size:
        return span(whole.start, 0)
    return span(whole.start + start, end - start)


cdef inline bint same_bytes(Span one, Span other) noexcept nogil:
    return one.size == other.size and memcmp(one.start, other.start, one.size) == 0


cdef inline uint64_t tail_word(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    """Fewer than eight bytes as a word, the rest zero."""
    cdef uint64_t word = 0
    cdef Py_ssize_t i
    for i in range(size):
        word |= <uint64_t>at[i] << (8 * i)
    return word


cdef inline uint64_t mix(uint64_t state, uint64_t word) noexcept nogil:
    """One step of a hash under the secret of this process: who does not know it cannot choose what collides."""
    return fold(word ^ SECRET_WORD, state ^ SECRET_STATE)


cdef inline uint64_t keyed_hash(Span data, uint64_t seed=0) noexcept nogil:
    cdef const uint8_t* at = data.start
    cdef Py_ssize_t left = data.size
    cdef uint64_t state = seed
    while left >= 16:
        state = fold(load_word(at) ^ SECRET_WORD, load_word(at + 8) ^ state ^ SECRET_STATE)
        at += 16
        left -= 16
    if left >= 8:
        state = mix(state, load_word(at))
        at += 8
        left -= 8
    return mix(mix(state, tail_word(at, left)), <uint64_t>data.size)


cdef Fault split_compact(Span text, bint allow_padding, Compact* parts) noexcept nogil

cdef Py_ssize_t decoded_size(Py_ssize_t text_size) noexcept nogil                # -1: no base64url text is this long
cdef Py_ssize_t encoded_size(Py_ssize_t byte_count) noexcept nogil
cdef bint decode_base64url(Span text, uint8_t* out) noexcept nogil               # out: decoded_size(text.size) bytes
cdef bint is_canonical_tail(Span text) noexcept nogil                            # length, unused bits of the last group
cdef void encode_base64url(Span data, uint8_t* out) noexcept nogil               # out: encoded_size(data.size) bytes

cdef bint constant_time_same(const uint8_t* one, const uint8_t* other, size_t size) noexcept nogil
