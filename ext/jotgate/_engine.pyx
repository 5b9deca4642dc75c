"""The pipeline. Read this file first.

    text -> three parts -> header -> key -> signature -> payload -> claims -> VerifiedToken

Each step returns a ``Fault``; the first that is not OK is the verdict, and ``conclude`` is the one place that raises.
Steps marked ``nogil`` touch no Python object. A step that breaks leaves UNDECIDED, which refuses.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_CheckExact, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_DECREF, Py_INCREF
from cpython.unicode cimport PyUnicode_CheckExact, PyUnicode_GET_LENGTH
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from jotgate._cache cimport HeaderMemo
from jotgate._claims cimport CLAIMS, CompiledPolicy
from jotgate._clock cimport wall_ns
from jotgate._codec cimport (
    Span, decode_base64url, decoded_size, encoded_size, is_canonical_tail, slice_span, span, split_compact,
)
from jotgate._fault cimport (
    ALGORITHM_NOT_ALLOWED, AMBIGUOUS_KEY, BAD_BASE64URL, BAD_CHARACTER, BAD_HEADER, BAD_SIGNATURE, CRITICAL_HEADER,
    FAULT_COUNT, ISS, MISSING_CLAIM, NO_CLAIM, OK, TOO_LARGE, TYP, UNDECIDED, UNKNOWN_KEY, WRONG_INPUT_TYPE,
    WRONG_ISSUER, WRONG_TYP, Fault,
)
from jotgate._json cimport (
    ABSENT, ARRAY, STRING, Names, Value, Vocabulary, add_word, copy_string, has_member, names_free, names_init,
    next_string, scan_object, string_is,
)
from jotgate._key cimport MAX_SIGNATURE_BYTES, KeyTable, algorithms_named
from jotgate._token cimport Header, make_header, make_payload, make_token, string_value

from jotgate.errors import BY_FAULT, PolicyError

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object text) noexcept
    void* PyUnicode_DATA(object text) noexcept
    PyObject* Py_False
    PyObject* Py_True
    int PyUnicode_CompareWithASCIIString(object text, const char* ascii) noexcept
    # Raw pointers and no exception value: conclude() sets the error and returns NULL itself.
    void PyErr_SetObject(PyObject* type, PyObject* value) noexcept

    ctypedef struct PyMethodDef:
        const char* ml_name
        void* ml_meth
        int ml_flags
        const char* ml_doc
    int METH_FASTCALL
    int METH_KEYWORDS
    object PyDescr_NewMethod(PyTypeObject* type, PyMethodDef* method)
    void PyType_Modified(PyTypeObject* type)


# -- the header ------------------------------------------------------------------------------------------------------

cdef enum Parameter:
    ALG
    CRIT
    TYP_PARAMETER
    B64
    KID
    PARAMETER_COUNT

cdef Vocabulary PARAMETERS
for _name in (b"alg", b"crit", b"typ", b"b64", b"kid"):
    add_word(&PARAMETERS, _name)

cdef enum:
    MAX_KID_BYTES = 256
    MAX_TYP_BYTES = 256             # RFC 6838 section 4.2 ends a media type at 255

cdef const uint8_t* MEDIA_PREFIX = b"application/"
cdef Py_ssize_t MEDIA_PREFIX_SIZE = 12


cdef inline uint8_t lower(uint8_t c) noexcept nogil:
    return c | 0x20 if 65 <= c <= 90 else c


cdef Span without_media_prefix(Span text) noexcept nogil:
    cdef Py_ssize_t i
    if text.size < MEDIA_PREFIX_SIZE:
        return text
    for i in range(MEDIA_PREFIX_SIZE):
        if lower(text.start[i]) != MEDIA_PREFIX[i]:
            return text
    return slice_span(text, MEDIA_PREFIX_SIZE, text.size)


cdef bint same_media_type(Span one, Span other) noexcept nogil:
    """Compare as media types: "at+jwt" is "application/at+jwt", in any ASCII case (RFC 7515 section 4.1.9)."""
    cdef Py_ssize_t i
    one = without_media_prefix(one)
    other = without_media_prefix(other)
    if one.size != other.size:
        return False
    for i in range(one.size):
        if lower(one.start[i]) != lower(other.start[i]):
            return False
    return True


@cython.final
cdef class Binding:
    """One policy over one snapshot of keys."""

    def __cinit__(self, CompiledPolicy policy not None, KeyTable keys not None):
        self.policy = policy
        self.keys = keys
        self.memo = HeaderMemo()

    cdef Header read_header(self, Work* work, Fault* fault):
        """Decode the header, check it, and find its key by (kid, alg)."""
        cdef Span segment = work.parts.header
        cdef Py_ssize_t size = decoded_size(segment.size)
        cdef Value values[PARAMETER_COUNT]
        cdef Names names
        cdef bytes decoded
        cdef Span document
        cdef Header header
        fault[0] = UNDECIDED
        if size < 0:
            fault[0] = BAD_BASE64URL
            return None
        decoded = PyBytes_FromStringAndSize(NULL, size)
        document = span(<const uint8_t*>PyBytes_AS_STRING(decoded), size)
        if not decode_base64url(segment, <uint8_t*>PyBytes_AS_STRING(decoded)):
            fault[0] = BAD_BASE64URL
            return None
        names_init(&names)
        fault[0] = scan_object(document, &PARAMETERS, values, &names)
        if fault[0] == OK:
            fault[0] = self.check_header(document, values, &names, &work.claim)
        names_free(&names)
        if fault[0] != OK:
            return None
        fault[0] = UNDECIDED
        kid = string_value(document, values[<int>KID]) if values[<int>KID].kind != ABSENT else None
        handle = self.keys.find(kid, algorithms_named(document, values[<int>ALG]) & self.policy.algorithms)
        if handle is None:
            fault[0] = AMBIGUOUS_KEY if kid is None else UNKNOWN_KEY
            return None
        header = make_header(
            PyBytes_FromStringAndSize(<const char*>segment.start, segment.size), decoded, kid,
            string_value(document, values[<int>ALG]), handle,
        )
        fault[0] = OK
        return header

    cdef Fault check_header(self, Span document, const Value* values, const Names* names, int* claim) noexcept nogil:
        """alg before anything else, then crit, typ, b64, kid. jwk, jku, x5u and x5c choose nothing and are not read."""
        cdef Fault fault
        cdef uint8_t kid[MAX_KID_BYTES]
        if not algorithms_named(document, values[<int>ALG]) & self.policy.algorithms:
            return ALGORITHM_NOT_ALLOWED
        if values[<int>CRIT].kind != ABSENT:
            fault = self.check_crit(document, values[<int>CRIT], names)
            if fault != OK:
                return fault
        fault = self.check_typ(document, values[<int>TYP_PARAMETER], claim)
        if fault != OK:
            return fault
        if values[<int>B64].kind != ABSENT:         # RFC 7797 section 7: a JWT must not use it
            return BAD_HEADER
        if values[<int>KID].kind != ABSENT:
            if values[<int>KID].kind != STRING:
                return BAD_HEADER
            if copy_string(document, values[<int>KID], kid, MAX_KID_BYTES) < 1:
                return BAD_HEADER
        return OK

    cdef Fault check_crit(self, Span document, Value crit, const Names* names) noexcept nogil:
        """Every name known to the policy, present, and there once; at least one (RFC 7515 section 4.1.11)."""
        cdef Value item
        cdef uint64_t seen = 0
        cdef Py_ssize_t i
        cdef bint known
        if crit.kind != ARRAY:
            return CRITICAL_HEADER
        memset(&item, 0, sizeof(item))
        while next_string(document, crit, &item):
            known = False
            if item.kind == STRING:
                for i in range(self.policy.crit.count):
                    if string_is(document, item, self.policy.crit.items[i]) and not seen >> i & 1:
                        seen |= <uint64_t>1 << i
                        known = has_member(names, document, self.policy.crit.items[i])
                        break
            if not known:
                return CRITICAL_HEADER
        return OK if seen else CRITICAL_HEADER

    cdef Fault check_typ(self, Span document, Value typ, int* claim) noexcept nogil:
        cdef uint8_t written[MAX_TYP_BYTES]
        cdef Py_ssize_t size
        cdef Py_ssize_t i
        if typ.kind == ABSENT:
            if self.policy.typ.count:
                claim[0] = TYP
                return MISSING_CLAIM
            return OK
        if typ.kind != STRING:
            return BAD_HEADER
        if not self.policy.typ.count:
            return OK
        size = copy_string(document, typ, written, MAX_TYP_BYTES)
        for i in range(self.policy.typ.count):
            if size >= 0 and same_media_type(span(written, size), self.policy.typ.items[i]):
                return OK
        claim[0] = TYP
        return WRONG_TYP


# -- the signature and the payload -----------------------------------------------------------------------------------

cdef Fault check_signature(Header header, Work* work) noexcept:
    """Exact length first, then the key's own verdict over the bytes as written (RFC 7515 section 5.2)."""
    cdef uint8_t raw[MAX_SIGNATURE_BYTES]
    cdef Span text = work.parts.signature
    cdef Span signing_input = work.parts.signing_input
    if text.size != encoded_size(header.key.signature_bytes):
        return BAD_SIGNATURE if is_canonical_tail(text) else BAD_BASE64URL
    if not decode_base64url(text, raw):
        return BAD_BASE64URL
    # the one copy of the token's text: the primitives take bytes
    return header.key.check(
        span(raw, header.key.signature_bytes),
        PyBytes_FromStringAndSize(<const char*>signing_input.start, signing_input.size),
    )


