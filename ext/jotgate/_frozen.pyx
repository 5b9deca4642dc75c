"""Parsed JSON that nobody can change: objects are ``Claims``, arrays tuples.

And what such values take in memory, for a cache that has to answer for them.
"""

cimport cython
from cpython.object cimport PyObject, PyTypeObject
from cpython.unicode cimport PyUnicode_GET_LENGTH

cdef extern from "Python.h":
    ctypedef struct TypeObject "PyTypeObject":
        void* tp_new
        void* tp_vectorcall
        PyObject* tp_dict
    void PyType_Modified(TypeObject* type)
    void PyObject_GC_UnTrack(PyObject* object) noexcept
    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    int PyUnicode_KIND(object text) noexcept
    Py_ssize_t Py_REFCNT(object value) noexcept
    Py_ssize_t ASCII_BYTES "sizeof(PyASCIIObject)"
    Py_ssize_t UNICODE_BYTES "sizeof(PyCompactUnicodeObject)"


from jotgate._json import check

cdef object _orjson_loads = None


cdef object loads(bytes document):
    # imported on first use: it would be a third of our import time, and a gateway that only forwards never needs it
    global _orjson_loads
    if _orjson_loads is None:
        import orjson
        _orjson_loads = orjson.loads
    return _orjson_loads(document)


cdef object frozen(object value):
    """A parsed JSON value with every object a Claims and every array a tuple."""
    if type(value) is dict:
        return freeze_members(<dict>value)
    if type(value) is list:
        return tuple([frozen(item) for item in <list>value])
    return value


cdef Claims parse(bytes document):
    """A JSON object, read by a parser that is faster than exact; the strict scanner has passed the document."""
    return freeze_members(loads(document))


def read(bytes document not None):
    """Return the members of a JSON object, read-only all the way down.

    Args:
        document: As somebody else sent it.

    Raises:
        MalformedTokenError: ``malformed``: it is not one strict JSON object.
    """
    check(document)
    return parse(document)


cdef Claims freeze_members(dict members):
    cdef Claims made = Claims.__new__(Claims)
    for name, value in members.items():
        if type(value) is dict or type(value) is list:
            members[name] = frozen(value)          # an existing key: the dict does not change size
    # Without cycles there is nothing to collect; and whom the collector does not know it cannot hand out.
    PyObject_GC_UnTrack(<PyObject*>members)
    made._members = members
    return made


cdef object thawed(object value):
    """The reverse of frozen: fresh dicts and lists all the way down."""
    if type(value) is Claims:
        return {name: thawed(item) for name, item in (<Claims>value)._members.items()}
    if type(value) is tuple:
        return [thawed(item) for item in <tuple>value]
    return value


cdef object refuse_copy(object self):
    raise TypeError(f"{type(self).__name__} can be neither copied nor pickled; use to_dict() for a copy of the claims")


@cython.final
@cython.no_gc
@cython.auto_pickle(False)
cdef class Claims:
    """A read-only mapping of claims, read-only all the way down: objects are ``Claims``, arrays tuples.

    Compares equal to any ``dict`` or ``Claims`` with the same members. Hands out neither its dict nor a view of it.
    """

    def __getitem__(self, name):
        return self._members[name]

    def __len__(self):
        return len(self._members)

    def __contains__(self, name):
        return name in self._members

    def __iter__(self):
        # over a tuple: a dict iterator can be asked for its dict
        return iter(tuple(self._members))

    def __eq__(self, other):
        # only exact types: a subclass could override the comparison and be handed our dict
        if type(other) is Claims:
            return self._members == (<Claims>other)._members
        if type(other) is dict:
            return thawed(self) == other
        return NotImplemented

    __hash__ = None

    def get(self, name, default=None):
        """Return the claim called ``name``, or ``default``."""
        return self._members.get(name, default)

    def keys(self):
        """Return the names of the claims, as a view of this mapping."""
        from collections.abc import KeysView
        return KeysView(self)

    def values(self):
        """Return the values of the claims, as a view of this mapping."""
        from collections.abc import ValuesView
        return ValuesView(self)

    def items(self):
        """Return ``(name, value)`` pairs, as a view of this mapping."""
        from collections.abc import ItemsView
        return ItemsView(self)

    def to_dict(self):
        """Return a fresh ``dict``, with fresh dicts and lists inside."""
        return thawed(self)

    def __repr__(self):
        return f"<Claims with {len(self._members)} members>"

    def __copy__(self):
        refuse_copy(self)

    def __deepcopy__(self, memo):
        refuse_copy(self)

    def __reduce_ex__(self, protocol):
        refuse_copy(self)

    def __reduce__(self):
        refuse_copy(self)


# -- what they take in memory ----------------------------------------------------------------------------------------

cdef Py_ssize_t CLAIMS_BYTES = (<PyTypeObject*>Claims).tp_basicsize
cdef Py_ssize_t DICT_BYTES = (<PyTypeObject*>dict).tp_basicsize
cdef Py_ssize_t GC_BYTES = 16                      # in front of every container


cdef Py_ssize_t allocated(Py_ssize_t size) noexcept nogil:
    """Bytes that an allocation of `size` really takes: pymalloc rounds to 16, malloc adds a word above 512."""
    if size > 512:
        size += 8
    return (size + 15) & ~<Py_ssize_t>15


cdef Py_ssize_t bytes_of(object value) noexcept:
    """Memory of a frozen JSON value, in bytes. What others share (names that the parser keeps, small ints) is free."""
    cdef Py_ssize_t held
    if type(value) is str:
        if PyUnicode_IS_COMPACT_ASCII(value):
            return allocated(ASCII_BYTES + PyUnicode_GET_LENGTH(value) + 1)
        return allocated(UNICODE_BYTES + (PyUnicode_GET_LENGTH(value) + 1) * PyUnicode_KIND(value))
    if type(value) is float:
        return allocated(24)
    if type(value) is int:
        return 0 if -5 <= value <= 256 else allocated(32)
    if type(value) is tuple:
        held = allocated(GC_BYTES + 24 + 8 * len(<tuple>value))
        for item in <tuple>value:
            held += bytes_of(item)
        return held
    if type(value) is not Claims:
        return 0
    # asked and not computed: how the parser fills a dict decides how wide its entries are, and when its table doubles
    held = allocated(CLAIMS_BYTES) + allocated(GC_BYTES + DICT_BYTES)
    held += allocated((<Claims>value)._members.__sizeof__() - DICT_BYTES)
    for name, item in (<Claims>value)._members.items():
        held += bytes_of(item)
        # The dict, this loop, and the parser's own store of names, which soon forgets one that is seldom seen: a name
        # that no other dict has is ours.
        if Py_REFCNT(name) <= 3:
            held += bytes_of(name)
    return held


# -- nobody else makes them ------------------------------------------------------------------------------------------

cdef int forbid_construction(type made) except -1:
    """Leave the engine's own C constructor as the only one: neither ``cls()`` nor ``cls.__new__(cls)`` works.

    Cython gives a class three doors: tp_new, its mirror in the dict, and a vectorcall that goes round both.
    """
    cdef TypeObject* c_type = <TypeObject*>made
    c_type.tp_new = NULL
    c_type.tp_vectorcall = NULL
    del (<dict>c_type.tp_dict)["__new__"]
    PyType_Modified(c_type)
    return 0

forbid_construction(Claims)

from collections.abc import Mapping as _Mapping

_Mapping.register(Claims)
