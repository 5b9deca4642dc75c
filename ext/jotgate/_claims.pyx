"""Claims against policy: time, issuer, audience, subject, authorized party, and what must be there.

The order of the checks is part of the interface: the first that fails names the refusal.
"""

from libc.stdint cimport int64_t, uint8_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from jotgate._codec cimport Span, slice_span, span_of
from jotgate._fault cimport (
    AUD, AZP, CLAIM_COUNT, EPOCH, EPOCH_AHEAD, EXP, EXPIRED, IAT, IMPOSSIBLE_DATE, ISS, ISSUED_IN_FUTURE, JTI,
    LIFETIME_TOO_LONG, MISSING_CLAIM, NBF, NO_CLAIM, NOT_YET_VALID, OK, REQUIRED, REVOKED, SID, SUB, TOO_OLD,
    WRONG_AUDIENCE, WRONG_AUTHORIZED_PARTY, WRONG_ISSUER, WRONG_SUBJECT, WRONG_TYPE, Fault,
)
from jotgate._json cimport (
    ABSENT, ARRAY, NUMBER, STRING, Names, Value, add_word, has_member, names_free, names_init, next_string, scan_object,
    string_is,
)

from jotgate._fault import CLAIM_NAMES
from jotgate.errors import BY_FAULT

cdef int64_t NANOSECONDS = 1_000_000_000
cdef int64_t LAST_NS = 0x7FFFFFFFFFFFFFFF      # in the year 2262
cdef int64_t LAST_NS_SECOND = 9_000_000_000     # from 2255 on a date is "never": a shift still fits
cdef int64_t MOST_EPOCHS = 1_000_000_000_000_000
cdef int64_t LAST_SECOND = 253_402_300_799      # 9999-12-31T23:59:59Z; RFC 7519 leaves the range open

for _claim_name in CLAIM_NAMES[:CLAIM_COUNT]:
    add_word(&CLAIMS, (_claim_name or "").encode())
# NO_CLAIM takes the place of index 0 and must match no member: not even one with an empty name
CLAIMS.word[<int>NO_CLAIM] = ~CLAIMS.word[<int>NO_CLAIM]


cdef Fault read_numeric_date(Span number, NumericDate* date) noexcept nogil:
    """Read a valid JSON number as a NumericDate in [0, 253402300799], exactly (RFC 7519 section 2)."""
    cdef int64_t seconds = 0
    cdef Py_ssize_t i
    if number.size == 10:           # every date from 2001 to 2286 written as issuers write it: 80 ns of 800 saved
        for i in range(10):
            if <uint8_t>(number.start[i] - 48) > 9:
                return read_any_number(number, date)
            seconds = seconds * 10 + (number.start[i] - 48)
        date.seconds = seconds
        date.ns = 0
        date.more = False
        return OK
    return read_any_number(number, date)


cdef Fault read_any_number(Span number, NumericDate* date) noexcept nogil:
    """Any spelling: sign, fraction, exponent."""
    cdef const uint8_t* at = number.start
    cdef const uint8_t* end = at + number.size
    cdef const uint8_t* mantissa
    cdef const uint8_t* mantissa_end
    cdef bint negative = at[0] == 45
    cdef bint exponent_negative
    cdef int64_t place = 0          # decimal place of the next digit: 0 is units, -1 tenths
    cdef int64_t exponent = 0
    cdef int64_t seconds = 0
    cdef int64_t fraction = 0       # nanoseconds
    cdef bint more = False
    cdef bint seen_point = False
    cdef int digit
    if negative:
        at += 1
    mantissa = at
    while at < end and (at[0] | 0x20) != 101:
        if at[0] == 46:
            seen_point = True
        elif not seen_point:
            place += 1
        at += 1
    mantissa_end = at
    if at < end:
        at += 1
        exponent_negative = at[0] == 45
        if at[0] == 45 or at[0] == 43:
            at += 1
        while at < end and exponent < 0x3FFFFFFF:
            exponent = exponent * 10 + (at[0] - 48)
            at += 1
        place += -exponent if exponent_negative else exponent
    place -= 1
    at = mantissa
    while at < mantissa_end:
        if at[0] == 46:
            at += 1
            continue
        digit = at[0] - 48
        if place >= 0:
            seconds = seconds * 10 + digit
            if seconds > LAST_SECOND:
                return IMPOSSIBLE_DATE
        elif place >= -9:
            fraction = fraction * 10 + digit
        elif digit:
            more = True
        place -= 1
        at += 1
    while place >= 0 and seconds:                  # an exponent beyond the last digit
        seconds *= 10
        if seconds > LAST_SECOND:
            return IMPOSSIBLE_DATE
        place -= 1
    if fraction:
        while place >= -9:
            fraction *= 10
            place -= 1
    if negative and (seconds or fraction or more):
        return IMPOSSIBLE_DATE
    if seconds == LAST_SECOND and (fraction or more):
        return IMPOSSIBLE_DATE
    date.seconds = seconds
    date.ns = fraction
    date.more = more
    return OK