cdef inline Span document_of(bytes payload) noexcept:
    return span(<const uint8_t*>PyBytes_AS_STRING(payload), PyBytes_GET_SIZE(payload))


cdef Fault read_text(object text, Py_ssize_t max_bytes, Span* whole) noexcept:
    """The bytes of the token, in place."""
    whole[0] = span(NULL, 0)
    if PyUnicode_CheckExact(text):
        whole[0] = span(<const uint8_t*>PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text))
        if not PyUnicode_IS_COMPACT_ASCII(text):
            return BAD_CHARACTER
        return OK if whole.size <= max_bytes else TOO_LARGE
    if PyBytes_CheckExact(text):
        whole[0] = document_of(text)
        return OK if whole.size <= max_bytes else TOO_LARGE
    return WRONG_INPUT_TYPE


cdef inline void hand_over(PyObject** place, object value) noexcept:
    Py_INCREF(value)
    place[0] = <PyObject*>value


cdef Fault start(object text, Py_ssize_t max_bytes, bint allow_padding, Work* work) noexcept:
    """Text to parts: what needs neither keys nor policy."""
    cdef Span whole
    cdef Fault fault = read_text(text, max_bytes, &whole)
    work.claim = NO_CLAIM
    work.size = whole.size
    if fault != OK:
        return fault
    return split_compact(whole, allow_padding, &work.parts)


