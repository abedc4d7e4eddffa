"""Flags as Go's package pflag reads them: ``--name=value``, ``--name value``, and ``--name`` for a bool."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|ms|s|m|h)")
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
# Of the library for logs; every program of agnhost takes them.
_OF_LOGS = ("v", "vmodule", "log-flush-frequency", "log-text-info-buffer-size", "log-text-split-stream")


class UsageError(Exception):
    """The arguments are wrong; the message is what the program prints."""


def duration(text: str) -> float:
    """Return the seconds of a duration as Go writes it, such as ``1m30s``; raises ValueError."""
    sign = -1.0 if text.startswith("-") else 1.0
    rest = text.lstrip("+-") if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    seconds, at = 0.0, 0
    while at < len(rest):
        match = _PART.match(rest, at)
        if match is None:
            raise ValueError(f'time: invalid duration "{text}"')
        seconds += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    if not rest:
        raise ValueError(f'time: invalid duration "{text}"')
    return sign * seconds


def parse(words: Sequence[str], known: Mapping[str, Any], arguments: int = 0) -> tuple[dict[str, Any], list[str]]:
    """Return the values of all flags, and the other arguments.

    Args:
      words: what follows the subcommand.
      known: each flag with its default. A value has the type of the default; a float is a duration.
      arguments: how many other arguments there must be.

    Raises:
      UsageError.
    """
    found, others = dict(known), []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            others += left
            break
        if not word.startswith("-") or word == "-":
            others.append(word)
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name not in known and name not in _OF_LOGS:
            what = (
                f"unknown flag: --{name}"
                if word.startswith("--")
                else f"unknown shorthand flag: {name[:1]!r} in {word}"
            )
            raise UsageError(what)
        default = known.get(name, "")
        if isinstance(default, bool) and not equals:
            found[name] = True
            continue
        if not equals:
            if not left:
                raise UsageError(f"flag needs an argument: --{name}")
            value = left.pop(0)
        if name in known:
            found[name] = _value(name, value, default)
    if len(others) != arguments:
        raise UsageError(f"accepts {arguments} arg(s), received {len(others)}")
    return found, others


def _value(name: str, text: str, default: Any) -> Any:
    read: Callable[[str], Any] = str
    if isinstance(default, bool):
        read = _bool
    elif isinstance(default, int):
        read = int
    elif isinstance(default, float):
        read = duration
    try:
        return read(text)
    except ValueError as error:
        raise UsageError(f'invalid argument "{text}" for "--{name}" flag: {error}') from error


def _bool(text: str) -> bool:
    if text not in _TRUE + _FALSE:
        raise ValueError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return text in _TRUE
