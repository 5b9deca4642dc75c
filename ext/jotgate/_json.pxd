"""One-pass strict JSON: is it valid, is any name there twice, and where do the members we care about lie.

Nothing is built: a Value says where in the document a member's value stands. Every document ends in one readable byte
that is no JSON character (the NUL behind a bytes object): the scanner stops on it instead of counting.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from jotgate._codec cimport Span
from jotgate._fault cimport Fault

cdef enum:
    MAX_DEPTH = 32                  # the document's own object is depth 1
    MAX_WANTED = 11                 # names a vocabulary can hold
    INLINE_NAMES = 32               # name slots inside a Names; more are allocated
    MAX_DOCUMENT = 0x3FFFFFFF       # offsets are 32 bits


cdef enum Kind:
    ABSENT = 0
    NULL_VALUE
    BOOLEAN
    NUMBER
    STRING
    ARRAY
    OBJECT


cdef struct Value:
    uint32_t start                  # of the value; for a string of what stands between the quotes
    uint32_t end
    uint8_t kind
    uint8_t escaped                 # 1: a string with at least one backslash


cdef struct Vocabulary:
    # Names of one to eight bytes that the scanner looks for in the outermost object, each packed into a word.
    uint64_t word[MAX_WANTED]
    int count


cdef struct Name:
    uint64_t hash                   # 0: free slot
    uint32_t start
    uint32_t end
    uint32_t object                 # serial number of the object it is a member of; the outermost is 1
    bint escaped


cdef struct Names:
    # Every member name of the document: an open-addressing set that grows by doubling.
    Name* slots
    uint32_t mask
    uint32_t count
    Name inline_slots[INLINE_NAMES]


cdef void names_init(Names* names) noexcept nogil
cdef void names_free(Names* names) noexcept nogil

# Value[i] describes the member called vocabulary.word[i]; the caller zeroes nothing. `names` must be initialised and
# is the caller's to free, whatever the outcome.
cdef Fault scan_object(Span document, const Vocabulary* vocabulary, Value* values, Names* names) noexcept nogil

cdef bint has_member(const Names* names, Span document, Span name) noexcept nogil         # of the outermost object
cdef bint string_is(Span document, Value value, Span expected) noexcept nogil             # after unescaping
cdef Py_ssize_t copy_string(Span document, Value value, uint8_t* out, Py_ssize_t room) noexcept nogil  # -1: no room
cdef bint string_text(Span document, Value value, Span* text, uint8_t** room) noexcept nogil    # free(room) afterwards
cdef bint next_string(Span document, Value array, Value* item) noexcept nogil             # walks an array of strings
cdef void add_word(Vocabulary* vocabulary, bytes name) noexcept
