"""The verifier: keys and policy bound together, ready to decide on tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, cast

from ._binding import Binding
from ._cache import TokenCache
from ._clock import monotonic_ns_now
from ._engine import Engine
from ._revoked import RevocationIndex
from ._token import VerifiedToken
from .binding import Binder, IssuerMap, KeySource, looks_like_jwk
from .errors import PolicyError
from .keys import lanes
from .keys import tables as point_tables
from .keys.algorithms import ALGORITHMS
from .keys.feed import survive_forks
from .policy import AnyValue, Policy

if TYPE_CHECKING:
    from .batch import BatchResult
    from .stores.protocol import RevocationCheck, RevocationFeed


class _OwnCache:
    """The default of ``cache``: a TokenCache of the verifier's own."""

    def __repr__(self) -> str:
        return "TokenCache()"


_OWN_CACHE: Final = _OwnCache()
_CACHE_COUNTERS = ("hits", "misses", "evictions", "expired", "entries", "bytes")


class Verifier(Engine):
    """Verifies tokens by one policy, or by one policy for each issuer.

    Build it once and share it: it is immutable but for ``replace_keys``, and safe to use from several threads.
    Construction does no I/O.

    Args:
        keys: A ``VerificationKey``, ``KeySet``, ``RemoteKeySet`` or ``KeyRing``; or a mapping from issuer to
            ``(keys, policy)``, where each token is decided by the entry of the issuer it names, by exact match.
        policy: What tokens must satisfy. Left out with a mapping.
        cache: Remembers accepted tokens. By default one of its own with default limits; None for none. What it holds
            was decided by this verifier's policy, so it serves no other.
        revocations: Says what was taken back: asked about every token, the remembered ones too. A ``Revocations``, or
            an object with a method ``is_revoked(token, *, fresh)``. With the first, an ``iat`` may be a second ahead:
            so is the first token that is issued after a subject's were taken back.
        backend: Which library checks signatures: ``"cryptography"``; ``"libcrypto"`` for the one that the interpreter
            has loaded, without the GIL; ``"auto"`` for the second where it serves an algorithm and the first elsewhere.
        tables: Whether an ES256 key that libcrypto serves gets a table of its multiples once it is busy. That is built
            in the background and makes checks two to three times as fast; the verdicts are the same.

    Raises:
        PolicyError: ``invalid_policy``: the arguments do not belong together, the cache serves another verifier, or
            the backend does not serve an algorithm of the policy.
        InvalidKeyError: ``invalid_key``: a key without ``alg`` could serve several of the policy's algorithms.

    Spec: RFC 7519 section 7.2; RFC 8725 section 3.
    """

    __slots__ = ("__weakref__", "_backend", "_binder", "_index", "_lock", "_policy", "_rules", "_tables")

    def __init__(
        self,
        keys: KeySource | IssuerMap,
        policy: Policy | None = None,
        *,
        cache: TokenCache | _OwnCache | None = _OWN_CACHE,
        revocations: RevocationFeed | RevocationIndex | RevocationCheck | None = None,
        backend: str = "auto",
        tables: bool = True,
    ) -> None:
        index, rules, is_revoked = _taken_back(revocations)
        binder = Binder(backend, tables, index)
        if not isinstance(cache, TokenCache | _OwnCache | None):
            raise PolicyError("cache is a TokenCache, or None for no cache")
        if isinstance(keys, Mapping) and not looks_like_jwk(keys):
            if policy is not None:
                raise PolicyError("with a mapping of issuers each entry brings its own policy; leave policy out")
        elif not isinstance(policy, Policy):
            raise PolicyError("a Verifier needs a Policy object beside its keys")
        if hasattr(self, "_policy"):
            raise PolicyError("a Verifier is built once; build another one")
        self._binder = binder
        self._backend = backend
        self._lock = threading.Lock()
        self._tables = tables
        self._index, self._rules = index, rules
        bindings = self._bound(keys, policy)
        self._watch_rules()
        # until it serves bindings it refuses everything, so that no failure leaves one without its revocations
        try:
            self._equip(TokenCache() if isinstance(cache, _OwnCache) else cache, index, rules, is_revoked)
        except PolicyError:
            self._unwatch_rules()
            raise
        self._policy = policy
        self._serve(bindings)
        self._watch_feeds()

    @classmethod
    def for_issuer(
        cls,
        issuer: str,
        *,
        audience: str | Collection[str] | AnyValue,
        algorithms: Collection[str],
        jwks_uri: str | None = None,
        cache: TokenCache | _OwnCache | None = _OWN_CACHE,
        revocations: RevocationFeed | RevocationIndex | RevocationCheck | None = None,
        backend: str = "auto",
        tables: bool = True,
        **options: Any,
    ) -> Self:
        """Return a verifier for one issuer's tokens, by the keys that it publishes.

        Args:
            issuer: Expected ``iss``; without ``jwks_uri`` also where the issuer's metadata are.
            audience: Who you are; expected in ``aud``.
            algorithms: The algorithms allowed.
            jwks_uri: Where the keys are; None: the issuer's metadata say it.
            cache: As of the class.
            revocations: As of the class.
            backend: As of the class.
            tables: As of the class.
            options: More of ``Policy`` (``leeway``, ``typ``, ``require`` ...) and of ``RemoteKeySet`` (``max_stale``,
                ``headers``, ``allow_http`` ...).

        Raises:
            PolicyError: ``invalid_policy``.

        Spec: OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3.
        """
        from .keys.remote import RemoteKeySet

        known = RemoteKeySet.__init__.__kwdefaults__ or {}
        of_keys = {name: value for name, value in options.items() if name in known}
        of_policy = {name: value for name, value in options.items() if name not in known}
        policy = Policy(algorithms=algorithms, issuer=issuer, audience=audience, **of_policy)
        keys = RemoteKeySet.for_issuer(issuer, **of_keys) if jwks_uri is None else RemoteKeySet(jwks_uri, **of_keys)
        return cls(keys, policy, cache=cache, revocations=revocations, backend=backend, tables=tables)

    async def verify_async(self, text: str | bytes, *, fresh: bool = False) -> VerifiedToken:
        """Verify as ``verify`` does, where that would wait for keys or a store without holding up the event loop.

        Args:
            text: As of ``verify``.
            fresh: As of ``verify``.

        Raises:
            TokenError: as ``verify``.
            UndecidedError: as ``verify``.
            PolicyError: as ``verify``.
        """
        asked: list[tuple[object, str]] = []
        asked_now = False
        while True:
            found = self._verify_once(text, fresh, asked_now, True)
            if not isinstance(found, tuple):
                return found
            feed, seen, want, otherwise = found
            if (feed, want) in asked:
                break
            asked.append((feed, want))
            if want == "now":
                from .keys.flight import in_a_thread

                try:
                    await in_a_thread(feed._asked_now)
                    newer = asked_now = True
                except Exception:
                    newer = None
            else:
                newer = feed is None or await feed._newer_async(seen, want)
            if newer is None:
                self._refuse(otherwise)
            if not newer:
                break
        found = self._verify_once(text, fresh, asked_now, False)
        assert not isinstance(found, tuple)
        return found

    def verify_batch(self, texts: Iterable[str | bytes], threads: int | None = None) -> BatchResult:
        """Verify many tokens, on several cores, and never raise for one of them.

        Args:
            texts: Tokens as ``verify`` takes them. A sequence is copied at once; any other iterable is read 65,536
                texts at a time, each part verified before the next is read. Equal texts of a part are verified once.
                The texts are held as long as the result.
            threads: How many threads work on it, 1 to 256; None for one a core that this process may use. This thread
                is one of them.

        Returns:
            BatchResult: for each text, in the order given, a ``VerifiedToken`` or the error that ``verify`` would have
            raised, made when it is looked at; how many were ``accepted``, ``rejected`` and ``undecided``; ``counts`` by
            code; and the columns ``ok``, ``code`` and ``exp``.

        Raises:
            TypeError: ``texts`` is a single token or not iterable.
            PolicyError: ``invalid_policy``: ``threads`` is out of range.
            KeyboardInterrupt: as it comes; no thread works on the batch any more.

        Cost: 32 bytes a text, while nobody looks at the results. The GIL is held for some hundred nanoseconds a text.
            The clock is read once for some dozens of tokens, which takes them at most 50 ms to verify.
        """
        from .batch import verify_batch

        return verify_batch(self, texts, threads)

    def replace_keys(self, keys: KeySource | IssuerMap) -> None:
        """Swap the keys in one step; tokens being verified meanwhile see the old set or the new one, whole.

        What the cache holds under a key that is gone no longer counts from this call on; under a key that stays (same
        kid, algorithm and thumbprint) it goes on to count.

        Args:
            keys: In the form the verifier was built with: a key or set, or a mapping from issuer to
                ``(keys, policy)``.

        Raises:
            PolicyError: ``invalid_policy``: the other form. The keys stay as they were.
            InvalidKeyError: ``invalid_key``. The keys stay as they were.
        """
        before = self._binder.feeds().values()
        with self._lock:
            self._serve(self._bound(keys, self._policy))
        for feed in before:
            if feed not in self._binder.feeds().values():
                feed._unwatch(self._keys_changed)
        self._watch_feeds()

    def _watch_feeds(self) -> None:
        feeds = self._binder.feeds().values()
        for feed in feeds:
            feed._watch(self._keys_changed)
        if feeds or self._index is not None:
            survive_forks(self)
        if feeds:
            self._keys_changed()  # what changed before it was watched

    def _watch_rules(self) -> None:
        if self._index is None:
            return
        self._index._watch(self._keys_distrusted)
        if self._rules is not None:
            self._rules._watch(self._keys_distrusted)
        self._keys_distrusted()  # what was before it watched

    def _unwatch_rules(self) -> None:
        if self._rules is not None:
            self._rules._unwatch(self._keys_distrusted)

    def _keys_distrusted(self) -> None:
        with self._lock:
            self._binder.distrust()

    def _keys_changed(self) -> None:
        with self._lock:
            bindings = self._binder.rebind()
            self._serve(bindings if self._policy is None else bindings[b""])

    def _forked(self) -> None:
        """In a child process nobody refreshes the feeds' keys yet: none count, until the first call sees to that."""
        self._lock = threading.Lock()
        self._binder.suspend()
        self._binder.distrust()  # a thread of the parent may have been about to

    def _bound(self, keys: KeySource | IssuerMap, policy: Policy | None) -> Binding | dict[bytes, Binding]:
        return self._binder.bind_issuers(keys) if policy is None else self._binder.bind(keys, policy)

    def _serve(self, bindings: Binding | dict[bytes, Binding]) -> None:
        if isinstance(bindings, dict):
            self._bind_issuers(bindings)
        else:
            self._bind(bindings)
        self._binder.settle()  # now that the new keys serve, those that are gone no longer count

    def stats(self) -> dict[str, Any]:
        """Return counters since construction, and what is there now.

        Returns:
            ``verdicts``: how many tokens were ``accepted``, and refused by code. ``hits`` and ``misses`` of the cache,
            ``evictions`` to keep its bounds, ``expired``; ``cache_entries`` and ``cache_bytes`` now. ``backend``:
            which library serves each algorithm; ``libcrypto``: path and version of the one that was found, or None,
            and then ``reason``. ``keys``: by issuer (of the only one under the empty name), ``stats()`` of the key sets
            that are fetched. ``revocations``: ``stats()`` of the ``Revocations``; of an index that nobody feeds its
            ``rules`` by kind and ``bytes``; else empty. ``tables``: of ES256 keys in this process, their ``count`` and
            ``bytes``; how many ``disagreements`` with the library's own verification there were, after the first of
            which none serves; and the ``reason`` if no key gets one.
        """
        cache = self.cache.stats() if self.cache is not None else dict.fromkeys(_CACHE_COUNTERS, 0)
        served = lanes.served() if self._backend != "cryptography" else {}
        found = lanes.library()
        return {
            "verdicts": self._verdicts_by_code(),
            "hits": cache["hits"],
            "misses": cache["misses"],
            "evictions": cache["evictions"],
            "expired": cache["expired"],
            "cache_entries": cache["entries"],
            "cache_bytes": cache["bytes"],
            "backend": {name: "libcrypto" if served.get(name) else "cryptography" for name in ALGORITHMS},
            "libcrypto": None if found is None else {"path": found[0], "version": found[1]},
            "reason": lanes.reason(),
            "keys": {issuer: feed.stats() for issuer, feed in self._binder.feeds().items()},
            "revocations": self._rules_stats(),
            "tables": point_tables.stats(self._tables and self._backend != "cryptography"),
        }

    def _rules_stats(self) -> dict[str, Any]:
        if self._rules is not None:
            return self._rules.stats()
        return {} if self._index is None else {"rules": self._index.counts(), "bytes": self._index.nbytes}

    @property
    def ready(self) -> bool:
        """Whether tokens can be decided now: each issuer has keys that count, and what was taken back is known."""
        return self._binder.ready(monotonic_ns_now()) and (self._index is None or self._index.usable)

    def warm(self) -> None:
        """Fetch what verifying needs, before the first token does. Keys given as objects need nothing.

        Raises:
            KeyFetchError: ``key_fetch_failed``: an issuer's keys cannot be had now.
            StoreUnavailableError: ``store_unavailable``: what was taken back cannot be read now.
            PolicyError: ``invalid_policy``: the store of what was taken back must not be used as it is.
        """
        for feed in self._binder.feeds().values():
            feed.warm()
        if self._rules is not None:
            self._rules.warm()

    async def warm_async(self) -> None:
        """Fetch what verifying needs, as ``warm`` does, without holding up the event loop."""
        for feed in self._binder.feeds().values():
            await feed.warm_async()
        if self._rules is not None:
            await self._rules.warm_async()

    def close(self) -> None:
        """Stop what runs in the background. Fetched keys go on to count until they are too old.

        A key set, or a ``Revocations``, that serves another verifier too goes on for that one.
        """
        for feed in self._binder.feeds().values():
            feed._unwatch(self._keys_changed)
        self._unwatch_rules()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Verifier policy={self._policy!r}>" if self._policy is not None else "<Verifier for several issuers>"


def _taken_back(
    revocations: object,
) -> tuple[RevocationIndex | None, RevocationFeed | None, Callable[..., bool] | None]:
    """Who says what was taken back: a native index, what feeds it, or somebody else's check."""
    if revocations is None:
        return None, None, None
    if isinstance(revocations, RevocationIndex):
        return revocations, revocations.feed, None
    index = getattr(revocations, "index", None)
    if isinstance(index, RevocationIndex) and callable(getattr(revocations, "_watch", None)):
        return index, cast("RevocationFeed", revocations), None
    is_revoked = getattr(revocations, "is_revoked", None)
    if not callable(is_revoked):
        raise PolicyError(
            "revocations is a Revocations, or has a method is_revoked(token, *, fresh), which answers True or False"
        )
    return None, None, is_revoked
