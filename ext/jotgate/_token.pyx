"""Verified tokens: what a verification returns.

Nobody but the engine makes one, and nobody can alter one: a token may be shared between requests and threads. Claims
are parsed when somebody first asks, from bytes that the strict scanner has already passed.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyTypeObject
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from jotgate._codec cimport Span, slice_span, span_of
from jotgate._fault cimport AUD, EXP, IAT, ISS, JTI, SUB
from jotgate._frozen cimport Claims, allocated, bytes_of, forbid_construction, parse, refuse_copy, thawed
from jotgate._json cimport ABSENT, ARRAY, NUMBER, STRING, Value, copy_string, next_string
from jotgate._key cimport KeyHandle, Snapshot, TrustCell
from jotgate._models cimport build_model

cdef Py_ssize_t BYTES_OVERHEAD = (<PyTypeObject*>bytes).tp_basicsize


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


@cython.final
@cython.no_gc
@cython.auto_pickle(False)
cdef class Header:
    """A header that led to a valid signature; shared by every token that has the same one."""

    cdef object mapping(self):
        if self._mapping is None:
            self._mapping = parse(self.document)
        return self._mapping

    cdef Py_ssize_t bytes_held(self) noexcept:
        """Memory of a header and of the texts only it has, in bytes; the mapping counted as if it were built."""
        return (
            allocated((<PyTypeObject*>Header).tp_basicsize) + allocated(BYTES_OVERHEAD + PyBytes_GET_SIZE(self.segment))
            + 5 * allocated(BYTES_OVERHEAD + PyBytes_GET_SIZE(self.document))
        )


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
        cdef Py_ssize_t grown
        if self._claims is None:
            claims = parse(self.payload)
            if self._claims is None:               # another thread may have been faster, and one of the two counts
                self._claims = claims
                grown = bytes_of(claims)           # first: whoever holds the token may let it go meanwhile
                if self._holder != NULL:
                    self._holder.grew(self._holder, grown)
        return self._claims

    cdef Py_ssize_t bytes_held(self) noexcept:
        """Memory of the token, its payload and its claims, as far as it has any; in bytes."""
        cdef Py_ssize_t held = allocated((<PyTypeObject*>VerifiedToken).tp_basicsize)
        held += allocated(BYTES_OVERHEAD + PyBytes_GET_SIZE(self.payload))
        return held + (bytes_of(self._claims) if self._claims is not None else 0)

    cdef Span document(self) noexcept:
        return span_of(self.payload)

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


cdef Header make_header(bytes segment, bytes document, object kid, str alg, uint32_t algorithms, KeyHandle key,
                        TrustCell cell, Snapshot snapshot):
    cdef Header made = Header.__new__(Header)
    made.segment = segment
    made.document = document
    made.kid = kid
    made.alg = alg
    made.algorithms = algorithms
    made.key = key
    made.cell = cell
    made.snapshot = snapshot
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


for _made in (Header, VerifiedToken, VerifiedPayload):
    forbid_construction(_made)
