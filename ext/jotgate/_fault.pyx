"""The numbers of ``Fault`` and the names of ``Claim``, for the Python side."""

# Fault number by name: `errors` builds its table on these and on nothing else.
FAULTS = {
    "UNDECIDED": <int>UNDECIDED,
    "OK": <int>OK,
    "WRONG_INPUT_TYPE": <int>WRONG_INPUT_TYPE,
    "TOO_LARGE": <int>TOO_LARGE,
    "NOT_THREE_PARTS": <int>NOT_THREE_PARTS,
    "BAD_CHARACTER": <int>BAD_CHARACTER,
    "BAD_BASE64URL": <int>BAD_BASE64URL,
    "BAD_JSON": <int>BAD_JSON,
    "DUPLICATE_NAME": <int>DUPLICATE_NAME,
    "TOO_DEEP": <int>TOO_DEEP,
    "NUMBER_RANGE": <int>NUMBER_RANGE,
    "BAD_HEADER": <int>BAD_HEADER,
    "CRITICAL_HEADER": <int>CRITICAL_HEADER,
    "ALGORITHM_NOT_ALLOWED": <int>ALGORITHM_NOT_ALLOWED,
    "UNKNOWN_KEY": <int>UNKNOWN_KEY,
    "AMBIGUOUS_KEY": <int>AMBIGUOUS_KEY,
    "KEY_FETCH_FAILED": <int>KEY_FETCH_FAILED,
    "KEY_WITHDRAWN": <int>KEY_WITHDRAWN,
    "BAD_SIGNATURE": <int>BAD_SIGNATURE,
    "MISSING_CLAIM": <int>MISSING_CLAIM,
    "IMPOSSIBLE_DATE": <int>IMPOSSIBLE_DATE,
    "ISSUED_IN_FUTURE": <int>ISSUED_IN_FUTURE,
    "WRONG_TYP": <int>WRONG_TYP,
    "WRONG_TYPE": <int>WRONG_TYPE,
    "EXPIRED": <int>EXPIRED,
    "NOT_YET_VALID": <int>NOT_YET_VALID,
    "TOO_OLD": <int>TOO_OLD,
    "LIFETIME_TOO_LONG": <int>LIFETIME_TOO_LONG,
    "WRONG_ISSUER": <int>WRONG_ISSUER,
    "WRONG_AUDIENCE": <int>WRONG_AUDIENCE,
    "WRONG_SUBJECT": <int>WRONG_SUBJECT,
    "WRONG_AUTHORIZED_PARTY": <int>WRONG_AUTHORIZED_PARTY,
    "EPOCH_AHEAD": <int>EPOCH_AHEAD,
    "REVOKED": <int>REVOKED,
    "STORE_UNAVAILABLE": <int>STORE_UNAVAILABLE,
}

# Claim name by number; position 0 is "no claim".
CLAIM_NAMES = (None, "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "azp", "epoch", "typ")
