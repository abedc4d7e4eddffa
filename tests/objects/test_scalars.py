"""Scalars have the values that kubectl reads."""

from __future__ import annotations

import pytest

from netlab.objects.scalars import key_text, resolve

# Each pair is what `kubectl annotate --local -o json` (1.32) made of the scalar.
KUBECTL = [
    *[(word, True) for word in ("yes", "on", "True", "TRUE", "y", "Y")],
    *[(word, False) for word in ("no", "Off", "false", "n", "N")],
    *[(word, None) for word in ("", "~", "null", "Null", "NULL")],
    *[(word, word) for word in ("oN", "tRUE", "nULL", "web", "yn", "-", "_", "_1", "=", "<<")],
    *[("0o10", 8), ("010", 8), ("-010", -8), ("0O7", 7), ("-0o7", -7), ("0x1F", 31), ("0X1F", 31), ("-0x1", -1)],
    *[("0b11", 3), ("0B1", 1), ("-0b11", -3), ("0b1_1", 3), ("1_000", 1000), ("1__0", 10), ("1_", 1), ("+5", 5)],
    *[("08", 8), ("018", 18), ("1.", 1), ("1.0", 1), ("1e3", 1000), ("1e+3", 1000), ("1E5", 100000), ("1.e3", 1000)],
    *[(".5", 0.5), ("-.5", -0.5), ("+.5", 0.5), ("1_0.5", 10.5), (".1_0", 0.1), (".5e3", 500), ("1.50", 1.5)],
    *[(word, word) for word in ("0x", "0o", "0b", "0b2", "0o8", "5e", "1e400", "._1", "1" * 6000)],
    *[(word, word) for word in ("2001-01-01", "2001-01-01T00:00:00Z", "12:30:45", "190:20", "10.0.0.0/8", "1.2.3")],
]


@pytest.mark.parametrize(("text", "value"), KUBECTL, ids=[repr(text[:40]) for text, _ in KUBECTL])
def test_a_plain_scalar_means_what_kubectl_takes_it_for(text: str, value: object) -> None:
    """Words, integers of every base and floats are read as by kubectl. Dates and sexagesimal numbers are strings."""
    found = resolve(text)

    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize(("key", "text"), [("a", "a"), (1, "1"), (1.5, "1.5"), (True, "true"), (False, "false")])
def test_a_key_becomes_a_string(key: str | int | float | bool, text: str) -> None:
    """A mapping's key becomes a string, whatever its type."""
    assert text == key_text(key)


def test_null_is_no_key() -> None:
    """kubectl refuses a null key."""
    assert key_text(None) is None