cdef Fault scan_payload(Work* work, PyObject** payload) noexcept:
    """Decode the payload and find the registered claims in it; the decoded bytes are the caller's to release."""
    cdef Span segment = work.parts.payload
    cdef Py_ssize_t size = decoded_size(segment.size)
    cdef bytes decoded
    if size < 0:
        return BAD_BASE64URL
    decoded = PyBytes_FromStringAndSize(NULL, size)
    if not decode_base64url(segment, <uint8_t*>PyBytes_AS_STRING(decoded)):
        return BAD_BASE64URL
    hand_over(payload, decoded)
    return scan_object(document_of(decoded), &CLAIMS, work.values, &work.names)


cdef Fault verify_token(Binding binding, Work* work, bytes payload, Fault payload_fault, Outcome* outcome) noexcept:
    """Everything after the split, for one issuer. `payload` is None unless the issuer was looked up in it."""
    cdef PyObject* scanned = NULL
    cdef Fault fault = UNDECIDED
    cdef Header header = binding.memo.find(work.parts.header)
    cdef bint known = header is not None
    if known:
        fault = OK                              # these very bytes led to a valid signature under this key before
    else:
        header = binding.read_header(work, &fault)
    if fault == OK:
        fault = check_signature(header, work)
    if fault == OK:
        if not known:
            binding.memo.add(header)
        if payload is None:
            payload_fault = scan_payload(work, &scanned)
            if scanned != NULL:
                payload = <bytes>scanned
                Py_DECREF(payload)              # `payload` holds it now
        fault = payload_fault
    if fault == OK:
        fault = binding.policy.check(document_of(payload), work.values, &work.names, wall_ns(), &work.claim)
    if fault == OK:
        hand_over(&outcome.token, make_token(payload, header, work.values))
    elif work.claim != NO_CLAIM:
        hand_over(&outcome.claim, binding.policy.claim_name(work.claim))
    return fault


