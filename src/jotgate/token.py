"""What a verification returns.

``VerifiedToken`` is made by a verifier and by nothing else, so a function that takes one need not ask whether its token
was checked. ``Claims`` is its read-only mapping. Both are native; see ``help(VerifiedToken)``.
"""

from ._token import Claims, VerifiedPayload, VerifiedToken

__all__ = ["Claims", "VerifiedPayload", "VerifiedToken"]
