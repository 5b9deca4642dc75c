"""The claims of a token against a policy (RFC 7519 section 4), in the order in which faults are told."""

import math
from fractions import Fraction
from typing import Any

from .refusal import Refused, expected_names
from .strict_json import exact

LATEST = 253402300799
"""9999-12-31T23:59:59Z: the last NumericDate that is believed."""

# What each registered claim must be, whether the policy asks for it or not: a wrong type is never "absent".
_TEXT = ("iss", "sub", "jti", "azp")
_DATES = ("exp", "nbf", "iat")


def check(claims: dict[str, Any], policy: Any, now_ns: int) -> None:
    """Hold the claims against the policy at one moment."""
    Check(claims, policy, Fraction(now_ns, 10**9)).run()


class Check:
    """One token, one policy, one moment."""

    def __init__(self, claims: dict[str, Any], policy: Any, now: Fraction) -> None:
        self.claims = claims
        self.policy = policy
        self.now = now
        self.leeway = Fraction(policy.leeway)

    def run(self) -> None:
        self.check_times()
        self.check_parties()
        for name in self.policy.require:
            if name not in self.claims:
                raise Refused("missing_claim", name)

    def check_times(self) -> None:
        policy, now, leeway = self.policy, self.now, self.leeway
        exp = self.date("exp", needed=policy.max_lifetime is not None)
        # Section 4.1.4: "on or after" is expired.
        if exp is not None and now >= exp + leeway:
            raise Refused("expired", "exp")
        nbf = self.date("nbf", needed=False)
        if nbf is not None and now < nbf - leeway:
            raise Refused("not_yet_valid", "nbf")
        iat = self.date("iat", needed=policy.max_age is not None or policy.max_lifetime is not None)
        if iat is None:
            return
        if iat > now + leeway:
            raise Refused("invalid_claim", "iat")
        if policy.max_age is not None and now - iat > Fraction(policy.max_age) + leeway:
            raise Refused("too_old", "iat")
        if policy.max_lifetime is not None and exp is not None:
            # To the nanosecond, outwards: where both have digits below it, a tie is refused.
            lifetime = Fraction(math.ceil(exp * 10**9) - math.floor(iat * 10**9), 10**9)
            if lifetime > Fraction(policy.max_lifetime):
                raise Refused("lifetime_too_long", "exp")

    def check_parties(self) -> None:
        policy = self.policy
        issuers = expected_names(policy.issuer)
        iss = self.text("iss", needed=issuers is not None)
        if issuers is not None and iss not in issuers:
            raise Refused("wrong_issuer", "iss")
        audiences = expected_names(policy.audience)
        aud = self.audience(needed=audiences is not None)
        if audiences is not None and not audiences.intersection(aud):
            raise Refused("wrong_audience", "aud")
        subjects = expected_names(policy.subject)
        sub = self.text("sub", needed=subjects is not None)
        if subjects is not None and sub not in subjects:
            raise Refused("wrong_subject", "sub")
        parties = expected_names(policy.authorized_party)
        azp = self.text("azp", needed=parties is not None)
        if parties is not None and azp not in parties:
            raise Refused("wrong_authorized_party", "azp")
        self.text("jti", needed=False)

    def present(self, name: str, needed: bool) -> bool:
        if name in self.claims:
            return True
        if needed or name in self.policy.require:
            raise Refused("missing_claim", name)
        return False

    def date(self, name: str, needed: bool) -> Fraction | None:
        """Section 2, NumericDate: a JSON number, exactly as written; ``true`` is not a number."""
        if not self.present(name, needed):
            return None
        value = self.claims[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Refused("wrong_type", name)
        date = exact(value)
        if not 0 <= date <= LATEST:
            raise Refused("invalid_claim", name)
        return date

    def text(self, name: str, needed: bool) -> str | None:
        if not self.present(name, needed):
            return None
        value = self.claims[name]
        if not isinstance(value, str):
            raise Refused("wrong_type", name)
        return value

    def audience(self, needed: bool) -> list[str]:
        """Section 4.1.3: one name or an array of names."""
        if not self.present("aud", needed):
            return []
        value = self.claims["aud"]
        names = value if isinstance(value, list) else [value]
        if not all(isinstance(name, str) for name in names):
            raise Refused("wrong_type", "aud")
        return names
