"""What rules say of a token, as plainly as it can be said. A rule is (kind, issuer, name, value, until); none has run
out."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

NEVER = 253_402_300_799
CLAIMS = ("jti", "sub", "sid")
LAST = 2**32 - 1  # seconds from here on are kept as "for ever"


def verdict(rules: Iterable[tuple[str, str, str, int, int]], claims: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return the code and the claim of the refusal, or ("accepted", None). The claims are those of a token that passed
    every other check."""
    mine = [rule for rule in rules if rule[1] in ("", claims.get("iss"))]
    if "sid" in claims and not isinstance(claims["sid"], str):
        return "wrong_type", "sid"
    for kind in CLAIMS:
        for _, _, _, before, _ in (rule for rule in mine if (rule[0], rule[2]) == (kind, claims.get(kind))):
            issued = claims.get("iat")
            if kind == "jti" or issued is None or before >= LAST or Fraction(issued) < before:
                return "revoked", None
    epochs = [value for kind, _, _, value, _ in mine if kind == "epoch"]
    if not epochs:
        return "accepted", None
    epoch = claims.get("epoch", 0)
    if type(epoch) is not int or epoch < 0:
        return "wrong_type", "epoch"
    if epoch > max(epochs):
        return "invalid_claim", "epoch"
    return ("accepted" if epoch == max(epochs) else "revoked"), None
