"""What the library says to programmers, said to whoever types a command."""

from __future__ import annotations

import re

_API = re.compile(
    r"\b(?:VerificationKey|SigningKey|KeySet|Policy|Verifier|ANY|None|True|False"
    r"|(?:from|to|load)_(?:pem|der|jwks?|secret|cryptography)|public_key\(\)|algorithms=|alg=|ssl\.SSLContext)"
)
_ARGUMENT = re.compile(
    r"(?:algorithms|issuer|audience|typ|subject|authorized_party|require|leeway|max_(?:age|lifetime|token_bytes)|bits)\b"
)
# These stand only where they mean themselves.
_SETTING = re.compile(r"\b(?:publish_ahead|token_lifetime|cache_time|allow_short_times)\b")
_GIVEN = (
    ("allow_http=True", "--allow-http"),
    ("allow_data_loss=True", "--allow-data-loss"),
    ("replicas=", "--replicas"),
)
# By a name of the library that stands in its advice, what takes the advice's place.
_ADVICE = (
    (re.compile(r"algorithms="), ": allow only one of them with --alg"),
    (re.compile(r"from_pem, "), ": a key file is named with --key"),
    (re.compile(r"ssl\.SSLContext"), ": have it put right, or name its CA by --ca FILE"),
)


def for_the_command_line(message: str) -> str:
    """Take the names of classes, methods and keyword arguments out of a message of the library.

    Args:
        message: The text of an error that the library raised.

    Returns:
        The message with options in place of arguments, and without the advice that only a program can follow.
    """
    for argument_of_ours, option_of_ours in _GIVEN:
        message = message.replace(argument_of_ours, option_of_ours)
    message = _SETTING.sub(lambda name: f"--{name[0].replace('_', '-')}", message)
    argument = _ARGUMENT.match(message)
    if argument:
        option = "alg" if argument[0] == "algorithms" else argument[0].replace("_", "-")
        message = f"--{option}{message[argument.end() :]}"
    name = _API.search(message)
    # What it belongs to stands behind the last colon or semicolon before it.
    end = max(message.rfind(mark, 0, name.start()) for mark in ("; ", ": ")) if name else -1
    if end < 0:
        return message
    advice = next((text for mark, text in _ADVICE if mark.search(message)), "")
    return message[:end] + advice
