"""What a verification returns.

``VerifiedToken`` is made by a verifier and by nothing else, so a function that takes one need not ask whether its token
was checked. ``Claims`` is its read-only mapping. Both are native; see ``help(VerifiedToken)``.
"""

from ._frozen import Claims
from ._token import VerifiedPayload, VerifiedToken

__all__ = ["Claims", "VerifiedPayload", "VerifiedToken"]
