"""The verifier: keys and policy bound together, ready to decide on tokens."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

from ._engine import Engine
from ._token import VerifiedToken
from .binding import IssuerMap, KeySource, binding_for, bindings_for, looks_like_jwk
from .errors import PolicyError
from .keys.algorithms import ALGORITHMS
from .policy import Policy

_BACKENDS = ("auto", "cryptography", "libcrypto")


class Verifier(Engine):
    """Verifies tokens by one policy, or by one policy for each issuer.

    Build it once and share it: it is immutable but for ``replace_keys``, and safe to use from several threads.
    Construction does no I/O.

    Args:
        keys: A ``VerificationKey`` or ``KeySet``; or a mapping from issuer to ``(keys, policy)``, where each token is
            decided by the entry of the issuer it names, by exact match.
        policy: What tokens must satisfy. Left out with a mapping.
        backend: Which library checks signatures: ``"cryptography"``, or ``"auto"`` for the best there is.
            ``"libcrypto"`` demands the native lanes.

    Raises:
        PolicyError: ``invalid_policy``: the arguments do not belong together, or the backend is not there.
        InvalidKeyError: ``invalid_key``: a key without ``alg`` could serve several of the policy's algorithms.

    Spec: RFC 7519 section 7.2; RFC 8725 section 3.
    """

    __slots__ = ("__weakref__", "_policy")

    def __init__(
        self,
        keys: KeySource | IssuerMap,
        policy: Policy | None = None,
        *,
        backend: str = "auto",
    ) -> None:
        if backend not in _BACKENDS:
            raise PolicyError("backend is one of: auto, cryptography, libcrypto")
        if backend == "libcrypto":
            raise PolicyError("this build has no libcrypto lanes; use backend='auto' or 'cryptography'")
        if isinstance(keys, Mapping) and not looks_like_jwk(keys):
            if policy is not None:
                raise PolicyError("with a mapping of issuers each entry brings its own policy; leave policy out")
        elif not isinstance(policy, Policy):
            raise PolicyError("a Verifier needs a Policy object beside its keys")
        if hasattr(self, "_policy"):
            raise PolicyError("a Verifier is built once; build another one")
        self._install(keys, policy)
        self._policy = policy

    async def verify_async(self, text: str | bytes, *, fresh: bool = False) -> VerifiedToken:
        """Verify as ``verify`` does; awaits only where keys must be fetched, and keys given as objects never are."""
        return self.verify(text, fresh=fresh)

    def replace_keys(self, keys: KeySource | IssuerMap) -> None:
        """Swap the keys in one step; tokens being verified meanwhile see the old set or the new one, whole.

        Args:
            keys: In the form the verifier was built with: a key or set, or a mapping from issuer to
                ``(keys, policy)``.

        Raises:
            PolicyError: ``invalid_policy``: the other form. The keys stay as they were.
            InvalidKeyError: ``invalid_key``. The keys stay as they were.
        """
        self._install(keys, self._policy)

    def _install(self, keys: KeySource | IssuerMap, policy: Policy | None) -> None:
        if policy is not None:
            self._bind(binding_for(keys, policy))
        else:
            self._bind_issuers(bindings_for(keys))

    def stats(self) -> dict[str, object]:
        """Return counters since construction.

        Returns:
            ``verdicts``: how many tokens were ``accepted``, and refused by code; ``backend``: which library serves
            each algorithm.
        """
        return {
            "verdicts": self._verdicts_by_code(),
            "backend": dict.fromkeys(ALGORITHMS, "cryptography"),
        }

    @property
    def ready(self) -> bool:
        """Whether tokens can be decided now. Keys given as objects are always there."""
        return True

    def warm(self) -> None:
        """Fetch what verifying needs, before the first token does. Keys given as objects need nothing."""

    async def warm_async(self) -> None:
        """Fetch what verifying needs, as ``warm`` does."""

    def close(self) -> None:
        """Stop what runs in the background. Keys given as objects start nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Verifier policy={self._policy!r}>" if self._policy is not None else "<Verifier for several issuers>"