cdef class Engine:
    """The native base of ``Verifier``: holds its bindings and verifies."""

    def _bind(self, Binding binding not None):
        """Serve one policy from now on."""
        self._max_token_bytes = binding.policy.max_token_bytes
        self._allow_padding = binding.policy.allow_padding
        self._bindings = None
        self._binding = binding

    def _bind_issuers(self, dict bindings not None):
        """Serve several issuers from now on: a mapping from issuer, as UTF-8 ``bytes``, to ``Binding``."""
        cdef Binding binding
        cdef Py_ssize_t max_token_bytes = 0
        cdef bint allow_padding = False
        bindings = dict(bindings)                     # ours: what the caller does to theirs changes nothing here
        for item in bindings.values():
            binding = <Binding?>item
            if binding is None:
                raise TypeError("each issuer needs a Binding")
            max_token_bytes = max(max_token_bytes, binding.policy.max_token_bytes)
            allow_padding |= binding.policy.allow_padding
        self._max_token_bytes = max_token_bytes
        self._allow_padding = allow_padding
        self._binding = None
        self._bindings = bindings

    def _verdicts_by_code(self):
        """Return how often each verdict was given: ``accepted``, and the codes of the refusals."""
        counts = {"accepted": self._verdicts[<int>OK]}
        for fault, (_, code, _) in BY_FAULT.items():
            counts[code] = counts.get(code, 0) + self._verdicts[<int>fault]
        return counts

    cdef Fault decide(self, object text, Outcome* outcome) noexcept:
        """The verdict on one token."""
        cdef Work work
        cdef Binding binding = self._binding
        cdef Fault fault
        if binding is None and self._bindings is None:    # a subclass that skipped __init__
            return UNDECIDED
        fault = start(text, self._max_token_bytes, self._allow_padding, &work)
        if fault == OK:
            names_init(&work.names)
            if binding is not None:
                fault = verify_token(binding, &work, None, UNDECIDED, outcome)
            else:
                fault = self.decide_by_issuer(&work, outcome)
            names_free(&work.names)
        return fault

    cdef Fault decide_by_issuer(self, Work* work, Outcome* outcome) noexcept:
        """Of the payload only `iss` is used before the signature: to choose, by exact match, whose keys and policy."""
        cdef PyObject* scanned = NULL
        cdef Fault payload_fault = scan_payload(work, &scanned)
        cdef bytes payload
        cdef Binding binding
        if scanned == NULL:
            return payload_fault
        payload = <bytes>scanned
        Py_DECREF(payload)                          # `payload` holds it now
        if work.values[<int>ISS].kind != STRING:
            if payload_fault != OK:
                return payload_fault
            binding = None
        else:
            issuer = string_value(document_of(payload), work.values[<int>ISS])
            binding = self._bindings.get((<str>issuer).encode("utf-8"))
        if binding is None:
            hand_over(&outcome.claim, "iss")
            return WRONG_ISSUER
        if work.size > binding.policy.max_token_bytes:
            return TOO_LARGE
        if work.parts.padded and not binding.policy.allow_padding:
            return BAD_CHARACTER
        return verify_token(binding, work, payload, payload_fault, outcome)


# -- the door --------------------------------------------------------------------------------------------------------

# By fault: the class to raise, and its args for a refusal that is about no claim. Exceptions are made anew for each
# raise; their args are tuples of constants and can be shared. _ARGS keeps them alive, errors.BY_FAULT the classes.
cdef PyObject* ERROR_CLASS[FAULT_COUNT]
cdef PyObject* ERROR_ARGS[FAULT_COUNT]
_ARGS = []
for _fault in range(FAULT_COUNT):
    _error, _code, _message = BY_FAULT.get(_fault, BY_FAULT[<int>UNDECIDED])
    _ARGS.append((_message, _code, None))
    ERROR_CLASS[<int>_fault] = <PyObject*>_error
    ERROR_ARGS[<int>_fault] = <PyObject*>_ARGS[_fault]


cdef PyObject* conclude(Fault fault, Outcome* outcome) noexcept:
    """The one place that raises: the token for OK, else an error set and NULL, as a C method returns."""
    if fault == OK:
        if outcome.token != NULL:
            return outcome.token
        fault = UNDECIDED
    if outcome.claim == NULL:
        PyErr_SetObject(ERROR_CLASS[<int>fault], ERROR_ARGS[<int>fault])
    else:
        set_claim_error(fault, <object>outcome.claim)
        Py_DECREF(<object>outcome.claim)
    return NULL


cdef void set_claim_error(Fault fault, object claim) noexcept:
    message, code, _ = <tuple>ERROR_ARGS[<int>fault]
    args = (message, code, claim)
    PyErr_SetObject(ERROR_CLASS[<int>fault], <PyObject*>args)


