"""How long each rule must be kept, and from which moment on it takes back.

Whoever takes something back writes its rules by these functions, so that rules from everywhere mean the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .._clock import now
from .rules import NEVER, Rule

if TYPE_CHECKING:
    from .protocol import Store

LONGEST_TOKEN: Final = 900
"""Seconds that an access token of a session lives at most."""
LONGEST_SESSION: Final = 30 * 86_400
"""Seconds that a session lives at most, however often it is refreshed."""
MARGIN: Final = 600
"""Seconds that a rule stays beyond what it is about: as much as the largest leeway of a policy."""


def before_now(store: Store, *known: Rule | None) -> int:
    """Return T such that ``iat < T`` holds for everything issued until now, and for as little else as possible.

    Dates have whole seconds, and the clocks of two machines differ: T is the second after the one that the later of
    the local clock and the store's is in. What was issued in this second after an earlier rule is dated by that one, so
    T is after it, too.

    Args:
        store: Where the rule will be written.
        known: The rules that there are about the same thing.

    Raises:
        StoreUnavailableError: ``store_unavailable``.
    """
    second = int(max(now(), store.now()))
    dated = max((rule.value for rule in known if rule is not None and rule.value < NEVER), default=0)
    # Nothing is dated further ahead than by the rule before it: an issuer waits until such a token counts.
    return 1 + max(second, min(dated, second + 1))


def token_rule(issuer: str, token_id: str, expires_at: int) -> Rule:
    """Return the rule that takes back one token.

    Args:
        issuer: Its ``iss``.
        token_id: Its ``jti``.
        expires_at: Its ``exp``, or any later moment.
    """
    return Rule("jti", issuer, token_id, 0, min(expires_at + MARGIN, NEVER))


def subject_rule(issuer: str, subject: str, before: int, longest: int = LONGEST_SESSION + LONGEST_TOKEN) -> Rule:
    """Return the rule that takes back the tokens of a subject, and ends its sessions.

    Args:
        issuer: Whose tokens; empty: every issuer's.
        subject: ``sub``.
        before: What `before_now` returned.
        longest: Seconds that its tokens, and what its sessions could still get, live at most.
    """
    return Rule("sub", issuer, subject, before, before + longest + MARGIN)


def session_rule(issuer: str, session: str, before: int, longest_token: int = LONGEST_TOKEN) -> Rule:
    """Return the rule that takes back the tokens of a session that is over: nothing of it counts, whenever issued.

    Args:
        issuer: Whose tokens; empty: every issuer's.
        session: ``sid``.
        before: What `before_now` returned after the last token could be issued.
        longest_token: Seconds that its tokens live at most.
    """
    return Rule("sid", issuer, session, NEVER, before + longest_token + MARGIN)


def key_rule(thumbprint: str) -> Rule:
    """Return the rule that takes back everything a key signed, whatever its issuer publishes later.

    Args:
        thumbprint: Of the public key (RFC 7638).
    """
    return Rule("key", "", thumbprint, 0, NEVER)
