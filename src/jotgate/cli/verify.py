"""``jotgate verify``: check tokens against keys and a policy, one verdict a token."""

from __future__ import annotations

from itertools import chain, islice
from typing import TYPE_CHECKING

from jotgate.cli import EXIT_OK, EXIT_REFUSED, EXIT_UNDECIDED, UsageError
from jotgate.cli.inputs import ARGUMENT, STDIN, add_secret_options, stdin_once, tokens
from jotgate.cli.moments import duration
from jotgate.cli.terminal import Screen, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from jotgate.cli.inputs import TokenText
    from jotgate.cli.verdicts import Judge, Verdict
    from jotgate.policy import Policy

_USAGE = """\
jotgate verify (--jwks FILE | --key FILE | --secret-file FILE | --secret-env NAME)
                      (--issuer ISS | --any-issuer) (--audience AUD | --any-audience)
                      [options] [TOKEN ...]"""

_DESCRIPTION = """\
Check tokens: signature, times, issuer, audience, and whatever else you ask for.

Say which keys to trust (--jwks, --key or a shared secret), whom the tokens must come from (--issuer) and
whom they must be for (--audience). Nothing of this is ever taken from the token.

A terminal gets an explanation of each refusal, a pipe or file gets one verdict a line, which begins with the
number of the token's line if there are several tokens, and with the file if there are several of those."""

_EPILOG = """\
exit codes
  0  every token was accepted    2  usage: a bad option, key, policy or file
  1  a token was refused         3  none was refused, but one could not be decided

examples
  jotgate verify --jwks jwks.json --issuer https://auth.example.com --audience api eyJhbGciOi...
  jotgate verify --key public.pem --alg RS256 --issuer https://auth.example.com --any-audience - < tokens.txt
  jotgate verify --secret-env JWT_SECRET --alg HS256 --any-issuer --audience api --json --file tokens.txt"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``jotgate verify``."""
    parser.description, parser.epilog, parser.usage = _DESCRIPTION, _EPILOG, _USAGE
    parser.add_argument(
        "tokens",
        nargs="*",
        metavar="TOKEN",
        help="a token; - reads standard input, one token a line. Arguments are judged before --file",
    )
    parser.add_argument(
        "--file",
        metavar="FILE",
        action="append",
        default=[],
        help="read tokens from a file, one a line (repeatable)",
    )

    keys = parser.add_argument_group("keys (one of these)").add_mutually_exclusive_group(required=True)
    keys.add_argument("--jwks", metavar="FILE", help="a JWKS document")
    keys.add_argument(
        "--key",
        metavar="FILE",
        action="append",
        help="a public key or certificate: PEM, DER or JWK (repeatable)",
    )
    add_secret_options(keys)

    policy = parser.add_argument_group("policy")
    policy.add_argument(
        "--alg",
        metavar="NAME",
        action="append",
        help="allowed algorithm, e.g. RS256 (repeatable, or with commas); the keys decide where they can",
    )
    issuer = policy.add_mutually_exclusive_group(required=True)
    issuer.add_argument("--issuer", metavar="ISS", action="append", help="whom the token must come from (repeatable)")
    issuer.add_argument("--any-issuer", action="store_true", help="whoever it comes from")
    audience = policy.add_mutually_exclusive_group(required=True)
    audience.add_argument("--audience", metavar="AUD", action="append", help="whom it must be for (repeatable)")
    audience.add_argument("--any-audience", action="store_true", help="whomever it is for")
    policy.add_argument("--subject", metavar="SUB", help="whom it must be about")
    policy.add_argument("--authorized-party", metavar="AZP", help="the client it must have been issued to")
    policy.add_argument("--typ", metavar="TYPE", help="the typ its header must have, e.g. at+jwt")
    policy.add_argument(
        "--require",
        metavar="CLAIM",
        action="append",
        help="a claim it must have, beside exp, iss and aud (repeatable)",
    )
    policy.add_argument(
        "--optional",
        metavar="CLAIM",
        action="append",
        help="do not require exp; or iss or aud with --any-issuer or --any-audience",
    )
    policy.add_argument("--leeway", metavar="TIME", type=duration, default=0, help="allowed clock difference (0)")
    policy.add_argument("--max-age", metavar="TIME", type=duration, help="refuse tokens issued longer ago, e.g. 1h")
    policy.add_argument("--max-lifetime", metavar="TIME", type=duration, help="refuse tokens made to live longer")
    policy.add_argument("--max-token-bytes", metavar="N", type=int, default=16384, help="longest token (16384)")
    policy.add_argument("--allow-padding", action="store_true", help="allow = after a part, as AWS load balancers do")

    output = parser.add_argument_group("output")
    form = output.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="one JSON object a token")
    form.add_argument("--explain", action="store_true", help="the long form, also into a pipe")
    form.add_argument("--quiet", action="store_true", help="no output, only the exit code")
    output.add_argument("--claims", action="store_true", help="show the claims of accepted tokens")


