"""The attack catalogue: which rows there are, and which wait for a part of the library that is not there yet.

A row is one published flaw (or one reproduced weakness). Each has a test named `test_<row>_...` in this
directory, or stands in `WAITING` with the reason. `test_rows.py` holds both directions: a row cannot lose its
test silently, and a row that got a test cannot stay in `WAITING`.
"""

SIZES = {"A": 18, "B": 26, "C": 6, "D": 14, "E": 13, "F": 6, "G": 12, "H": 17, "I": 15, "J": 9, "K": 13}
ROWS = tuple(f"{group}{number}" for group, size in SIZES.items() for number in range(1, size + 1))

_EXAMPLES = "the example applications come with the framework integrations"
_ENCRYPTION = "encrypted tokens (JWE) come with jotgate.encryption"

WAITING = {
    "A12": _EXAMPLES,
    "A14": _ENCRYPTION,
    **{f"D{number}": _ENCRYPTION for number in (*range(1, 10), 12, 13, 14)},
    "I15": "there is no token exchange (RFC 8693): tokens are issued for refresh tokens alone, which are asked about",
}
