"""The value of a plain YAML scalar, as kubectl reads it (sigs.k8s.io/yaml: YAML 1.1 with go-yaml v2).

Checked with ``kubectl annotate --local -o json``: ``yes``, ``on`` and ``y`` are true, ``010`` is 8, ``1_000`` is 1000,
``08`` (not octal) is 8. Timestamps and sexagesimal numbers are strings. A float without a fraction is an integer, as
go-yaml writes it as JSON without one.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

Scalar = str | int | float | bool | None

_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], True),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], False),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], math.inf),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], -math.inf),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], math.nan),
}
_NUMBER_STARTS = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?(?:(0[xX])[0-9a-fA-F]+|(0[bB])[01]+|(0[oO]?)[0-7]+|0|[1-9][0-9]*)")
# More digits than the largest float has. Python's int() refuses more than 4,300.
DIGITS = 310
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


@lru_cache(maxsize=65536)
def resolve(text: str) -> Scalar:
    """Return the value of a plain (unquoted, untagged) scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    plain = text.replace("_", "")
    if match := _INTEGER.fullmatch(plain):
        hexadecimal, binary, octal = match.groups()
        digits = plain.lstrip("+-")
        if len(plain) > DIGITS:
            return number(float(plain), text) if _FLOAT.fullmatch(plain) else text
        base, skip = (16, 2) if hexadecimal else (2, 2) if binary else (8, len(octal)) if octal else (10, 0)
        value = int(digits[skip:], base)
        return -value if plain[0] == "-" else value
    # Underscores are allowed between digits only: `_1` and `._1` are strings.
    if _FLOAT.fullmatch(plain) and not text.startswith(("._", "_")):
        return number(float(plain), text)
    return text


def number(value: float, text: str) -> Scalar:
    """Return a float as JSON has it: an integer if it has no fraction, the text if it is infinite."""
    if math.isinf(value):
        return text
    return int(value) if value.is_integer() else value


def key_text(key: Scalar) -> str | None:
    """Return the string that kubectl makes of a mapping key, None if it refuses the key."""
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    return None if key is None else str(key)