def run(arguments: argparse.Namespace) -> int:
    """Judge every token of the command line."""
    from jotgate.cli.keyfiles import verification_keys
    from jotgate.cli.verdicts import Judge

    wants_stdin = not arguments.tokens and not arguments.file
    key_paths = arguments.key or [arguments.jwks, arguments.secret_file]
    stdin_once("-" if wants_stdin else None, *arguments.file, *arguments.tokens, *key_paths)
    keys, algorithms = verification_keys(arguments)
    judge = Judge(keys, _policy(arguments, algorithms))
    return _judge_all(judge, tokens(arguments.tokens, arguments.file), arguments)


def _policy(arguments: argparse.Namespace, algorithms: tuple[str, ...]) -> Policy:
    from jotgate.policy import ANY, Policy

    required = [*dict.fromkeys(["exp", "iss", "aud", *_names(arguments.require)])]
    for name in _names(arguments.optional):
        if name not in required:
            raise UsageError("--optional takes exp, iss or aud; no other claim is required unless --require names it")
        if (name == "iss" and not arguments.any_issuer) or (name == "aud" and not arguments.any_audience):
            raise UsageError(f"--optional {name}: you expect a value for it, so it has to be there")
        required.remove(name)
    return Policy(
        algorithms=algorithms,
        issuer=ANY if arguments.any_issuer else arguments.issuer,
        audience=ANY if arguments.any_audience else arguments.audience,
        typ=arguments.typ,
        subject=arguments.subject,
        authorized_party=arguments.authorized_party,
        require=required,
        leeway=arguments.leeway,
        max_age=arguments.max_age,
        max_lifetime=arguments.max_lifetime,
        max_token_bytes=arguments.max_token_bytes,
        allow_padding=arguments.allow_padding,
    )


def _judge_all(judge: Judge, texts: Iterator[TokenText], arguments: argparse.Namespace) -> int:
    screen = Screen()
    in_lines = not (arguments.json or arguments.quiet or arguments.explain or screen.is_terminal)
    # Lines are numbered if there are several, so the first is not written before the second token is there.
    head = [*islice(texts, 2)] if in_lines else []
    numbered = len(head) > 1
    refused = undecided = seen = 0
    for token in chain(head, texts):
        verdict = judge(token)
        seen += 1
        refused += not verdict.ok and not verdict.undecided
        undecided += verdict.undecided
        if not arguments.quiet:
            _write(screen, judge, verdict, arguments, numbered=numbered)
    if not seen:
        raise UsageError("there is no token in the input")
    if refused:
        return EXIT_REFUSED
    return EXIT_UNDECIDED if undecided else EXIT_OK


def _write(screen: Screen, judge: Judge, verdict: Verdict, arguments: argparse.Namespace, *, numbered: bool) -> None:
    from jotgate.cli import explain

    if arguments.json:
        screen.json_line(verdict.as_json(hints=explain.hints(judge, verdict), claims=arguments.claims))
        return
    if screen.is_terminal or arguments.explain:
        explain.write(screen, judge, verdict, place=_place(verdict, arguments), claims=arguments.claims)
    else:
        number = f"{verdict.line}: " if numbered else ""
        source = f"{printable(verdict.source)}:" if numbered and _has_several_sources(arguments) else ""
        screen.line(source + number + explain.one_line(verdict, claims=arguments.claims))
    screen.flush()


def _place(verdict: Verdict, arguments: argparse.Namespace) -> str:
    """Say in words where a token came from, as far as it could have come from elsewhere."""
    several = _has_several_sources(arguments)
    if verdict.source == ARGUMENT:
        return f"argument {verdict.line}" if several or len(arguments.tokens) > 1 else ""
    return f"{printable(verdict.source)}, line {verdict.line}" if several else f"line {verdict.line}"


def _has_several_sources(arguments: argparse.Namespace) -> bool:
    return len({*(word if word == STDIN else ARGUMENT for word in arguments.tokens), *arguments.file}) > 1


def _names(values: list[str] | None) -> list[str]:
    """Split repeated, comma-separated options into names."""
    return [name.strip() for value in values or () for name in value.split(",") if name.strip()]
