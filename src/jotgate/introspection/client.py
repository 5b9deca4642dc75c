"""Asking an issuer whether a token is active: RFC 7662.

A question runs on a thread of its own (an ``async`` fetch of the user's: in a task of the event loop that asked
first), so that nobody waits longer than the timeout whatever the fetch does. Who asks about a token while a question
about it is under way waits for that one's answer, in whatever thread or event loop.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Awaitable, Callable, Collection, Mapping
from os import urandom
from typing import TYPE_CHECKING, Any, Final

from .._clock import monotonic_ns_now, now
from ..errors import InactiveTokenError, JotgateError, MalformedTokenError, PolicyError, UndecidedError
from ..keys import fetch as http
from ..keys.feed import survive_forks
from ..keys.flight import Flight, in_event_loop
from ..keys.freshness import SECOND, seconds, whole_number
from ..keys.urls import address_of, shown
from ..policy import ANY, AnyValue, Policy
from .answers import MAX_TTL, Answers
from .auth import ClientAuth
from .token import IntrospectedToken, introspection_failed, judged

if TYPE_CHECKING:
    import asyncio
    import ssl

Reply = tuple[int, Mapping[str, str], bytes]
Fetch = Callable[[str, Mapping[str, str], bytes, float], Reply | Awaitable[Reply]]
"""A POST of the user's own: URL, headers, body and deadline in seconds, to status, headers and body. It raises what it
likes, and follows no redirect. A plain function runs on a thread of its own."""

MAX_TOKEN_BYTES: Final = 16384
_TOKEN = re.compile(r"[!-~]+")
_OK = 200
_STATUS_MEANS: Final = {
    400: "the endpoint refused the request as invalid: is this the introspection URL?",
    401: "the endpoint refused our own client credentials (401), not the token: check client_id and secret or key",
    403: "the endpoint does not let this client introspect (403)",
}


class IntrospectionClient:
    """Asks one introspection endpoint about tokens. Threads and event loops may share it. Making one does no I/O.

    What does not say that the token is active, by a complete and unambiguous answer, accepts nothing: an endpoint that
    fails is ``introspection_failed`` (503).

    Args:
        url: The introspection endpoint; ``https``.
        auth: Who asks: ``BasicAuth``, ``PrivateKeyJwt`` or ``MutualTls``.
        issuer: Expected ``iss`` of an answer: a str or a collection; ``ANY``: any or none.
        audience: Who you are; expected in ``aud``. ``ANY``: any or none; the endpoint then decides alone whether a
            token is meant for you.
        leeway: Seconds of clock skew to forgive in ``exp``, ``nbf`` and ``iat``; 0 to 600.
        cache_ttl: For how many seconds a positive answer is remembered, at most 300 and never past its ``exp``; a
            token that is taken back counts that much longer. None: each call asks.
        cache_entries: How many answers are remembered.
        cache_bytes: Bytes that they may take.
        timeout: Seconds that a question may take in all.
        max_under_way: Questions about different tokens that may be under way at once, those included whose fetch has
            not ended by its deadline; further ones fail at once.
        max_response_bytes: Longer answers are refused.
        tls: TLS settings in place of the default context. With ``MutualTls`` they come from there.
        fetch: Does the POST in place of the standard library: ``fetch(url, headers, body, timeout)`` returns status,
            headers and body, and follows no redirects. With an ``async`` one only `introspect_async` can be used.
        allow_http: Take an ``http`` URL of the loopback address.

    Raises:
        PolicyError: ``invalid_policy``: an argument is not what it should be.

    Spec: RFC 7662; the token travels in the body, never in a URL.
    """

    def __init__(
        self,
        url: str,
        *,
        auth: ClientAuth,
        issuer: str | Collection[str] | AnyValue = ANY,
        audience: str | Collection[str] | AnyValue = ANY,
        leeway: float = 0,
        cache_ttl: float | None = None,
        cache_entries: int = 10_000,
        cache_bytes: int = 16 << 20,
        timeout: float = 3.0,
        max_under_way: int = 64,
        max_response_bytes: int = 1 << 16,
        tls: ssl.SSLContext | None = None,
        fetch: Fetch | None = None,
        allow_http: bool = False,
    ) -> None:
        self._origin = address_of(url, allow_http=allow_http).origin
        if not callable(getattr(auth, "present", None)):
            raise PolicyError("auth is BasicAuth, PrivateKeyJwt or MutualTls")
        if fetch is not None and not callable(fetch):
            raise PolicyError("fetch is a callable of (url, headers, body, timeout)")
        if tls is not None and auth.tls is not None:
            raise PolicyError("MutualTls brings its own TLS settings: give cafile to it, and leave tls out")
        if fetch is not None and (tls is not None or auth.tls is not None):
            raise PolicyError("tls and MutualTls are for the built-in request; a fetch of your own brings its settings")
        if cache_ttl is not None and seconds("cache_ttl", cache_ttl, least=0.01) > MAX_TTL:
            raise PolicyError(f"cache_ttl is at most {MAX_TTL} seconds: a token that is taken back counts that long")
        self._url = url
        self._auth = auth
        # any algorithms: a policy has some, and an answer has no signature
        self._policy = Policy(algorithms=("ES256",), issuer=issuer, audience=audience, require=(), leeway=leeway)
        self._timeout = seconds("timeout", timeout, least=0.01)
        self._most_under_way = whole_number("max_under_way", max_under_way)
        self._most_bytes = whole_number("max_response_bytes", max_response_bytes)
        self._tls = http.check_tls(tls if auth.tls is None else auth.tls)
        self._allow_http = bool(allow_http)
        self._fetch: Callable[..., Any] = self._post if fetch is None else fetch
        self._is_async = fetch is not None and _is_async(fetch)
        self._secret = urandom(32)
        most, most_bytes = whole_number("cache_entries", cache_entries), whole_number("cache_bytes", cache_bytes)
        self._answers = None if cache_ttl is None else Answers(cache_ttl, most, most_bytes)
        self._counts = dict.fromkeys(("asked", "shared", "remembered", "active", "refused", "failed"), 0)
        self._begin()
        survive_forks(self)

    def introspect(self, text: str | bytes, *, fresh: bool = False) -> IntrospectedToken:
        """Return what the issuer says of a token that is active.

        Args:
            text: The token, of whatever format, without ``Bearer``; at most 16384 characters of visible ASCII.
            fresh: Ask now: take no remembered answer, and share none that was asked for earlier.

        Raises:
            InactiveTokenError: ``inactive``: the issuer says so, and not why.
            ClaimError: ``expired``, ``not_yet_valid``, ``wrong_issuer``, ``wrong_audience``, ``missing_claim``,
                ``invalid_claim``: the answer says that it is active, and something else by which it is not.
            MalformedTokenError: ``malformed``, ``too_large``: no token looks so; nobody was asked.
            IntrospectionError: ``introspection_failed``: no answer in time, or none that can be relied on.
            PolicyError: ``invalid_policy``: this would hold up an event loop, or needs one.

        Cost: one POST, or a few microseconds for a remembered answer.
        """
        text = _checked(text)
        key = self._key(text)
        token = None if fresh else self._remembered(key)
        if token is not None:
            return token
        if self._is_async:
            raise PolicyError("this client's fetch is async: await introspect_async")
        if in_event_loop():
            raise PolicyError("introspect waits for the network: in an event loop, await introspect_async")
        question = self._ask(key, text, fresh)
        return question.result(question.wait(self._timeout), self._timeout)

    async def introspect_async(self, text: str | bytes, *, fresh: bool = False) -> IntrospectedToken:
        """As `introspect`, without holding up the event loop."""
        text = _checked(text)
        key = self._key(text)
        token = None if fresh else self._remembered(key)
        if token is not None:
            return token
        question = self._ask(key, text, fresh)
        return question.result(await question.wait_async(self._timeout), self._timeout)

    def stats(self) -> dict[str, Any]:
        """Return counters since construction, and what there is now.

        Returns:
            ``url``; questions ``asked``; calls that ``shared`` one under way, or were answered by a ``remembered``
            answer; answers by which a token was ``active`` or ``refused``; ``failed`` questions; ``under_way`` now;
            ``cache_entries`` and ``cache_bytes``.
        """
        entries, size = (0, 0) if self._answers is None else self._answers.sizes
        with self._lock:
            return {
                "url": shown(self._url),
                **self._counts,
                "under_way": len(self._under_way),
                "cache_entries": entries,
                "cache_bytes": size,
            }

    def __repr__(self) -> str:
        return f"<IntrospectionClient {shown(self._url)}>"

    # -- the cache

    def _key(self, text: str) -> bytes:
        """What stands for a token here and nowhere else, and says nothing of it."""
        return hashlib.blake2b(text.encode("ascii"), digest_size=32, key=self._secret).digest()

    def _remembered(self, key: bytes) -> IntrospectedToken | None:
        body = None if self._answers is None else self._answers.get(key)
        if body is None or self._answers is None:
            return None
        try:
            token = judged(body, self._policy)
        except JotgateError:
            token = None
        # by the clock of now, and without leeway, it does not hold: the endpoint may know more
        if token is None or (token.expires_at is not None and token.expires_at <= now()):
            self._answers.drop(key)
            return None
        with self._lock:
            self._counts["remembered"] += 1
        return token

    # -- questions under way

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[bytes, _Question] = {}
        self._under_way: set[_Question] = set()

    def _forked(self) -> None:
        self._begin()
        if self._answers is not None:
            self._answers.clear()

    def _ask(self, key: bytes, text: str, fresh: bool) -> _Question:
        """Return the question under way about a token, or begin one."""
        if len(self._under_way) >= self._most_under_way:
            self._give_up_closed()
        asked_at = monotonic_ns_now()
        with self._lock:
            question = None if fresh else self._shared.get(key)
            if question is not None and asked_at < question.until:
                self._counts["shared"] += 1
                return question
            if len(self._under_way) >= self._most_under_way:
                self._counts["failed"] += 1
                raise introspection_failed(f"{self._most_under_way} earlier questions to {self._origin} have not ended")
            question = _Question(key, asked_at, asked_at + int(self._timeout * SECOND))
            self._under_way.add(question)
            if not fresh:
                self._shared[key] = question
            self._counts["asked"] += 1
        try:
            self._start(question, text)
        except BaseException:
            self._land(question, introspection_failed("no thread could be started to ask the issuer"))
            raise
        return question

    def _start(self, question: _Question, text: str) -> None:
        if self._is_async:
            import asyncio

            # somebody has to hold the task: a loop does not
            question.task = asyncio.get_running_loop().create_task(self._answer_async(question, text))
            # one that is cancelled before it has begun runs none of its own code
            question.task.add_done_callback(lambda _: self._land(question, _loop_ended()))
            return
        try:
            threading.Thread(target=self._answer, args=(question, text), name="jotgate-introspect", daemon=True).start()
        except RuntimeError:
            raise introspection_failed("no thread could be started to ask the issuer") from None

    def _answer(self, question: _Question, text: str) -> None:
        outcome: IntrospectedToken | Exception
        try:
            outcome = self._read(self._fetch(*self._request(text)))
        except Exception as error:
            outcome = error
        except BaseException as error:  # of a fetch that was cut off; on this thread nobody else hears of it
            outcome = introspection_failed(f"the fetch was cut off with {type(error).__name__}")
        self._land(question, outcome)

    async def _answer_async(self, question: _Question, text: str) -> None:
        import asyncio

        outcome: IntrospectedToken | Exception = _loop_ended()
        try:
            async with asyncio.timeout(self._timeout):
                request = await asyncio.to_thread(self._request, text)  # a signer may be far away
                outcome = self._read(await self._fetch(*request))
        except Exception as error:
            outcome = error
        finally:
            self._land(question, outcome)

    def _give_up_closed(self) -> None:
        """Land what was asked in an event loop that was closed without cancelling it: nobody else will."""
        with self._lock:
            waiting = list(self._under_way)
        for question in waiting:
            if question.task is not None and question.task.get_loop().is_closed():
                self._land(question, _loop_ended())

    def _land(self, question: _Question, outcome: IntrospectedToken | Exception) -> None:
        """Remember what is to be remembered, and let those go on who wait. The first landing counts."""
        key = question.key
        if isinstance(outcome, Exception):
            outcome = self._refusal(outcome)
        with self._lock:
            if question.outcome is not None:
                return
            question.outcome = outcome
            if self._shared.get(key) is question:
                del self._shared[key]
            self._under_way.discard(question)
            if isinstance(outcome, IntrospectedToken):
                self._counts["active"] += 1
                if self._answers is not None and question.may_be_remembered and monotonic_ns_now() < question.until:
                    self._answers.put(key, outcome._body, question.asked_at)
            elif isinstance(outcome, UndecidedError):
                self._counts["failed"] += 1
            else:
                self._counts["refused"] += 1
                if self._answers is not None and isinstance(outcome, InactiveTokenError):
                    self._answers.drop(key)
                for each in self._under_way:
                    if each.key == key:  # it was asked before this was known
                        each.may_be_remembered = False
        question.land(True)

    def _refusal(self, error: Exception) -> JotgateError:
        """Our own refusals as they are; what else goes wrong leaves the token undecided."""
        if isinstance(error, TimeoutError):
            return _late(self._timeout)
        if isinstance(error, UndecidedError):
            return introspection_failed(str(error.args[0]) if error.args else error.code)
        if isinstance(error, JotgateError):
            return error
        # what a fetch of the user's raises may quote anything
        return introspection_failed(f"the fetch failed with {type(error).__name__}")

    # -- one question

    def _request(self, text: str) -> tuple[str, Mapping[str, str], bytes, float]:
        from urllib.parse import urlencode

        headers, form = self._auth.present()
        body = urlencode({"token": text, "token_type_hint": "access_token"} | form).encode("ascii")
        sent = {"accept": "application/json", "content-type": "application/x-www-form-urlencoded"}
        return self._url, sent | headers, body, self._timeout

    def _post(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Reply:
        return http.fetch(
            url,
            headers,
            timeout,
            body=body,
            sought="an introspection endpoint",
            max_bytes=self._most_bytes,
            tls=self._tls,
            allow_http=self._allow_http,
        )

    def _read(self, reply: Reply) -> IntrospectedToken:
        """Return what an answer says, or raise why it accepts nothing."""
        status, headers, body = reply
        if type(status) is not int or type(body) is not bytes or not isinstance(headers, Mapping):
            raise introspection_failed("an answer is a status, headers and bytes")
        if status != _OK:
            what = _STATUS_MEANS.get(status, f"the status is {status}; only 200 is taken, and no redirect followed")
            raise introspection_failed(f"{self._origin}: {what}")
        if len(body) > self._most_bytes:
            raise introspection_failed(f"{self._origin} sent an answer of more than {self._most_bytes} bytes")
        types = [str(value) for name, value in headers.items() if str(name).lower() == "content-type"]
        if [each.partition(";")[0].strip().lower() for each in types] != ["application/json"]:
            raise introspection_failed(f"{self._origin} sent something else than application/json")
        return judged(body, self._policy)


class _Question(Flight):
    """A question under way about one token."""

    __slots__ = ("asked_at", "key", "may_be_remembered", "outcome", "task", "until")

    def __init__(self, key: bytes, asked_at: int, until: int) -> None:
        super().__init__()
        self.key = key
        self.asked_at = asked_at
        self.until = until
        self.may_be_remembered = True
        self.outcome: IntrospectedToken | JotgateError | None = None
        self.task: asyncio.Task[None] | None = None

    def result(self, landed: bool | None, timeout: float) -> IntrospectedToken:
        """Return or raise the outcome; an error is made anew for each who waited."""
        outcome = self.outcome
        if not landed or outcome is None:
            raise _late(timeout)
        if isinstance(outcome, IntrospectedToken):
            return outcome
        raise type(outcome)(*outcome.args)


def _loop_ended() -> JotgateError:
    return introspection_failed("the event loop that asked has ended")


def _late(timeout: float) -> JotgateError:
    return introspection_failed(f"no answer within the timeout of {timeout:g} s")


def _checked(text: str | bytes) -> str:
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if not isinstance(text, str) or not text:
        raise MalformedTokenError("a token is a str or bytes object, without a Bearer prefix", "malformed")
    if len(text) > MAX_TOKEN_BYTES:
        raise MalformedTokenError(f"the token is longer than {MAX_TOKEN_BYTES} bytes", "too_large")
    if not _TOKEN.fullmatch(text):
        raise MalformedTokenError("a token has visible ASCII characters only", "malformed")
    return text


def _is_async(fetch: Callable[..., object]) -> bool:
    from inspect import iscoroutinefunction

    return iscoroutinefunction(fetch) or iscoroutinefunction(type(fetch).__call__)
