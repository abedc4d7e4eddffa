"""Rules for names, with the API server's messages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from netlab.errors import UsageError
from netlab.objects import names

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
SERVICE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, "
    "and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
)
KEY = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character "
    "(e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation "
    "is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
SLASHES = f"a valid label key {KEY} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
CHARACTERS = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"
LETTER = "must contain at least one letter (a-z)"
HYPHENS = "must not contain consecutive hyphens"
ENDS = "must not begin or end with a hyphen"

CASES: list[tuple[Callable[[str], tuple[str, ...]], str, list[str]]] = [
    (names.dns_label, "web-1", []),
    (names.dns_label, "a" * 63, []),
    (names.dns_label, "a" * 64, ["must be no more than 63 characters"]),
    (names.dns_label, "a.b", ["must not contain dots"]),
    (names.dns_label, "Web", [LABEL]),
    (names.dns_label, "web-", [LABEL]),
    (names.dns_label, "web\n", [LABEL]),
    (names.dns_subdomain, "a.b-c.d", []),
    (names.dns_subdomain, "a..b", [SUBDOMAIN]),
    (names.dns_subdomain, "a_b", [SUBDOMAIN]),
    (names.dns_subdomain, "a" * 254, ["must be no more than 253 characters"]),
    (names.dns1035_label, "web", []),
    (names.dns1035_label, "1web", [SERVICE]),
    (names.label_key, "app", []),
    (names.label_key, "app.kubernetes.io/name", []),
    (names.label_key, "Under_score.dot", []),
    (names.label_key, "", ["name part must be non-empty", f"name part {KEY}"]),
    (names.label_key, "a/", ["name part must be non-empty", f"name part {KEY}"]),
    (names.label_key, "/a", ["prefix part must be non-empty"]),
    (names.label_key, "A/a", [f"prefix part {SUBDOMAIN}"]),
    (names.label_key, f"{'a' * 254}/b", ["prefix part must be no more than 253 bytes"]),
    (names.label_key, "a" * 64, ["name part must be no more than 63 bytes"]),
    (names.label_key, "-a", [f"name part {KEY}"]),
    (names.label_key, "a/b/c", [SLASHES]),
    (names.label_value, "", []),
    (names.label_value, "a_B.1", []),
    (names.label_value, "a b", [VALUE]),
    (names.label_value, "\udcff", [VALUE]),
    (names.label_value, "a" * 64, ["must be no more than 63 bytes"]),
    (names.port_name, "http-2", []),
    (names.port_name, "http-and-more-80", ["must be no more than 15 characters"]),
    (names.port_name, "80", [LETTER]),
    (names.port_name, "HTTP", [CHARACTERS, LETTER]),
    (names.port_name, "a--b", [HYPHENS]),
    (names.port_name, "-a", [ENDS]),
    (names.port_name, "", [CHARACTERS, LETTER]),
    (names.port_name, "--", [LETTER, HYPHENS, ENDS]),
]


@pytest.mark.parametrize(
    ("check", "value", "messages"), CASES, ids=[f"{check.__name__} {value[:20]!r}" for check, value, _ in CASES]
)
def test_names(check: Callable[[str], tuple[str, ...]], value: str, messages: list[str]) -> None:
    """A name is valid, or has the API server's messages."""
    assert messages == list(check(value))


@pytest.mark.parametrize("text", ["a", "a-1", "0", "a" * 63])
def test_the_name_of_a_lab_is_a_dns_label(text: str) -> None:
    """It has at most 63 characters, and equals its text."""
    name = names.LabName(text)

    assert text == name
    assert name is names.LabName(name)
    assert names.is_lab(text)


NO_LABS = (
    "",
    ".",
    "..",
    "../x",
    "a/b",
    "/",
    "a.b",
    "A",
    "a_b",
    "-a",
    "a-",
    "a\n",
    "a\nb",
    "a\0",
    "ä",
    "\udcff",
    "a" * 64,
)


@pytest.mark.parametrize("text", NO_LABS, ids=[repr(text[:20]) for text in NO_LABS])
def test_another_text_is_no_lab_name(text: str) -> None:
    """The message has the text, in one printable line."""
    with pytest.raises(UsageError, match="lab name ") as raised:
        names.LabName(text)

    assert str(raised.value).isprintable()
    assert not names.is_lab(text)


def test_another_type_is_no_lab_name() -> None:
    """A program may pass any value."""
    with pytest.raises(UsageError, match="lab name None: must be a string"):
        names.LabName(None)  # type: ignore[arg-type]
