"""Verified tokens and their read-only claims.

Nobody but the engine makes one, and nobody can alter one: a token may be shared between requests and threads. Claims
are parsed when somebody first asks, from bytes that the strict scanner has already passed.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.object cimport PyObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t
from libc.string cimport memcpy

from jotgate._codec cimport Span, slice_span, span
from jotgate._fault cimport AUD, EXP, IAT, ISS, JTI, SUB
from jotgate._json cimport ABSENT, ARRAY, NUMBER, STRING, Value, copy_string, next_string
from jotgate._models cimport build_model

cdef extern from "Python.h":
    ctypedef struct TypeObject "PyTypeObject":
        void* tp_new
        void* tp_vectorcall
        PyObject* tp_dict
    void PyType_Modified(TypeObject* type)
    void PyObject_GC_UnTrack(PyObject* object) noexcept


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


cdef object string_value(Span document, Value value):
    """The str of a scanned JSON string."""
    cdef Span text = slice_span(document, value.start, value.end)
    cdef bytes room
    cdef Py_ssize_t size
    if not value.escaped:
        return PyUnicode_DecodeUTF8(<const char*>text.start, text.size, NULL)
    # no value is longer than it is written
    room = PyBytes_FromStringAndSize(NULL, text.size)
    size = copy_string(document, value, <uint8_t*>PyBytes_AS_STRING(room), text.size)
    return PyUnicode_DecodeUTF8(PyBytes_AS_STRING(room), size, NULL)


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


@cython.final
@cython.no_gc
@cython.auto_pickle(False)
cdef class Header:
    """A header that led to a valid signature; shared by every token that has the same one."""

    cdef object mapping(self):
        if self._mapping is None:
            self._mapping = freeze_members(loads(self.document))
        return self._mapping


@cython.final
@cython.no_gc
@cython.freelist(128)
@cython.auto_pickle(False)
cdef class VerifiedToken:
    """A token that passed every check of a verifier's policy.

    Only a verifier makes one. It cannot be altered, subclassed, copied or pickled, so whoever is handed one knows where
    it comes from. Its ``repr`` shows neither claims nor token text.
    """

    @property
    def claims(self):
        """Read-only mapping of all claims, built on first use and then shared (RFC 7519 section 4)."""
        return self.built_claims()

    @property
    def header(self):
        """Read-only mapping of the JOSE header (RFC 7515 section 4)."""
        return self._header.mapping()

    @property
    def kid(self):
        """Key id as the token names it, or None."""
        return self._header.kid

    @property
    def alg(self):
        """Algorithm as the token names it."""
        return self._header.alg

    @property
    def issuer(self):
        """``iss``, or None."""
        return self.text_of(ISS)

    @property
    def subject(self):
        """``sub``, or None."""
        return self.text_of(SUB)

    @property
    def token_id(self):
        """``jti``, or None."""
        return self.text_of(JTI)

    @property
    def audience(self):
        """``aud`` as a tuple of str: empty when absent, one entry when it is a string."""
        cdef Span document = self.document()
        cdef Value value = self._values[<int>AUD]
        cdef Value item
        cdef list found = []
        if value.kind == STRING:
            return (string_value(document, value),)
        if value.kind == ARRAY:
            item.kind = ABSENT
            while next_string(document, value, &item):
                found.append(string_value(document, item))
        return tuple(found)

    @property
    def expires_at(self):
        """``exp`` in Unix seconds: an int, a float when it is written with a fraction or exponent, None when absent."""
        return self.number_of(EXP)

    @property
    def issued_at(self):
        """``iat`` in Unix seconds: an int, a float when it is written with a fraction or exponent, None when absent."""
        return self.number_of(IAT)

    def __getitem__(self, name):
        return self.built_claims()[name]

    def __contains__(self, name):
        return name in self.built_claims()

    def get(self, name, default=None):
        """Return the claim called ``name``, or ``default``."""
        return (<Claims>self.built_claims())._members.get(name, default)

    def to_dict(self):
        """Return the claims as a fresh ``dict``, with fresh dicts and lists inside."""
        return thawed(self.built_claims())

    def into(self, model):
        """Return the claims as an instance of ``model``.

        Args:
            model: A msgspec ``Struct``, a pydantic model, or a dataclass. The first two check by their own rules. A
                dataclass gets the claims whose names are its init fields, checked against the annotations (``str``,
                ``int``, ``float``, ``bool``, ``None``, ``Any``, unions, ``Literal``, ``list``, ``tuple``, ``set``,
                ``dict`` with ``str`` keys, and dataclasses).

        Returns:
            An instance of ``model``.

        Raises:
            MissingClaimError: ``missing_claim``: a field without default has no claim (a Struct says ``wrong_type``).
            InvalidClaimError: ``wrong_type``: the model refuses the claims. Its own message is not passed on, because
                such messages quote values; ``claim`` names the field (not for a Struct).
            TypeError: ``model`` is none of the three, or a dataclass has an annotation outside that list.
        """
        return build_model(model, self.payload, thawed(self.built_claims()))

    def __repr__(self):
        return f"<VerifiedToken alg={self._header.alg!r} kid={self._header.kid!r}>"

    def __copy__(self):
        refuse_copy(self)

    def __deepcopy__(self, memo):
        refuse_copy(self)

    def __reduce_ex__(self, protocol):
        refuse_copy(self)

    def __reduce__(self):
        refuse_copy(self)

    cdef object built_claims(self):
        if self._claims is None:
            self._claims = freeze_members(loads(self.payload))
        return self._claims

    cdef Span document(self) noexcept:
        return span(<const uint8_t*>PyBytes_AS_STRING(self.payload), len(self.payload))

    cdef object text_of(self, int claim):
        if self._values[claim].kind != STRING:
            return None
        return string_value(self.document(), self._values[claim])

    cdef object number_of(self, int claim):
        cdef Value value = self._values[claim]
        if value.kind != NUMBER:
            return None
        text = self.payload[value.start:value.end]
        return float(text) if b"." in text or b"e" in text or b"E" in text else int(text)


@cython.final
@cython.no_gc
@cython.auto_pickle(False)
cdef class VerifiedPayload:
    """A payload whose signature is valid, and nothing more: no claim of it was looked at.

    It is not a ``VerifiedToken`` and nothing that wants one accepts it.
    """

    @property
    def header(self):
        """Read-only mapping of the JOSE header (RFC 7515 section 4)."""
        return self._header.mapping()

    @property
    def kid(self):
        """Key id as the token names it, or None."""
        return self._header.kid

    @property
    def alg(self):
        """Algorithm as the token names it."""
        return self._header.alg

    def __repr__(self):
        return f"<VerifiedPayload alg={self._header.alg!r} kid={self._header.kid!r}>"

    def __copy__(self):
        refuse_copy(self)

    def __deepcopy__(self, memo):
        refuse_copy(self)

    def __reduce_ex__(self, protocol):
        refuse_copy(self)

    def __reduce__(self):
        refuse_copy(self)


cdef Header make_header(bytes segment, bytes document, object kid, str alg, KeyHandle key):
    cdef Header made = Header.__new__(Header)
    made.segment = segment
    made.document = document
    made.kid = kid
    made.alg = alg
    made.key = key
    return made


cdef VerifiedToken make_token(bytes payload, Header header, const Value* values):
    cdef VerifiedToken made = VerifiedToken.__new__(VerifiedToken)
    made.payload = payload
    made._header = header
    memcpy(made._values, values, sizeof(made._values))
    return made


cdef VerifiedPayload make_payload(bytes payload, Header header):
    cdef VerifiedPayload made = VerifiedPayload.__new__(VerifiedPayload)
    made.payload = payload
    made._header = header
    return made


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

for _made in (Claims, Header, VerifiedToken, VerifiedPayload):
    forbid_construction(_made)

from collections.abc import Mapping as _Mapping

_Mapping.register(Claims)
