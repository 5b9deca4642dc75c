"""What of a command line may be repeated in an error: never a secret or a token, whatever option it stands at.

Errors end up in logs, and a mistyped command is where a secret stands in the wrong place. So only words that
are known beforehand are repeated (options, commands, choices), and names of files that are plainly that.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

# Their values are not repeated in any case: the likeliest slip is to give the secret itself.
_SECRET_OPTIONS = ("--secret-file", "--secret-env", "--password-env")
_ARGUMENT = re.compile(r"argument ([^:]+): ")
_LISTS_OF_OPTIONS = ("the following arguments are required: ", "one of the arguments ")
_LONG_OPTION = re.compile(r"--[a-z][a-z-]{0,23}")
_SECRET_WORDS = ("--secret", "--password", "--passphrase")
_SHORT_SECRET_WORDS = ("-s", "-p")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*", re.ASCII)

_LONGEST_PATH_BYTES = 255
_USUAL_ENDING = re.compile(r"\.(?:cer|crt|csv|der|jsonl?|jwks?|jwt|key|log|p8|pem|pub|tokens?|txt)", re.ASCII)
# The beginning of a JSON object in base64url, with which every token begins: a brace, then a quote or white space.
_JSON_OBJECT = re.compile(r"(?<![A-Za-z0-9_-])e(?:y[AJ]|w[0ko])[A-Za-z0-9_-]{7}")
_LONG_PART = re.compile(r"[A-Za-z0-9_-]{16,}")
_DOTS = _LONG_PARTS = 2
_LONG_NAME = 6
_MOST_MISTAKES, _MOST_IN_A_SHORT_NAME = 2, 1


def without_operand(message: str, actions: Iterable[argparse.Action]) -> str:
    """Rewrite an error of argparse so that it says what is expected, and not what was given.

    Args:
        message: The error, which may quote a word of the command line.
        actions: The arguments of the parser that reports it.

    Returns:
        The name of the argument and what is wrong with its value. Of wording that is not known, nothing is kept.
    """
    about = _ARGUMENT.match(message)
    if about is None:
        return message if message.startswith(_LISTS_OF_OPTIONS) else "the arguments cannot be understood"
    rest = message[about.end() :]
    if rest.startswith("ignored explicit argument"):
        rest = "takes no value"
    elif rest.startswith("invalid int value"):
        rest = "a whole number is expected"
    elif rest.startswith("invalid choice"):
        action = next((each for each in actions if about[1] in ("/".join(each.option_strings), each.metavar)), None)
        choices = action.choices if action is not None else None
        rest = f"choose from {', '.join(map(str, choices))}" if choices else "there is no such choice"
    else:
        rest = re.split("['\"]", rest, maxsplit=1)[0].rstrip(" :(")
    return about[0] + rest


def unknown_options(words: Iterable[str], declared: Collection[str], elsewhere: Collection[str]) -> str:
    """Say that options are unknown, naming only those that cannot be a secret.

    Args:
        words: What the parser could not use, values among it; at least one begins with a dash.
        declared: The spellings of the command's options.
        elsewhere: The spellings of the options of all commands.

    Returns:
        The error, with advice where an option is close to a declared one or would have taken a secret.
    """
    named: dict[str, None] = {}
    wants_secret = False
    for word in words:
        name = word.partition("=")[0]
        if not is_option(word):
            continue
        near = closest(name, declared) if _LONG_OPTION.fullmatch(name) else None
        if name in elsewhere or name in _SECRET_WORDS:
            named[name] = None
        elif near is not None:
            named[f"{name} (did you mean {near}?)"] = None
        elif f"-{name}" in declared:
            named[f"{name[:2]} (did you mean -{name}?)"] = None
        elif re.match("-[A-Za-z]", name):
            named[name[:2]] = None
        wants_secret |= near is None and name.startswith(("--secret", "--pass", *_SHORT_SECRET_WORDS))
    told = f"unknown option{' ' if named else ''}{', '.join(named)}"
    instead = [option for option in _SECRET_OPTIONS if option in declared]
    if wants_secret and instead:
        told += (
            "; a secret is not taken from the command line, where other users of this machine can read it: "
            f"use {' or '.join(f'{option} {_operand(option)}' for option in instead)}"
        )
    elif not named:
        told += ", which is not repeated because it may hold a secret"
    return told


def is_option(word: str) -> bool:
    """Whether a word stands where an option may, and is neither standard input nor the end of the options."""
    return word.startswith("-") and word not in ("-", "--")


def closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that differs by one mistake, in a long word by two; None if there is none.

    No secret is that close to a word that everybody knows.
    """
    best = min(((_mistakes(word, each), each) for each in known), default=None)
    if best is None:
        return None
    mistakes, found = best
    most = _MOST_MISTAKES if len(found.lstrip("-")) >= _LONG_NAME else _MOST_IN_A_SHORT_NAME
    return found if mistakes <= most else None


def shown_path(path: str, option: str = "") -> str | None:
    """Return the name of a file if it may be repeated, else None.

    What is given as the name of a file may be the key, the secret or the token itself. A name is that of a file
    if there is such a file, if it begins in a directory that exists, or has an ending that such files have; and
    it must not be long, or look like a token.

    Args:
        path: The name as it was given; ``-`` is standard input.
        option: The option that it was given with.
    """
    if path == "-":
        return path
    if option in _SECRET_OPTIONS or len(os.fsencode(path)) > _LONGEST_PATH_BYTES or _is_like_a_token(path):
        return None
    # Of an absolute path the first name, too: a secret in base64 may begin with a slash.
    root, slash, _ = path.lstrip("/").partition("/")
    begins_in = ("/" if path.startswith("/") else "") + root
    is_path = os.path.lexists(path) or (slash and os.path.isdir(begins_in))
    return path if is_path or _USUAL_ENDING.fullmatch(os.path.splitext(path)[1].lower()) else None


def about_path(path: str, option: str) -> str:
    """Return what to put behind the kind of a file in an error: a space and its name, or nothing."""
    if path == "-":
        return " on standard input"
    shown = shown_path(path, option)
    return "" if shown is None else f" {shown}"


def expected_path(path: str, option: str) -> str:
    """Return what to put at the end of an error about a file that is not named: what its option takes."""
    if path == "-" or shown_path(path, option) is not None:
        return ""
    never = ", never the secret itself" if option in _SECRET_OPTIONS else ""
    return f" ({option} takes the name of a file{never})"


def missing_variable(name: str, option: str) -> str:
    """Say that the environment variable that an option names cannot be used, without the name."""
    if _VARIABLE.fullmatch(name):
        return f"the environment variable that {option} names is not set or empty"
    return (
        f"{option} takes the name of an environment variable, never the secret itself; what was given does not look "
        "like such a name (A-Z, 0-9 and _), and is not set"
    )


def _operand(option: str) -> str:
    return "FILE" if option.endswith("-file") else "NAME"


def _is_like_a_token(text: str) -> bool:
    if _JSON_OBJECT.search(text):
        return True
    return text.count(".") >= _DOTS and len(_LONG_PART.findall(text)) >= _LONG_PARTS


def _mistakes(left: str, right: str) -> int:
    """Count the marks to add, drop or replace, or neighbours to swap, that turn one word into the other."""
    if abs(len(left) - len(right)) > _MOST_MISTAKES:
        return max(len(left), len(right))
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, mark in enumerate(left, start=1):
        older, before, row = before, row, [i]
        for j, other in enumerate(right, start=1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (mark != other))
            if i > 1 and j > 1 and mark == right[j - 2] and left[i - 2] == other:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
    return row[-1]
