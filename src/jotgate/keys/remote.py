"""A key set that somebody else publishes, kept fresh in the background.

::

    EMPTY --> FRESH --> AGING --> STALE --> DEAD
                ^---------+---------+---------+      each time a fetch succeeds

Who does what: a keeper thread sleeps until keys are due, has them fetched, takes the answer over and tells the
verifiers. A fetch runs on a thread of its own, because not everything it does can be stopped: one that does not end by
its deadline is left alone, and what it brings later is not looked at. Requests only ever wait for a fetch under way,
and only where there are no keys at all or the cooldown allows to look for a kid that the set does not have.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Self

from .._clock import monotonic_ns_now
from ..errors import InvalidKeyError, KeyFetchError, PolicyError
from . import fetch as http
from .algorithms import resolve_algorithms
from .discovery import metadata_urls
from .document import Answer, Fetch, Question, as_bytes, read
from .feed import KeyFeed, Supply, Want, report, survive_forks
from .flight import Flight, announce, in_event_loop, keep
from .freshness import SECOND, Freshness, KeyEvent, KeyState, checked_times, seconds, whole_number
from .keyset import Skipped
from .urls import address_of, check_url, shown

if TYPE_CHECKING:
    import ssl

DISCOVERY_HOLDS_S = 3600


class RemoteKeySet(KeyFeed):
    """The keys at a URL, refreshed in the background, for one or more verifiers.

    Making one does no I/O; the first token, or ``warm``, does. From then on keys are fetched ahead of time and no
    request waits, except for one thing: a kid that the set does not have, once a ``cooldown``.

    A key that is no longer published stops counting at the next refresh, also for tokens that were remembered. While
    the endpoint fails the last good keys serve on, ``max_stale`` seconds past their lifetime; then tokens are refused
    as ``key_fetch_failed`` (503), not as bad.

    Args:
        url: Where the JWKS document is; ``https``.
        algorithms: What a key without ``alg`` may serve: it takes the only one of these that its type and curve allow.
            None: those of the verifier's policy.
        lifetime: Seconds for which fetched keys are fresh where ``Cache-Control`` does not say.
        cache_control: The shortest and the longest lifetime that ``Cache-Control: max-age`` may ask for, in seconds.
        cooldown: Least time between two fetches, failed ones too, in seconds. Requests that name unknown kids cause no
            more than one fetch in this time.
        max_stale: For how many seconds past their lifetime keys are used while the endpoint fails. 0: not at all.
        timeout: Seconds that one fetch may take in all, and a request wait.
        max_waiters: How many requests may wait at once for a kid that may be new; the others get ``unknown_key``.
        max_bytes: Longer documents are refused.
        max_keys: Documents with more keys are refused.
        headers: Request headers to send, to the host of `url` (of the issuer) and to no other.
        tls: TLS settings in place of the default context, which checks certificate and host name.
        fetch: Does the request in place of the standard library: ``fetch(url, headers, timeout)`` returns status,
            headers and body. 200 and 304 are the only answers taken; it should follow no redirects.
        seed: A JWKS document to begin with, until the first fetch; it counts as fetched now.
        allow_http: Take ``http`` URLs of the loopback address.
        on_event: Called with a ``KeyEvent`` after each fetch, on a thread of its own. A failed fetch is also logged, as
            a warning of ``jotgate.keys``.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be.
        InvalidKeyError: ``invalid_key``: ``seed`` is not a JWKS document.

    Spec: RFC 7517 section 5 (keys that cannot be used are skipped and listed in ``skipped``); RFC 9111 section 5.2.2.1.
    """

    __slots__ = (
        "_answer",
        "_bell",
        "_closed",
        "_counts",
        "_flight",
        "_freshness",
        "_keeper",
        "_last_error",
        "_located",
        "_lock",
        "_max_waiters",
        "_on_event",
        "_question",
    )

    def __init__(
        self,
        url: str,
        *,
        algorithms: Iterable[str] | None = None,
        lifetime: float = 300,
        cache_control: tuple[float, float] = (60, 3600),
        cooldown: float = 30,
        max_stale: float = 3600,
        timeout: float = 3,
        max_waiters: int = 8,
        max_bytes: int = 1 << 20,
        max_keys: int = 64,
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        fetch: Fetch | None = None,
        seed: str | bytes | Mapping[str, Any] | None = None,
        allow_http: bool = False,
        on_event: Callable[[KeyEvent], object] | None = None,
    ) -> None:
        super().__init__()
        self._freshness = Freshness(checked_times(lifetime, cache_control, cooldown, max_stale))
        if fetch is not None and not callable(fetch):
            raise PolicyError("fetch is a callable of (url, headers, timeout)")
        if on_event is not None and not callable(on_event):
            raise PolicyError("on_event is a callable of one KeyEvent")
        if fetch is not None and tls is not None:
            raise PolicyError("tls is for the built-in request; a fetch of your own brings its own settings")
        self._question = Question(
            url=check_url(url, allow_http=allow_http),
            known_url=None,
            issuer=None,
            origin=address_of(url, allow_http=allow_http).origin,
            ask=fetch
            or functools.partial(http.fetch, max_bytes=max_bytes, tls=http.check_tls(tls), allow_http=bool(allow_http)),
            headers=http.check_headers(headers or {}),
            timeout=seconds("timeout", timeout, least=0.01),
            algorithms=None if algorithms is None else resolve_algorithms(algorithms),
            max_bytes=whole_number("max_bytes", max_bytes),
            max_keys=whole_number("max_keys", max_keys),
            allow_http=bool(allow_http),
            body=b"",
            etag=None,
            epoch=None,
        )
        self._max_waiters = whole_number("max_waiters", max_waiters)
        self._on_event = on_event
        self._answer: Answer | None = None
        self._located, self._last_error = 0, ""
        self._counts = dict.fromkeys(("fetched", "unchanged", "failed", "waited", "turned_away"), 0)
        self._closed = False
        self._anew()
        if seed is not None:
            self._answer = read(self._question, as_bytes(seed), {}, url)
            self._question = self._question.after(self._answer)
            self._freshness.seed(monotonic_ns_now())
        survive_forks(self)

    @classmethod
    def for_issuer(cls, issuer: str, **options: Any) -> Self:
        """Return the keys of an issuer, whose metadata say where they are.

        The metadata are fetched with the keys, and again once an hour.

        Args:
            issuer: The issuer's identifier, an ``https`` URL. The metadata must name the very same.
            options: As of the class, but ``url``.

        Raises:
            PolicyError: ``invalid_policy``.

        Spec: OpenID Connect Discovery 1.0 section 4; RFC 8414 section 3.
        """
        metadata_urls(issuer, allow_http=options.get("allow_http", False))
        made = cls(issuer, **options)
        made._question = made._question._replace(url=None, issuer=issuer)
        return made

    # -- what verifiers ask

    def _supply(self) -> Supply:
        with self._lock:
            answer = self._answer
            # without a keeper nobody refreshes: the first one who asks appoints one
            until = self._freshness.usable_until if self._keeper is not None or self._closed else 0
        return Supply(None, until) if answer is None else Supply(answer.keys, until, answer.epoch)

    def _renew(self, want: Want) -> bool | None:
        flight = self._consider(want, may_wait=not in_event_loop())
        if not isinstance(flight, Flight):
            return flight
        try:
            return flight.wait(self._question.timeout)
        finally:
            self._leave(flight)

    async def _renew_async(self, want: Want) -> bool | None:
        flight = self._consider(want, may_wait=True)
        if not isinstance(flight, Flight):
            return flight
        try:
            return await flight.wait_async(self._question.timeout)
        finally:
            self._leave(flight)

    def _consider(self, want: Want, *, may_wait: bool) -> Flight | bool | None:
        """Return the fetch to wait for, or the answer at once."""
        now = monotonic_ns_now()
        with self._lock:
            state = self._freshness.state(now)
            if want == "newer" or state in (KeyState.EMPTY, KeyState.DEAD):
                without = None if want == "usable" or self._freshness.failing else False
                if self._closed:
                    return without
                self._appoint()
                if self._flight is None and not self._freshness.may_ask(now):
                    return without
                flight = self._ask_for_flight()
                # dead keys are fetched without anybody: the keeper may only have slept while the clock leapt
                if not may_wait or (want == "usable" and state is KeyState.DEAD):
                    return None
                if want == "newer" and flight.waiting >= self._max_waiters:
                    self._counts["turned_away"] += 1
                    return False
                flight.waiting += 1
                self._counts["waited"] += 1
                return flight
            self._appoint()
        # the keys count; whoever finds that they do not has not heard of it yet, or is a child of a fork
        self._tell()
        return True

    def _leave(self, flight: Flight) -> None:
        with self._lock:
            flight.waiting -= 1

    def warm(self) -> None:
        """Fetch the keys, if there are none that count.

        Raises:
            KeyFetchError: ``key_fetch_failed``: there still are none; the message says why.
        """
        flight = self._wanted()
        if (flight is not None and not flight.wait(self._question.timeout)) or self._serves_nothing():
            raise self._failure()

    async def warm_async(self) -> None:
        """As `warm`, without holding up the event loop."""
        flight = self._wanted()
        if (flight is not None and not await flight.wait_async(self._question.timeout)) or self._serves_nothing():
            raise self._failure()

    def refresh(self) -> None:
        """Fetch the keys now, whatever the cooldown says: for operators, not for requests.

        Raises:
            KeyFetchError: ``key_fetch_failed``. The keys of before go on to count as long as they would have.
        """
        with self._lock:
            self._appoint(refuse_closed=True)
            earlier = self._flight
        if earlier is not None:  # it began before what this call is to find may have been published
            earlier.wait(self._question.timeout)
        with self._lock:
            flight = self._ask_for_flight()
        if not flight.wait(self._question.timeout):
            raise self._failure()

    def _wanted(self) -> Flight | None:
        with self._lock:
            self._appoint(refuse_closed=True)
            if self._freshness.state(monotonic_ns_now()) in (KeyState.EMPTY, KeyState.DEAD):
                return self._ask_for_flight()
        self._tell()
        return None

    def _serves_nothing(self) -> bool:
        return self._answer is not None and not self._answer.keys

    def _failure(self) -> KeyFetchError:
        return http.fetch_failed(self._last_error or "the keys did not come within the timeout")

    # -- what operators ask

    @property
    def state(self) -> KeyState:
        """What the keys are worth now."""
        with self._lock:
            return self._freshness.state(monotonic_ns_now())

    @property
    def url(self) -> str | None:
        """Where the keys are; None while an issuer's metadata are to be asked, at first and after a failure."""
        return self._question.url

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The keys of the document that cannot be used: kid (or None) and reason of each."""
        return () if self._answer is None or self._answer.keys is None else self._answer.keys.skipped

    def stats(self) -> dict[str, Any]:
        """Return what there is now, and counters since construction.

        Returns:
            ``url``; ``state``; ``keys`` that serve, ``skipped`` ones; ``age_s`` since they were fetched, None without;
            ``epoch`` or None; ``fetched``, ``unchanged`` and ``failed`` fetches; ``waited`` requests and those
            ``turned_away``; ``last_error``, empty after a success.
        """
        now = monotonic_ns_now()
        with self._lock:
            answer = self._answer
            keys = None if answer is None else answer.keys
            return {
                "url": shown(self._question.url),
                "state": str(self._freshness.state(now)),
                "keys": 0 if keys is None else len(keys) + len(keys._unbound),
                "skipped": 0 if keys is None else len(keys.skipped),
                "age_s": self._freshness.age(now),
                "epoch": None if answer is None else answer.epoch,
                **self._counts,
                "last_error": self._last_error,
            }

    def close(self) -> None:
        """Stop fetching for good. The keys count as long as they would have."""
        self._closed = True
        self._rest()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<RemoteKeySet {shown(self._question.issuer or self._question.url)} {self.state}>"

    # -- the keeper

    def _anew(self) -> None:
        self._lock = threading.Lock()
        self._bell = threading.Event()
        self._keeper: threading.Thread | None = None
        self._flight: Flight | None = None

    def _forked(self) -> None:
        super()._forked()
        if self._flight is not None:
            self._freshness.abandon()
        self._anew()

    def _rest(self) -> None:
        with self._lock:
            self._keeper = self._flight = None
            bell, self._bell = self._bell, threading.Event()
        bell.set()

    def _appoint(self, *, refuse_closed: bool = False) -> None:
        """Start the keeper of this process, if there is none. Under the lock."""
        if self._closed and refuse_closed:
            raise http.fetch_failed("the key set was closed")
        if self._closed or (self._keeper is not None and self._keeper.is_alive()):
            return
        bell = self._bell
        this = weakref.ref(self, lambda _: bell.set())
        keeper = threading.Thread(target=keep, args=(this, bell), name="jotgate-keys", daemon=True)
        try:
            keeper.start()
        except RuntimeError:
            raise http.fetch_failed("no thread could be started to fetch the keys") from None
        self._keeper = keeper

    def _ask_for_flight(self) -> Flight:
        """The fetch under way, or one that the keeper is woken to begin. Under the lock."""
        if self._flight is None:
            self._flight = Flight()
            self._freshness.begin(monotonic_ns_now())
            self._bell.set()
        return self._flight

    def _next_flight(self, keeper: threading.Thread) -> Flight | float | None:
        """What the keeper is to do: see a flight through, sleep so many seconds, or end."""
        with self._lock:
            if self._keeper is not keeper:
                return None
            if self._flight is not None:
                return self._flight
            now = monotonic_ns_now()
            due = self._freshness.due_at
            if now < due:
                return (due - now) / SECOND
            return self._ask_for_flight()

    def _land(self, flight: Flight, began: int, answer: Answer | Exception) -> None:
        """Take an answer over, tell the verifiers, then let those go on who wait."""
        with self._lock:
            if self._flight is not flight:  # the keeper was sent to rest meanwhile
                flight.land(False)
                return
            self._flight = None
            self._freshness.end(monotonic_ns_now())
            event = self._accept(answer, began) if isinstance(answer, Answer) else self._fail(answer)
        self._tell()
        flight.land(event.kind != "failed")
        if event.kind == "failed" or self._on_event is not None:
            # a thread of its own: who takes his time over an event keeps no key from being refreshed
            told = (event, shown(self._question.issuer or self._question.url), self._on_event)
            try:
                threading.Thread(target=announce, args=told, name="jotgate-event", daemon=True).start()
            except RuntimeError as error:
                report(error, self)

    def _accept(self, answer: Answer, began: int) -> KeyEvent:
        import random

        kind = "unchanged" if answer.keys is None else "fetched"
        if answer.keys is None and self._answer is not None:
            answer = answer._replace(keys=self._answer.keys)
        self._answer = answer
        question = self._question
        if question.issuer is not None and question.url is None:
            self._located = began
        # metadata are read again with the first fetch after an hour
        forget = question.issuer is not None and began - self._located > DISCOVERY_HOLDS_S * SECOND
        self._question = question.after(answer)._replace(url=None if forget else answer.url)
        # one without a key that serves is a mistake that will be mended: it is looked at again soon
        nothing = not answer.keys
        jitter = random.random() - 0.5  # noqa: S311, it is no secret
        self._freshness.succeed(began, 0 if nothing else answer.allowed, jitter)
        self._last_error = f"the document has no key that can be used (skipped: {len(self.skipped)})" if nothing else ""
        return self._event(kind, "")

    def _fail(self, error: Exception) -> KeyEvent:
        self._freshness.fail()
        if self._question.issuer is not None:
            self._question = self._question._replace(url=None)
        # what a fetch of the user's raises may quote anything
        known = isinstance(error, KeyFetchError | InvalidKeyError)
        self._last_error = str(error) if known else f"the fetch failed with {type(error).__name__}"
        return self._event("failed", self._last_error)

    def _event(self, kind: str, detail: str) -> KeyEvent:
        self._counts[kind] += 1
        return KeyEvent(kind, self._freshness.state(monotonic_ns_now()), detail)
