"""The configuration of ``netlab lint``: a table of ``.netlab.toml`` or ``pyproject.toml``.

The first file with such a table counts, from the working directory up to the root of the repository.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from typing import Any

from netlab.errors import InputError, Problem
from netlab.frozen import NamedTuple
from netlab.objects.bounds import Budget, TooLargeError
from netlab.objects.fields import quoted, unsupported
from netlab.objects.files import UnreadableError, home_of, is_inside, text_of
from netlab.objects.similar_names import did_you_mean, similar
from netlab.policy.lint.findings import Config
from netlab.policy.lint.rule import SEVERITIES

# The table of each file, in the order in which the files of a folder are read.
_TABLES: dict[str, tuple[str, ...]] = {".netlab.toml": ("lint",), "pyproject.toml": ("tool", "netlab", "lint")}
_KEYS = ("off", "severity")
_MOST_BYTES = 1 << 20
_AT_LINE = re.compile(r" \(at line ([0-9]+), column [0-9]+\)$")


class Found(NamedTuple):
    """A configuration and the file that has it; "" if there is none."""

    config: Config
    file: str = ""

    def __str__(self) -> str:
        """What the configuration changes, in one line."""
        off, changed = sorted(self.config.off), dict(self.config.severity)
        parts = [f"off: {', '.join(off)}"] if off else []
        parts += [f"{severity}: {rule}" for rule, severity in changed.items()]
        return f"{self.file}: {'; '.join(parts) or 'no rule is changed'}"


def repository() -> str:
    """Return the root of the repository that the working directory is in, or else the directory; "" if it is gone."""
    try:
        return home_of("./x")
    except OSError:
        return ""


def find_config(rules: Sequence[str]) -> Found:
    """Return the configuration that holds in the working directory; ``rules`` are the rules that there are.

    Raises:
      InputError: if the file cannot be read, or has an unknown key or rule. It carries all problems of the file.
    """
    home = repository()
    if not home:
        return Found(Config())
    folder = os.path.realpath(".")
    while True:
        for name, table in _TABLES.items():
            path = os.path.relpath(os.path.join(folder, name))
            if os.path.lexists(path) and (found := _read(path, home, table, rules)) is not None:
                return Found(found, path)
        if folder == home or folder == os.path.dirname(folder):
            return Found(Config())
        folder = os.path.dirname(folder)


def _read(path: str, home: str, table: tuple[str, ...], rules: Sequence[str]) -> Config | None:
    """Return the configuration of a file, None if the file has none."""
    if not is_inside(path, home):
        message = f"is a link to what is outside of {home}, which is not read; --no-config reads no configuration"
        raise InputError([Problem(path, 0, "", "", message)])
    try:
        text = text_of(path, Budget(bytes=_MOST_BYTES), pipes=False, home=home)
    except (UnreadableError, TooLargeError) as error:
        raise InputError([Problem(path, 0, "", "", str(error))]) from error
    try:
        data: Any = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        at = _AT_LINE.search(message)
        line = int(at[1]) if at else 0
        raise InputError([Problem(path, line, "", "", f"not TOML: {_AT_LINE.sub('', message)}")]) from error
    except RecursionError as error:
        raise InputError([Problem(path, 0, "", "", "not TOML: nested too deep")]) from error
    own = {".netlab.toml": (), "pyproject.toml": ("tool", "netlab")}[os.path.basename(path)]
    for key in own:
        data = data.get(key) if isinstance(data, dict) else None
    if data is None:
        return None
    problems = [Problem(path, line, where, "", message) for where, line, message in _problems(text, data, table, rules)]
    if problems:
        raise InputError(problems)
    lint = data.get("lint")
    return Config(frozenset(lint.get("off", ())), dict(lint.get("severity", {}))) if lint is not None else None


def _problems(text: str, data: Any, table: tuple[str, ...], rules: Sequence[str]) -> Iterator[tuple[str, int, str]]:
    """Yield the path, the line and the message of each problem."""
    *above, name = table

    def at(*keys: str) -> tuple[str, int]:
        return ".".join((*above, *keys)), _line(text, (*above, *keys))

    if not isinstance(data, dict):
        yield *at(), "must be a table"
        return
    for key in data:
        if key != name:
            yield *at(key), f"unknown key; known: {name}"
    lint = data.get(name, {})
    if not isinstance(lint, dict):
        yield *at(name), "must be a table"
        return
    for key in lint:
        if key not in _KEYS:
            yield *at(name, key), f"unknown key; known: {', '.join(_KEYS)}"
    off = lint.get("off", [])
    if not isinstance(off, list) or not all(isinstance(one, str) for one in off):
        yield *at(name, "off"), "must be a list of rules"
        off = []
    for rule in off:
        if rule not in rules:
            yield at(name, "off")[0], _line_of_word(text, rule, at(name, "off")[1]), _no_rule(rule, rules)
    severity = lint.get("severity", {})
    if not isinstance(severity, dict):
        yield *at(name, "severity"), "must be a table of rules and severities"
        return
    for rule, value in severity.items():
        if rule not in rules:
            yield *at(name, "severity", rule), _no_rule(rule, rules)
        if value not in SEVERITIES:
            yield *at(name, "severity", rule), unsupported(value, SEVERITIES)


def _no_rule(rule: str, rules: Sequence[str]) -> str:
    return f"no rule {quoted(rule)}{did_you_mean(similar(rule, rules))}"


def _line(text: str, keys: Sequence[str]) -> int:
    """Return the line of a key. ``tomllib`` has no lines, so this looks for the key as it is usually written."""
    at, found = 0, 0
    lines = text.split("\n")
    for key in keys:
        word = re.compile(rf"""(?:^\s*\[?|[\s.{{,\["'])["']?{re.escape(key)}["']?\s*(?:=|\.|\])""")
        for number in range(at, len(lines)):
            if word.search(lines[number]):
                at, found = number, number + 1
                break
    return found


def _line_of_word(text: str, word: str, first: int) -> int:
    """Return the line of a text in quotes, from a line on; that line if it is nowhere."""
    lines = text.split("\n")
    for number in range(max(first - 1, 0), len(lines)):
        if f'"{word}"' in lines[number] or f"'{word}'" in lines[number]:
            return number + 1
    return first
