"""Every way a token can fail.

Native steps return a ``Fault``; one place (``_engine``) turns it into an exception. Zero is never acceptance: a
``noexcept`` Cython function that hits a Python error returns zero, so a step that breaks refuses.
"""

cdef enum Fault:
    UNDECIDED = 0          # nothing was decided: an internal error, or a step that never ran
    OK = 1                 # every check passed; compared for equality, never for truth

    # the text and its encoding
    WRONG_INPUT_TYPE       # neither str nor bytes exactly
    TOO_LARGE              # longer than max_token_bytes
    NOT_THREE_PARTS        # not exactly two dots (RFC 7515 section 7.1)
    BAD_CHARACTER          # a byte outside A-Z a-z 0-9 - _ in one of the parts (RFC 7515 section 2)
    BAD_BASE64URL          # impossible length or non-zero trailing bits (RFC 7515 section 2, RFC 4648 section 3.5)
    BAD_JSON               # not one JSON object in valid UTF-8 (RFC 8259), or a lone surrogate
    DUPLICATE_NAME         # a member name twice in one object (RFC 7515 section 4, RFC 7519 section 4)
    TOO_DEEP               # nested beyond the limit
    NUMBER_RANGE           # an integer outside [-2**63, 2**64) or a number that no finite double holds
    BAD_HEADER             # a header parameter of the wrong type, or one that a JWT must not have

    # the header and the key
    CRITICAL_HEADER        # a `crit` that is not entirely understood (RFC 7515 section 4.1.11)
    ALGORITHM_NOT_ALLOWED  # `alg` is not one the policy allows (RFC 8725 section 3.1)
    UNKNOWN_KEY            # no key of the set has this (kid, alg)
    AMBIGUOUS_KEY          # no kid, and not exactly one key of the set has this alg
    KEY_FETCH_FAILED       # there are no keys, or none that still count, to decide by
    KEY_WITHDRAWN          # its source dropped the key while the token was being verified
    BAD_SIGNATURE          # wrong length or wrong value

    # the claims
    MISSING_CLAIM          # a required claim is absent
    IMPOSSIBLE_DATE        # a NumericDate outside [0, 253402300799]
    ISSUED_IN_FUTURE       # iat > now + leeway
    WRONG_TYP              # the header's `typ` is not one of the expected (RFC 8725 section 3.11)
    WRONG_TYPE             # a registered claim has the wrong JSON type
    EXPIRED                # now >= exp + leeway (RFC 7519 section 4.1.4)
    NOT_YET_VALID          # now < nbf - leeway (RFC 7519 section 4.1.5)
    TOO_OLD                # now - iat > max_age + leeway
    LIFETIME_TOO_LONG      # exp - iat > max_lifetime
    WRONG_ISSUER           # `iss` is not one of the expected
    WRONG_AUDIENCE         # `aud` names none of the expected
    WRONG_SUBJECT          # `sub` is not one of the expected
    WRONG_AUTHORIZED_PARTY  # `azp` is not one of the expected
    EPOCH_AHEAD            # `epoch` is later than the one that the issuer's keys tell of

    # what is known about the token elsewhere
    REVOKED                # somebody took it back (RFC 7009)
    STORE_UNAVAILABLE      # whether it was taken back could not be found out
    EPOCH_UNKNOWN          # `epoch` is later than the one that the store told of
    RULES_STALE            # nobody vouches for the rules that are known here being all
    RULES_UNASKED          # every other check passed; the store is to be asked, and then again

    FAULT_COUNT            # how many there are; the size of every table over them


cdef enum Claim:
    """What a fault is about. From REQUIRED on: the n-th extra name of the policy's `require`."""
    NO_CLAIM = 0
    ISS
    SUB
    AUD
    EXP
    NBF
    IAT
    JTI
    AZP
    EPOCH                  # Jotgate's own: how often its issuer had taken everything back before it issued the token
    SID                    # the session (OpenID Connect Front-Channel Logout 1.0 section 3)
    CLAIM_COUNT            # the registered claims the scanner looks for end here
    TYP = CLAIM_COUNT      # a header parameter that a policy may demand like a claim
    REQUIRED