cdef bint has_come(const NumericDate* date, int64_t now_ns) noexcept nogil:
    """Whether now >= date, exactly. `now_ns` may be shifted by leeway and so lie before 1970."""
    cdef int64_t seconds = now_ns // NANOSECONDS
    cdef int64_t ns = now_ns % NANOSECONDS
    if ns < 0:                                     # cdivision rounds towards zero
        seconds -= 1
        ns += NANOSECONDS
    if seconds != date.seconds:
        return seconds > date.seconds
    return ns >= date.ns + date.more


cdef bint has_passed(const NumericDate* date, int64_t now_ns) noexcept nogil:
    """Whether now > date, exactly."""
    cdef NumericDate next_ns = date[0]
    next_ns.more = True                            # now is whole nanoseconds: past the date is past its nanosecond
    return has_come(&next_ns, now_ns)


cdef int64_t in_ns(const NumericDate* date, int64_t shift_ns) noexcept nogil:
    """The first whole Unix nanosecond at or after the date, shifted; held inside what 64 bits can say."""
    if date.seconds >= LAST_NS_SECOND:
        return LAST_NS
    return date.seconds * NANOSECONDS + date.ns + date.more + shift_ns


cdef bint longer_than(const NumericDate* start, const NumericDate* end, int64_t seconds, int64_t ns) noexcept nogil:
    """Whether end - start > seconds.ns; where both have digits below the nanosecond, a tie counts as longer."""
    cdef int64_t whole = end.seconds - start.seconds - seconds
    cdef int64_t rest = end.ns - start.ns - ns     # -2e9 to 1e9
    if whole > 2 or whole < -2:
        return whole > 0
    return whole * NANOSECONDS + rest + end.more > 0


cdef inline Fault date_claim(Span document, const Value* value, NumericDate* date) noexcept nogil:
    if value.kind != NUMBER:
        return WRONG_TYPE
    return read_numeric_date(slice_span(document, value.start, value.end), date)


cdef bint is_one_of(Span document, Value value, const Strings* expected) noexcept nogil:
    cdef Py_ssize_t i
    if expected.anything:
        return True
    for i in range(expected.count):
        if string_is(document, value, expected.items[i]):
            return True
    return False


cdef inline bint configured(const Strings* expected) noexcept nogil:
    return expected.anything or expected.count > 0


cdef Fault check_audience(Span document, const Value* value, const Strings* expected) noexcept nogil:
    """A string, or an array of strings with at least one of ours (RFC 7519 section 4.1.3)."""
    cdef Value item
    cdef bint found = False
    if value.kind == STRING:
        return OK if is_one_of(document, value[0], expected) else WRONG_AUDIENCE
    if value.kind != ARRAY:
        return WRONG_TYPE
    memset(&item, 0, sizeof(item))
    while next_string(document, value[0], &item):
        if item.kind != STRING:
            return WRONG_TYPE
        found = found or is_one_of(document, item, expected)
    return OK if found or expected.anything else WRONG_AUDIENCE


cdef Fault check_epoch(Span document, Value value, int64_t epoch, int* claim) noexcept nogil:
    """Hold a token to the epoch of its issuer. No `epoch` claim is epoch 0.

    Later than the issuer's own is refused as well: who stole a key could else write a number that outlives every later
    epoch.
    """
    cdef Span written
    cdef Py_ssize_t i
    cdef int64_t number = 0
    if value.kind == ABSENT:
        return OK if epoch == 0 else REVOKED
    claim[0] = EPOCH
    if value.kind != NUMBER:
        return WRONG_TYPE
    written = slice_span(document, value.start, value.end)
    for i in range(written.size):
        if <uint8_t>(written.start[i] - 48) > 9:    # a sign, a fraction or an exponent
            return WRONG_TYPE
        number = min(number * 10 + (written.start[i] - 48), MOST_EPOCHS + 1)
    if number > epoch:
        return EPOCH_AHEAD
    claim[0] = NO_CLAIM
    return OK if number == epoch else REVOKED


