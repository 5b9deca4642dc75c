"""The verdict on one token, with what an operator wants to know beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from jotgate import jws, unverified
from jotgate.errors import InvalidSignatureError, JotgateError, MalformedTokenError, UndecidedError
from jotgate.verifier import Verifier

if TYPE_CHECKING:
    from jotgate import KeySet
    from jotgate.cli.inputs import TokenText
    from jotgate.policy import Policy
    from jotgate.token import VerifiedToken

VALID, INVALID, UNKNOWN = "valid", "invalid", "unknown"
_LONGEST_SHOWN_NAME = 256


class Verdict(NamedTuple):
    """What was decided about one token.

    ``signature`` is ``valid``, ``invalid`` or ``unknown`` (no signature could be checked: no such key,
    unreadable). ``kid`` and ``alg`` are those of the header; of a refused token whose signature is not
    valid they are whatever its maker wrote. ``source`` and ``line`` say where the text came from, as in
    `TokenText`. ``claims`` are read only from accepted tokens and from refused ones with a valid signature.
    """

    ok: bool
    undecided: bool
    code: str | None
    claim: str | None
    message: str
    signature: str
    kid: str | None
    alg: str | None
    text: str | bytes
    source: str
    line: int
    claims: dict[str, Any] | None

    def as_json(self, *, hints: list[str], claims: bool) -> dict[str, object]:
        """Return the verdict for ``--json``; the claims only of an accepted token, and only if asked for."""
        row: dict[str, object] = {
            "ok": self.ok,
            "code": self.code,
            "claim": self.claim,
            "message": self.message,
            "signature": self.signature,
            "kid": self.kid,
            "alg": self.alg,
            "source": self.source,
            "line": self.line,
            "hint": hints,
        }
        if claims and self.ok:
            row["claims"] = self.claims
        return row


class Judge:
    """A verifier that also finds out whether a refused token's signature was valid.

    Args:
        keys: The keys, each bound to one algorithm.
        policy: What the tokens must satisfy.

    Raises:
        PolicyError: Keys and policy do not fit.
    """

    def __init__(self, keys: KeySet, policy: Policy) -> None:
        self.keys = keys
        self.policy = policy
        self._verifier = Verifier(keys, policy)

    def __call__(self, token: TokenText) -> Verdict:
        """Judge one token; never raises for what is in it."""
        try:
            accepted = self._verifier.verify(token.text)
        except JotgateError as refusal:
            return self._refused(token, refusal)
        return _accepted(token, accepted)

    def _refused(self, token: TokenText, refusal: JotgateError) -> Verdict:
        signature, claims = UNKNOWN, None
        kid, alg = _unverified_names(token.text)
        try:
            jws.verify(
                token.text,
                self.keys,
                algorithms=self.policy.algorithms,
                max_token_bytes=self.policy.max_token_bytes,
            )
        except InvalidSignatureError:
            signature = INVALID
        except JotgateError:
            pass
        else:
            signature = VALID
            claims = unverified.peek(token.text).claims
        return Verdict(
            ok=False,
            undecided=isinstance(refusal, UndecidedError),
            code=refusal.code,
            claim=refusal.claim,
            message=str(refusal.args[0]),  # without the claim, which has a place of its own
            signature=signature,
            kid=kid,
            alg=alg,
            text=token.text,
            source=token.source,
            line=token.line,
            claims=claims,
        )


def _accepted(token: TokenText, accepted: VerifiedToken) -> Verdict:
    return Verdict(
        ok=True,
        undecided=False,
        code=None,
        claim=None,
        message="accepted",
        signature=VALID,
        kid=accepted.kid,
        alg=accepted.alg,
        text=token.text,
        source=token.source,
        line=token.line,
        claims=accepted.to_dict(),
    )


def _unverified_names(text: str | bytes) -> tuple[str | None, str | None]:
    """Read kid and alg as the token's maker wrote them, where they are strings of a sane length."""
    try:
        header = unverified.peek(text).header
    except MalformedTokenError:
        return None, None
    names = (header.get("kid"), header.get("alg"))
    kid, alg = (name if isinstance(name, str) and len(name) <= _LONGEST_SHOWN_NAME else None for name in names)
    return kid, alg
