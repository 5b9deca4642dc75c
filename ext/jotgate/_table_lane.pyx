"""The lane of an ES256 key: the library's own verification, and a table as soon as the key is busy and has one.

The table only ever saves time. What it refuses is refused by the library's own verification too, before anybody hears
of it; of what it accepts, one in a thousand is looked at twice. Where the two disagree, the library's verdict stands
and no table serves in this process any more.
"""

cimport cython
from cpython.exc cimport PyErr_SetInterrupt
from cpython.object cimport PyObject
from libc.stdint cimport uint8_t, uint64_t

from jotgate._clock cimport monotonic_ns
from jotgate._codec cimport Span, keyed_hash
from jotgate._ecdsa cimport PointTable
from jotgate._fault cimport OK, UNDECIDED, Fault
from jotgate._key cimport SignatureLane
from jotgate._lanes cimport PublicKeyLane
from jotgate._sync cimport is_set, peek, publish, published, set_flag, take

cdef enum:
    # A table takes the library 30 ms of one core to build and to test, and saves 31 us a check, 44 in a batch.
    BUSY_AFTER = 1024
    SAMPLE_BITS = 10                # of what a table accepts, one in 2 to this power is looked at twice

# Of the whole process. Once set, `OFF` stays.
cdef int OFF = 0
cdef int64_t DISAGREEMENTS = 0


def turn_off():
    """Let no table serve in this process from now on."""
    set_flag(&OFF)


def disagreements():
    """Return how often a table and the library's own verification gave different verdicts."""
    return peek(&DISAGREEMENTS)


cdef enum Event:
    KEY_IS_BUSY
    VERDICTS_DIFFER


cdef void tell(PyObject* lane, Event event) noexcept with gil:
    """Tell the keeper. Comes once in a thousand checks of a key without a table, or once and never again.

    Not to be called inside libcrypto: a thread that forks has the GIL and waits for those inside.
    """
    try:
        if event == KEY_IS_BUSY:
            (<TableLane>lane)._keeper.busy(<TableLane>lane)
        else:
            (<TableLane>lane)._keeper.disagreed(<TableLane>lane)
    except KeyboardInterrupt:                       # nothing may be raised here: let it come again, right after
        PyErr_SetInterrupt()


cdef inline bint is_sampled(Span signature) noexcept nogil:
    """Whether to look twice. Nobody outside can tell: the hash is under this process's secret, and time is in it."""
    return keyed_hash(signature, <uint64_t>monotonic_ns()) >> (64 - SAMPLE_BITS) == 0


@cython.final
cdef class TableLane(SignatureLane):
    """An ES256 key.

    Args:
        plain: The key in the library.
        material: The same key as SubjectPublicKeyInfo, DER: what a table is built from.
        keeper: Has two methods that take this lane: ``busy`` is called after every 1024 signatures that were accepted
            without a table, ``disagreed`` after a disagreement.
    """

    def __cinit__(self, PublicKeyLane plain not None, bytes material not None, keeper):
        self.algorithm = plain.algorithm
        self.signature_bytes = plain.signature_bytes
        self.plain = plain
        self.material = material
        self._keeper = keeper

    def adopt(self, PointTable table not None):
        """Check with this table from now on. It must be the key's own, and tested."""
        if self.table is not None:
            raise ValueError("this key has a table")
        self.table = table                          # for the life of the lane, whose checks hold no reference
        publish(&self._serving, <void*>table)

    cdef bint takes_inverse(self) noexcept nogil:
        return published(&self._serving) is not NULL and not is_set(&OFF)

    cdef Fault check(self, Span signature, Span data, const uint8_t* inverse) noexcept nogil:
        cdef void* table = published(&self._serving)
        cdef Fault fault
        if table is NULL or is_set(&OFF):
            fault = self.plain.check(signature, data, NULL)
            # What is refused makes no key busy: a table would not save anything there.
            if fault == OK and table is NULL and take(&self._accepted, 1) % BUSY_AFTER == BUSY_AFTER - 1:
                tell(<PyObject*>self, KEY_IS_BUSY)
            return fault
        fault = (<PointTable>table).check(signature, data, inverse)
        if fault == OK and not is_sampled(signature):
            return OK
        return self.confirm(fault, signature, data)

    cdef Fault confirm(self, Fault fault, Span signature, Span data) noexcept nogil:
        """The library's own verdict, whatever the table's was."""
        cdef Fault own = self.plain.check(signature, data, NULL)
        if fault != own and fault != UNDECIDED and own != UNDECIDED:
            take(&DISAGREEMENTS, 1)
            set_flag(&OFF)
            tell(<PyObject*>self, VERDICTS_DIFFER)
        return own