cdef class CompiledPolicy:
    """A policy as the native steps read it. Made by ``Policy``; immutable.

    Expected values are tuples of ``str``, ``None`` for ANY, ``()`` for "not configured"; times are nanoseconds.
    """

    def __cinit__(self, *, unsigned int algorithms, Py_ssize_t max_token_bytes, bint allow_padding, typ, crit, issuer,
                  audience, subject, authorized_party, require, int64_t leeway_ns, int64_t max_age_ns,
                  int64_t max_lifetime_s, int64_t max_lifetime_ns):
        if len(crit) > MAX_CRIT:
            raise ValueError("crit has too many names")
        self._kept = []
        self.algorithms = algorithms
        self.max_token_bytes = max_token_bytes
        self.allow_padding = allow_padding
        self.leeway_ns = leeway_ns
        self.max_age_ns = max_age_ns
        self.max_lifetime_s = max_lifetime_s
        self.max_lifetime_ns = max_lifetime_ns
        self.hold(&self.typ, typ)
        self.hold(&self.crit, crit)
        self.hold(&self.issuer, issuer)
        self.hold(&self.audience, audience)
        self.hold(&self.subject, subject)
        self.hold(&self.authorized_party, authorized_party)
        self.required_names = tuple(name for name in require if name not in CLAIM_NAMES[:CLAIM_COUNT])
        self.hold(&self.required, self.required_names)
        for name in require:
            if name in CLAIM_NAMES[:CLAIM_COUNT]:
                self.must_have[<int>CLAIM_NAMES.index(name)] = True
        # an expectation makes its claim mandatory, and so does a limit on what is computed from it
        self.must_have[<int>ISS] |= self.issuer.count > 0
        self.must_have[<int>AUD] |= self.audience.count > 0
        self.must_have[<int>SUB] |= self.subject.count > 0
        self.must_have[<int>AZP] |= self.authorized_party.count > 0
        self.must_have[<int>IAT] |= max_age_ns >= 0 or max_lifetime_s >= 0
        self.must_have[<int>EXP] |= max_lifetime_s >= 0

    cdef int hold(self, Strings* strings, values) except -1:
        cdef bytes kept
        cdef Py_ssize_t i
        strings.anything = values is None
        values = tuple(values or ())
        if not values:
            return 0
        strings.items = <Span*>calloc(len(values), sizeof(Span))
        if strings.items == NULL:
            raise MemoryError
        for i, value in enumerate(values):
            kept = (<str>value).encode("utf-8")
            self._kept.append(kept)
            strings.items[i] = span_of(kept)
            strings.count = i + 1
        return 0

    def __dealloc__(self):
        free(self.typ.items)
        free(self.crit.items)
        free(self.issuer.items)
        free(self.audience.items)
        free(self.subject.items)
        free(self.authorized_party.items)
        free(self.required.items)

    cdef object claim_name(self, int claim):
        """The name of a Claim; of an extra name of `require` for REQUIRED and above."""
        if claim >= REQUIRED:
            return self.required_names[claim - <int>REQUIRED]
        return CLAIM_NAMES[claim]

    cdef Fault check(self, Span document, const Value* values, const Names* names, int64_t now_ns, int64_t ahead_ns,
                     int* claim) noexcept nogil:
        """Decide on the claims of a scanned payload; on a refusal `claim` says which one it is about.

        An `iat` may be ahead of `now_ns` by the leeway, or by `ahead_ns` where that is more.
        """
        cdef NumericDate exp, nbf, iat
        cdef Fault fault
        cdef Py_ssize_t i

        claim[0] = EXP
        if values[<int>EXP].kind != ABSENT:
            fault = date_claim(document, &values[<int>EXP], &exp)
            if fault != OK:
                return fault
            if has_come(&exp, now_ns - self.leeway_ns):
                return EXPIRED
        elif self.must_have[<int>EXP]:
            return MISSING_CLAIM

        claim[0] = NBF
        if values[<int>NBF].kind != ABSENT:
            fault = date_claim(document, &values[<int>NBF], &nbf)
            if fault != OK:
                return fault
            if not has_come(&nbf, now_ns + self.leeway_ns):
                return NOT_YET_VALID
        elif self.must_have[<int>NBF]:
            return MISSING_CLAIM

        claim[0] = IAT
        if values[<int>IAT].kind != ABSENT:
            fault = date_claim(document, &values[<int>IAT], &iat)
            if fault != OK:
                return fault
            if not has_come(&iat, now_ns + max(self.leeway_ns, ahead_ns)):
                return ISSUED_IN_FUTURE
            if self.max_age_ns >= 0 and has_passed(&iat, now_ns - self.max_age_ns - self.leeway_ns):
                return TOO_OLD
        elif self.must_have[<int>IAT]:
            return MISSING_CLAIM

        if self.max_lifetime_s >= 0:
            claim[0] = EXP
            if longer_than(&iat, &exp, self.max_lifetime_s, self.max_lifetime_ns):
                return LIFETIME_TOO_LONG

        claim[0] = ISS
        if values[<int>ISS].kind == ABSENT:
            if self.must_have[<int>ISS]:
                return MISSING_CLAIM
        elif values[<int>ISS].kind != STRING:
            return WRONG_TYPE
        elif not is_one_of(document, values[<int>ISS], &self.issuer):
            return WRONG_ISSUER

        claim[0] = AUD
        if values[<int>AUD].kind != ABSENT:
            fault = check_audience(document, &values[<int>AUD], &self.audience)
            if fault != OK:
                return fault
        elif self.must_have[<int>AUD]:
            return MISSING_CLAIM

        claim[0] = SUB
        if values[<int>SUB].kind == ABSENT:
            if self.must_have[<int>SUB]:
                return MISSING_CLAIM
        elif values[<int>SUB].kind != STRING:
            return WRONG_TYPE
        elif configured(&self.subject) and not is_one_of(document, values[<int>SUB], &self.subject):
            return WRONG_SUBJECT

        claim[0] = AZP
        if values[<int>AZP].kind == ABSENT:
            if self.must_have[<int>AZP]:
                return MISSING_CLAIM
        elif values[<int>AZP].kind != STRING:
            return WRONG_TYPE
        elif configured(&self.authorized_party) and not is_one_of(
                document, values[<int>AZP], &self.authorized_party):
            return WRONG_AUTHORIZED_PARTY

        claim[0] = JTI
        if values[<int>JTI].kind == ABSENT:
            if self.must_have[<int>JTI]:
                return MISSING_CLAIM
        elif values[<int>JTI].kind != STRING:
            return WRONG_TYPE

        if self.must_have[<int>EPOCH] and values[<int>EPOCH].kind == ABSENT:
            claim[0] = EPOCH
            return MISSING_CLAIM

        if self.must_have[<int>SID] and values[<int>SID].kind == ABSENT:
            claim[0] = SID
            return MISSING_CLAIM

        for i in range(self.required.count):
            if not has_member(names, document, self.required.items[i]):
                claim[0] = REQUIRED + <int>i
                return MISSING_CLAIM
        claim[0] = NO_CLAIM
        return OK

    cdef void window(self, Span document, const Value* values, int64_t ahead_ns, int64_t* opens_ns,
                     int64_t* closes_ns) noexcept nogil:
        """When `check` would go on accepting claims that it has accepted: opens <= now < closes, to the nanosecond."""
        cdef NumericDate date
        cdef int64_t edge
        opens_ns[0] = 0
        closes_ns[0] = LAST_NS
        if values[<int>EXP].kind != ABSENT and date_claim(document, &values[<int>EXP], &date) == OK:
            closes_ns[0] = in_ns(&date, self.leeway_ns)
        if values[<int>NBF].kind != ABSENT and date_claim(document, &values[<int>NBF], &date) == OK:
            opens_ns[0] = in_ns(&date, -self.leeway_ns)
        if values[<int>IAT].kind != ABSENT and date_claim(document, &values[<int>IAT], &date) == OK:
            opens_ns[0] = max(opens_ns[0], in_ns(&date, -max(self.leeway_ns, ahead_ns)))
            if self.max_age_ns >= 0 and date.seconds < LAST_NS_SECOND:
                # too old from the first nanosecond after iat + max_age + leeway on
                date.more = True
                edge = in_ns(&date, 0)
                if edge < LAST_NS - self.max_age_ns - self.leeway_ns:
                    closes_ns[0] = min(closes_ns[0], edge + self.max_age_ns + self.leeway_ns)


def check_claims(CompiledPolicy policy not None, bytes payload not None, int64_t now_ns):
    """Raise what a verifier of this policy would, if it met this payload under a valid signature at this moment.

    The header and the epoch are not looked at.

    Args:
        policy: What the claims must satisfy.
        payload: The payload as it would be signed.
        now_ns: The moment, in Unix nanoseconds.

    Raises:
        MalformedTokenError: ``malformed``: the payload is not one strict JSON object.
        ClaimError: A claim is not as the policy wants it.
    """
    cdef Value values[CLAIM_COUNT]
    cdef Names names
    cdef int claim = NO_CLAIM
    cdef Span document = span_of(payload)
    cdef Fault fault
    names_init(&names)
    fault = scan_object(document, &CLAIMS, values, &names)
    if fault == OK:
        fault = policy.check(document, values, &names, now_ns, 0, &claim)
    names_free(&names)
    if fault != OK:
        error, code, message = BY_FAULT[<int>fault]
        raise error(message, code, policy.claim_name(claim))
