"""Both sides of an introspection without a network: an endpoint whose answers a test scripts, and callers of ours."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlencode

from support import AUDIENCE, ISSUER, NOW, SUBJECT, policy, signing_key

from jotgate import ANY, KeySet, Verifier, jws
from jotgate.introspection.auth import BasicAuth
from jotgate.introspection.callers import Assertions, Client, ClientKeys, ClientSecret
from jotgate.introspection.client import IntrospectionClient
from jotgate.introspection.endpoint import Response
from jotgate.introspection.responder import IntrospectionResponder
from jotgate.introspection.revocation_endpoint import RevocationEndpoint

URL = "https://auth.example.com/introspect"
SECRET = "canary-secret-0123456789-abcdefghij"
API = "billing-api"
APP = "app"
JSON = {"Content-Type": "application/json"}
FORM = "application/x-www-form-urlencoded"
KEY = signing_key("ES256", kid="k")


def active(**members: Any) -> bytes:
    return json.dumps({"active": True, "sub": SUBJECT, "exp": NOW + 300} | members).encode()


INACTIVE = b'{"active":false}'


class Endpoint:
    """Answers as a test says. It is called on threads of the client's."""

    def __init__(self, body: bytes = INACTIVE) -> None:
        self.body = body
        self.headers: Mapping[str, str] = JSON
        self.status: Any = 200
        self.error: BaseException | None = None
        self.calls: list[tuple[str, dict[str, str], bytes, float]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> Any:
        self.calls.append((url, dict(headers), body, timeout))
        status, answered, answer, error = self.status, self.headers, self.body, self.error
        self.entered.release()
        self.gate.wait(20)
        if error is not None:
            raise error
        return status, answered, answer

    @property
    def forms(self) -> list[dict[str, str]]:
        return [{name: value for name, (value,) in parse_qs(body.decode()).items()} for _, _, body, _ in self.calls]

    def client(self, **options: Any) -> IntrospectionClient:
        settings: dict[str, Any] = {"auth": BasicAuth(API, SECRET), "fetch": self} | options
        return IntrospectionClient(URL, **settings)


def access_token(key: Any = KEY, **changes: Any) -> str:
    claims = {
        "iss": ISSUER, "sub": SUBJECT, "aud": AUDIENCE, "exp": NOW + 300, "iat": NOW, "jti": "j1", "client_id": APP,
    } | changes  # fmt: skip
    return jws.sign({name: value for name, value in claims.items() if value is not None}, key)


def issuers_verifier(**options: Any) -> Verifier:
    """The issuer's own: it knows tokens for every audience."""
    return Verifier(KeySet([KEY.public()]), policy("ES256", audience=ANY), **options)


def clients(**more: Client) -> dict[str, Client]:
    return {API: Client(ClientSecret.of(SECRET), audience=AUDIENCE), APP: Client(ClientSecret.of(SECRET[::-1]))} | more


def basic(client_id: str = API, secret: str = SECRET) -> dict[str, str]:
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


OWNER = basic(APP, SECRET[::-1])


def partner() -> Client:
    """A client that proves who it is by assertions, which it signs with `KEY`."""
    return Client(ClientKeys(KEY.public(), algorithms=["ES256"]), audience=AUDIENCE)


def partners_responder(store: Any, verifier: Verifier | None = None) -> IntrospectionResponder:
    """Return the endpoint of one process, which the partner may ask, too."""
    table = clients(partner=partner())
    return IntrospectionResponder(verifier or issuers_verifier(), clients=table, assertions=Assertions(ISSUER, store))


def post(endpoint: Any, form: Mapping[str, str] | bytes, headers: Any = None, **options: Any) -> Response:
    """POST a form, as the API's client unless headers say something else."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    sent = {"Content-Type": FORM} | (basic() if headers is None else headers)
    answer: Response = endpoint.respond("POST", sent, body, **options)
    return answer


class Sessions:
    """Refresh tokens by heart."""

    def __init__(self) -> None:
        self.known: dict[str, dict[str, Any]] = {"r1": {"sid": "s1", "sub": SUBJECT, "client_id": APP}}
        self.asked: list[str] = []
        self.ended: list[str] = []
        self.error: Exception | None = None

    def describe(self, refresh_token: str) -> dict[str, Any] | None:
        self.asked.append(refresh_token)
        if self.error is not None:
            raise self.error
        found = self.known.get(refresh_token)
        return None if found is None or found["sid"] in self.ended else found

    def session_of(self, refresh_token: str) -> dict[str, Any] | None:
        self.asked.append(refresh_token)
        if self.error is not None:
            raise self.error
        return self.known.get(refresh_token)

    def end(self, session: str) -> None:
        if self.error is not None:
            raise self.error
        self.ended.append(session)


class TakenBack:
    """Revocations by heart."""

    def __init__(self) -> None:
        self.ids: set[str] = set()
        self.asked: list[bool] = []
        self.error: Exception | None = None

    def is_revoked(self, token: Any, *, fresh: bool) -> bool:
        self.asked.append(fresh)
        return token.token_id in self.ids

    def revoke_token(self, token: Any) -> None:
        if self.error is not None:
            raise self.error
        self.ids.add(token.token_id)


class World:
    """Both endpoints of an issuer, and what they stand on. Options are for the one that takes tokens back."""

    def __init__(self, **options: Any) -> None:
        self.taken, self.sessions = TakenBack(), Sessions()
        self.verifier = issuers_verifier(revocations=self.taken)
        settings: dict[str, Any] = {"clients": clients(), "revocations": self.taken, "sessions": self.sessions}
        self.revoking = RevocationEndpoint(self.verifier, **(settings | options))
        self.introspecting = IntrospectionResponder(self.verifier, clients=clients(), sessions=self.sessions)

    def revoke(self, token: str, headers: Any = OWNER, **fields: str) -> Response:
        return post(self.revoking, {"token": token} | fields, headers)

    def introspect(self, token: str, headers: Any = None) -> Response:
        return post(self.introspecting, {"token": token}, headers)