# verify() is a method definition of our own, not a Cython `def`, which would add a traceback entry of its own to every
# refusal and so double what a refusal costs (bench/: refusals).
cdef PyObject* verify_method(PyObject* self, PyObject** args, Py_ssize_t count, PyObject* keywords) noexcept:
    cdef Engine engine = <Engine>self
    cdef Outcome outcome
    cdef Fault fault
    cdef PyObject* text
    if keywords == NULL and count == 1:
        text = args[0]
    else:
        text = text_argument(args, count, <tuple>keywords if keywords != NULL else ())
        if text == NULL:
            return NULL
    outcome.token = outcome.claim = NULL
    fault = engine.decide(<object>text, &outcome)
    engine._verdicts[<int>fault] += 1
    return conclude(fault, &outcome)


cdef PyObject* text_argument(PyObject** args, Py_ssize_t count, tuple keywords) noexcept:
    """The `text` of verify(text, *, fresh=False), borrowed; NULL with an error set when the call is wrong."""
    cdef PyObject* text = args[0] if count == 1 else NULL
    cdef PyObject* fresh = Py_False
    cdef Py_ssize_t i
    cdef bint wrong = count > 1
    for i in range(len(keywords)):
        # in C, because a str subclass may bring an `==` of its own
        if PyUnicode_CompareWithASCIIString(keywords[i], b"text") == 0 and text == NULL:
            text = args[count + i]
        elif PyUnicode_CompareWithASCIIString(keywords[i], b"fresh") == 0:
            fresh = args[count + i]
        else:
            wrong = True
    if wrong or text == NULL or (fresh != Py_False and fresh != Py_True):
        PyErr_SetObject(<PyObject*>TypeError, <PyObject*>"verify() takes one token, and fresh=True or fresh=False")
        return NULL
    if fresh == Py_True:
        PyErr_SetObject(<PyObject*>PolicyError, <PyObject*>"fresh=True needs a verifier with revocations")
        return NULL
    return text


cdef PyMethodDef VERIFY
VERIFY.ml_name = "verify"
VERIFY.ml_meth = <void*>verify_method
VERIFY.ml_flags = METH_FASTCALL | METH_KEYWORDS
VERIFY.ml_doc = b"""verify($self, text, *, fresh=False)
--

Check everything the policy asks for and return the token.

Args:
    text: The token in compact form, ``str`` or ``bytes``, without "Bearer ".
    fresh: Do not rely on revocation state that was read earlier. A verifier without revocations has none to read
        again, so True is a PolicyError.

Returns:
    VerifiedToken: the only way to get one.

Raises:
    TokenError: the token is refused; ``code`` says why. A signature failure hides every later reason.
    UndecidedError: nothing could be decided; try again.
    PolicyError: ``invalid_policy``: ``fresh=True`` without revocations.

Cost: One copy of the signing input and one of the payload; no claims object is built. The GIL is held but for what
    the signature primitive releases.

Spec: RFC 7515 section 5.2, RFC 7519 section 7.2, RFC 8725 section 3.
"""
(<dict>(<PyTypeObject*>Engine).tp_dict)["verify"] = PyDescr_NewMethod(<PyTypeObject*>Engine, &VERIFY)
PyType_Modified(<PyTypeObject*>Engine)


def verify_payload(text, Binding binding not None):
    """Check the signature alone and return a ``VerifiedPayload``; the policy's header rules and limits apply.

    Raises:
        TokenError: as ``Verifier.verify``, but nothing about claims.
    """
    cdef Work work
    cdef Outcome outcome
    cdef Fault fault
    cdef Header header
    cdef Py_ssize_t size
    outcome.token = outcome.claim = NULL
    fault = start(text, binding.policy.max_token_bytes, binding.policy.allow_padding, &work)
    if fault == OK:
        header = binding.read_header(&work, &fault)
    if fault == OK:
        fault = check_signature(header, &work)
    if fault == OK:
        size = decoded_size(work.parts.payload.size)
        fault = BAD_BASE64URL
        if size >= 0:
            payload = PyBytes_FromStringAndSize(NULL, size)
            if decode_base64url(work.parts.payload, <uint8_t*>PyBytes_AS_STRING(payload)):
                return make_payload(payload, header)
    error, code, message = BY_FAULT[<int>fault]
    raise error(message, code, binding.policy.claim_name(work.claim))
