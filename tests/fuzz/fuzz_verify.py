"""A byte-level fuzzer for everything that reads a token.

Start from genuine tokens and the corpus, break them in ways that know what a token is, and hold three promises:

- only errors of ours leave ``verify``, ``peek`` and ``jws.verify``;
- whatever is accepted was signed by us, and says what its bytes say;
- ``verify_batch`` says of each of many texts what ``verify`` says of it.

Run it with ``python -m tests.fuzz.fuzz_verify --seconds 60 --seed 1``. A finding is printed as a line of hex:
add it to ``corpus.txt`` once it is understood.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import sys
import time
from collections import Counter
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fuzz.mutations import Mutator
from support import (
    AUDIENCE,
    ISSUER,
    NOW,
    JWSDoor,
    b64u,
    claims,
    clock_at,
    compact,
    header,
    policy,
    resign,
    secret_key,
    token,
    unb64u,
    verification_key,
)

from jotgate import KeySet, Verifier, errors, unverified

CORPUS = Path(__file__).with_name("corpus.txt")
ALGORITHMS = ("HS256", "RS256", "ES256", "ES512", "EdDSA")
TEXTS_IN_A_BATCH = 200
OTHER_ISSUER = "https://other.example.com"


class Finding(AssertionError):
    """A promise that was broken."""


class Fuzzer:
    """Makes texts from a seed and judges what comes of them."""

    def __init__(self, seed: int) -> None:
        self.chooser = random.Random(seed)
        self.mutator = Mutator(self.chooser)
        self.verdicts: Counter[str] = Counter()
        public = [alg for alg in ALGORITHMS if alg != "HS256"]
        one_key = verification_key("HS256")
        keys = KeySet([verification_key(alg, kid=f"k{alg}") for alg in public])
        self.doors: dict[str, Any] = {
            "secret": Verifier(one_key, policy("HS256")),
            "lax": Verifier(
                one_key,
                policy("HS256", allow_padding=True, crit=("x",), require=(), leeway=5,
                max_token_bytes=200_000),
            ),
            "public": Verifier(keys, policy(*public)),
            "issuers": Verifier({ISSUER: (one_key, policy("HS256")), OTHER_ISSUER: (keys, policy(*public,
            issuer=OTHER_ISSUER))}),
            "jws": JWSDoor(one_key, ["HS256"]),
        }  # fmt: skip
        # What `verify` said of the last texts, by door: verify_batch is asked about them together.
        self.said: dict[str, list[tuple[Any, Any]]] = {name: [] for name in self.doors if name != "jws"}
        # Signatures by signing input, as written: the only texts that may ever be accepted.
        self.signed: dict[str, set[str]] = {}
        self.seeds = [self.remember(text) for text in self._genuine()]
        self.seeds += [line.decode("latin-1") for line in load_corpus()]

    def remember(self, text: str) -> str:
        signing_input, _, signature = text.rpartition(".")
        self.signed.setdefault(signing_input, set()).add(signature)
        return text

    def _genuine(self) -> list[str]:
        made = [token(alg, key=None) for alg in ALGORITHMS]
        for alg in ALGORITHMS:
            made.append(
                compact(
                    header(alg, kid=f"k{alg}", typ="JWT"),
                    claims(iss=OTHER_ISSUER, scope=["a", {"b": 1}]),
                    alg=alg,
                )
            )
            made.append(compact(header(alg, kid=f"k{alg}"), claims(sub="é\n", jti="\U0001f600", x=1.5), alg=alg))
        made.append(compact(header("HS256", crit=["x"], x=1), claims(nbf=NOW, azp="a", aud=["x", AUDIENCE])))
        made.append(compact(header("HS256"), b"not JSON at all"))
        return made

    # -- making texts

    def next_text(self) -> str | bytes:
        """Return the next text to try; what is signed on the way is remembered."""
        chooser = self.chooser
        seed = chooser.choice(self.seeds)
        segments = seed.split(".")
        kind = chooser.randrange(10)
        if len(segments) != 3 or kind < 3:
            text = self.mutator.bytes_mutated(seed.encode("latin-1"))
        elif kind < 8:
            text = self._signed_again(segments).encode("latin-1")
        elif kind == 8:
            other = chooser.choice(self.seeds).split(".")
            mixed = [chooser.choice((one, two)) for one, two in zip(segments, (*other, "", "", "")[:3], strict=True)]
            text = ".".join(mixed).encode("latin-1")
        else:
            signature = self.mutator.bytes_mutated(_decoded(segments[2]))
            text = f"{segments[0]}.{segments[1]}.{b64u(signature)}".encode("latin-1")
        if chooser.random() < 0.5:
            return text
        return text.decode("latin-1" if chooser.random() < 0.9 else "utf-8", "surrogateescape")

    def _signed_again(self, segments: list[str]) -> str:
        """Break header or payload and sign the result: the way past the signature, to what lies behind it."""
        chooser = self.chooser
        parts = [_decoded(segments[0]), _decoded(segments[1])]
        alg = _alg_of(parts[0])
        for _ in range(chooser.choice((1, 1, 2))):
            which = chooser.choice((0, 1, 1))
            parts[which] = self.mutator.document_mutated(parts[which])
        signing_input = f"{b64u(parts[0])}.{b64u(parts[1])}"
        if chooser.random() < 0.1:
            signing_input = self.mutator.bytes_mutated(signing_input.encode()).decode("latin-1")
        try:
            text = resign(signing_input, alg, secret_key(alg))
        except UnicodeEncodeError:
            return signing_input
        if chooser.random() < 0.95:
            return self.remember(text)
        return f"{text[:-3]}{'B' if text[-3] == 'A' else 'A'}{text[-2:]}"

    # -- judging

    def judge(self, text: str | bytes) -> None:
        """Try a text at every door."""
        for name, door in self.doors.items():
            verdict: Any
            try:
                verdict = accepted = door.verify(text)
            except errors.TokenError as error:
                if not error.code or not str(error) or len(str(error)) > 200:
                    raise Finding(f"{name}: an error without code or text") from None
                self.verdicts[error.code] += 1
                verdict = error
            except BaseException as error:
                raise Finding(f"{name}: {type(error).__name__} left verify()") from error
            else:
                self.verdicts["accepted"] += 1
                self._check_accepted(name, text, accepted)
            if name in self.said:
                self.said[name].append((text, verdict))
                if len(self.said[name]) == TEXTS_IN_A_BATCH:
                    self.judge_batch(name)
        try:
            seen = unverified.peek(text)
        except errors.MalformedTokenError:
            return
        except BaseException as error:
            raise Finding(f"peek: {type(error).__name__} left it") from error
        written = text if isinstance(text, bytes) else text.encode()
        if seen.signing_input != written.rpartition(b".")[0]:
            raise Finding("peek: another signing input than the text's")

    def judge_batch(self, name: str) -> None:
        """Ask `verify_batch` of a door about the texts that went through it one by one, the cache full and empty."""
        said, self.said[name] = self.said[name], []
        door = self.doors[name]
        for threads in (1, 2):
            if door.cache is not None and self.chooser.random() < 0.5:
                door.cache.clear()
            batch = door.verify_batch([text for text, _ in said], threads=threads)
            for (text, verdict), result in zip(said, batch, strict=True):
                if _facts(verdict) != _facts(result):
                    shown = (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")).hex()
                    raise Finding(f"{name}: a batch says {result!r} and verify said {verdict!r} of {shown}")

    def _check_accepted(self, name: str, text: str | bytes, accepted: Any) -> None:
        written = text if isinstance(text, str) else text.decode("ascii")
        signing_input, _, signature = written.rpartition(".")
        if not self._signed_by_us(signing_input, signature.rstrip("=")):
            raise Finding(f"{name}: accepted what nobody signed")
        head, payload = (_strictly_decoded(part, padded=name == "lax") for part in signing_input.split("."))
        _strictly_decoded(signature, padded=name == "lax")
        parsed = _strict_json(head)
        if _canonical(parsed["alg"]) != _canonical(accepted.alg) or dict(accepted.header).keys() != parsed.keys():
            raise Finding(f"{name}: another header than the bytes say")
        if "b64" in parsed or ("crit" in parsed and name != "lax"):
            raise Finding(f"{name}: a critical header was passed over")
        if accepted.payload != payload:
            raise Finding(f"{name}: another payload than the bytes")
        if name != "jws":
            self._check_claims(name, payload, accepted)

    def _signed_by_us(self, signing_input: str, signature: str) -> bool:
        ours = self.signed.get(signing_input)
        if ours is None:
            # Texts of the corpus carry a MAC by the test secret, which the standard library can check.
            return resign(signing_input) == f"{signing_input}.{signature}"
        # Of an ECDSA signature only R is the signer's alone: anybody can write (R, order - S).
        is_ecdsa = _alg_of(_decoded(signing_input.split(".")[0])).startswith("ES")
        compared = slice(len(signature) // 2 - 1 if is_ecdsa else None)
        return any(one[compared] == signature[compared] and len(one) == len(signature) for one in ours)

    def _check_claims(self, name: str, payload: bytes, accepted: Any) -> None:
        parsed = _strict_json(payload)
        if accepted.to_dict() != parsed or repr(accepted.to_dict()) != repr(parsed):
            raise Finding(f"{name}: other claims than the bytes say")
        allowed = {ISSUER} if name != "issuers" else {ISSUER, OTHER_ISSUER}
        audiences = parsed.get("aud")
        leeway = 5 if name == "lax" else 0
        dates = {key: value for key, value in _exact_json(payload).items() if key in ("exp", "nbf", "iat")}
        if not all(map(_is_date, dates.values())):
            raise Finding(f"{name}: accepted a date that is none")
        facts = {
            "iss": parsed.get("iss") in allowed and accepted.issuer == parsed["iss"],
            "aud": audiences == AUDIENCE or (isinstance(audiences, list) and AUDIENCE in audiences),
            "exp": "exp" in dates or name == "lax",
            "expiry": dates.get("exp", NOW + 1) > NOW - leeway,
            "not before": dates.get("nbf", NOW) <= NOW + leeway,
            "issue": dates.get("iat", NOW) <= NOW + leeway,
            "sub": "sub" not in parsed or accepted.subject == parsed["sub"],
            "jti": "jti" not in parsed or accepted.token_id == parsed["jti"],
        }
        for fact, holds in facts.items():
            if not holds:
                raise Finding(f"{name}: accepted in spite of {fact}")

    def step(self) -> None:
        text = self.next_text()
        try:
            self.judge(text)
        except Finding:
            print(
                "finding:",
                (text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")).hex(),
                file=sys.stderr,
            )
            raise


def _facts(verdict: Any) -> Any:
    if isinstance(verdict, errors.JotgateError):
        return type(verdict), verdict.args
    return verdict.payload, verdict.alg, verdict.kid


def _decoded(segment: str) -> bytes:
    try:
        return unb64u(segment)
    except ValueError:
        return segment.encode("latin-1")


def _strictly_decoded(segment: str, *, padded: bool) -> bytes:
    bare = segment.rstrip("=") if padded else segment
    data = base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    if b64u(data) != bare:
        raise Finding("accepted base64url that is not canonical")
    return data


def _strict_json(raw: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) != len(pairs):
            raise Finding("accepted a duplicate name")
        return dict(pairs)

    def constant(word: str) -> Any:
        raise Finding(f"accepted {word}")

    value = json.loads(raw.decode("utf-8"), object_pairs_hook=once, parse_constant=constant)
    json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return value


def _exact_json(raw: bytes) -> Any:
    """Parse with every digit: 1700000000.00000000001 is after 1700000000, which a double does not know."""
    return json.loads(raw, parse_float=_decimal)


def _decimal(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent that not even Decimal holds: as good as zero
        return float(text)


def _is_date(value: Any) -> bool:
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
    return is_number and 0 <= value <= 253402300799


def _canonical(alg: Any) -> Any:
    return "Ed25519" if alg == "EdDSA" else alg


def _alg_of(head: bytes) -> str:
    for alg in ALGORITHMS:
        if alg.encode() in head:
            return alg
    return "HS256"


def load_corpus() -> list[bytes]:
    """Return the texts of the corpus: one in hex on each line, `#` for comments."""
    lines = CORPUS.read_text("ascii").splitlines()
    return [bytes.fromhex(line) for line in lines if line and not line.startswith("#")]


def run(seed: int, *, seconds: float | None = None, rounds: int | None = None) -> Counter[str]:
    """Fuzz for some seconds or some rounds, the corpus first; return how often each verdict was given."""
    fuzzer = Fuzzer(seed)
    until = time.monotonic() + seconds if seconds is not None else None
    with clock_at(NOW):
        for text in load_corpus():
            fuzzer.judge(text)
            fuzzer.judge(text.decode("latin-1"))
        done = 0
        while (rounds is None or done < rounds) and (until is None or time.monotonic() < until):
            fuzzer.step()
            done += 1
            if done % 4096 == 0 and len(fuzzer.signed) > 100_000:
                fuzzer = Fuzzer(seed + done)
        for name in fuzzer.said:
            fuzzer.judge_batch(name)
    fuzzer.verdicts["texts"] = done
    return fuzzer.verdicts


def main() -> None:
    parser = argparse.ArgumentParser(description="Fuzz everything that reads a token.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default 60)")
    parser.add_argument("--seed", type=int, default=None, help="start of the random sequence (default: by the clock)")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else time.time_ns() & 0xFFFFFFFF
    print(f"seed {seed}", flush=True)
    for verdict, count in run(seed, seconds=options.seconds).most_common():
        print(f"{count:10}  {verdict}")


if __name__ == "__main__":
    main()
