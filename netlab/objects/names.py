"""Rules for names, with the messages of the API server.

Source: k8s.io/apimachinery, pkg/util/validation. Every check returns messages, none if the value is valid. ``LabName``
is the type of names that become parts of file names and of network namespaces.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address

from netlab.errors import UsageError

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_UNDERSCORED = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_WITH_UNDERSCORE = rf"{_UNDERSCORED}(\.{_UNDERSCORED})*"
_DNS1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_NAME})?"
_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"

_BYTES = "bytes"
_LONGEST_NAME = 253

_is_label = re.compile(_LABEL).fullmatch
_is_subdomain = re.compile(_SUBDOMAIN).fullmatch
_is_dns1035 = re.compile(_DNS1035).fullmatch
_is_name = re.compile(_NAME).fullmatch
_is_value = re.compile(_VALUE).fullmatch

_NAME_RULE = (
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"
)


def _too_long(value: str, most: int) -> bool:
    # A command line argument that is not UTF-8 has surrogates.
    return len(value) > most or len(value.encode(errors="surrogatepass")) > most


def _length(most: int, unit: str = "characters") -> str:
    # Servers count bytes. Only messages about labels say so.
    return f"must be no more than {most} {unit}"


def _in_bytes(message: str) -> str:
    return f"{message.removesuffix('characters')}{_BYTES}" if message == _length(_LONGEST_NAME) else message


def _rule(text: str, regex: str, *examples: str) -> str:
    # The API server has the same two spaces between examples.
    shown = " or ".join(f"'{e}', " for e in examples)
    return f"{text} (e.g. {shown}regex used for validation is '{regex}')"


@lru_cache(maxsize=4096)
def dns_label(value: str) -> tuple[str, ...]:
    """Check an RFC 1123 label: namespaces, and the names of labs, their nodes, networks and hosts."""
    found = [_length(63)] if _too_long(value, 63) else []
    if not _is_label(value):
        found.append(
            "must not contain dots"
            if _is_subdomain(value)
            else _rule(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
                "and must start and end with an alphanumeric character",
                _LABEL,
                "my-name",
                "123-abc",
            )
        )
    return tuple(found)


@lru_cache(maxsize=4096)
def dns_subdomain(value: str) -> tuple[str, ...]:
    """Check an RFC 1123 subdomain: the names of most objects."""
    found = [_length(_LONGEST_NAME)] if _too_long(value, _LONGEST_NAME) else []
    if not _is_subdomain(value):
        found.append(
            _rule(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
                "and must start and end with an alphanumeric character",
                _SUBDOMAIN,
                "example.com",
            )
        )
    return tuple(found)


@lru_cache(maxsize=4096)
def subdomain_with_underscore(value: str) -> tuple[str, ...]:
    """Check an RFC 1123 subdomain whose labels may have underscores: the search domains of a resolver."""
    found = [_length(_LONGEST_NAME)] if _too_long(value, _LONGEST_NAME) else []
    if not re.fullmatch(_WITH_UNDERSCORE, value):
        found.append(
            _rule(
                "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', "
                "and must start and end with an alphanumeric character",
                _WITH_UNDERSCORE,
                "example.com",
            )
        )
    return tuple(found)


@lru_cache(maxsize=4096)
def wildcard_subdomain(value: str) -> tuple[str, ...]:
    """Check a host with a wildcard: ``*.`` and an RFC 1123 subdomain."""
    found = [_length(_LONGEST_NAME)] if _too_long(value, _LONGEST_NAME) else []
    if not (value.startswith("*.") and _is_subdomain(value[2:])):
        found.append(
            _rule(
                "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must "
                "consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
                rf"\*\.{_SUBDOMAIN}",
                "*.example.com",
            )
        )
    return tuple(found)


def path_segment(value: str) -> tuple[str, ...]:
    """Check a text that is a part of an URL's path: kinds and names of objects of any kind."""
    if value in (".", ".."):
        return (f"may not be '{value}'",)
    return tuple(f"may not contain '{one}'" for one in "/%" if one in value)


def domain_prefixed_path(value: str) -> tuple[tuple[str, str], ...]:
    """Check ``DOMAIN/PATH``, as of a controller; return the part that is wrong with each message."""
    domain, slash, path = value.partition("/")
    if not (domain and slash and path):
        return ((value, 'must be a domain-prefixed path (such as "acme.io/foo")'),)
    found = [(domain, message) for message in dns_subdomain(domain)]
    if not re.fullmatch(_PATH, path):
        found.append((path, f"Invalid path (regex used for validation is '{_PATH}')"))
    return tuple(found)


@lru_cache(maxsize=4096)
def dns1035_label(value: str) -> tuple[str, ...]:
    """Check an RFC 1035 label: the names of Services."""
    found = [_length(63)] if _too_long(value, 63) else []
    if not _is_dns1035(value):
        found.append(
            _rule(
                "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
                "start with an alphabetic character, and end with an alphanumeric character",
                _DNS1035,
                "my-name",
                "abc-123",
            )
        )
    return tuple(found)


@lru_cache(maxsize=65536)
def label_key(value: str) -> tuple[str, ...]:
    """Check a label's (or annotation's) key: ``NAME`` or ``PREFIX/NAME``."""
    found: list[str] = []
    prefix, slash, name = value.rpartition("/")
    if "/" in prefix:
        rule = _rule(_NAME_RULE, _NAME, "MyName", "my.name", "123-abc")
        return (f"a valid label key {rule} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')",)
    if slash and not prefix:
        found.append("prefix part must be non-empty")
    elif slash:
        found += [f"prefix part {_in_bytes(message)}" for message in dns_subdomain(prefix)]
    if not name:
        found.append("name part must be non-empty")
    elif _too_long(name, 63):
        found.append(f"name part {_length(63, _BYTES)}")
    if not _is_name(name):
        found.append(f"name part {_rule(_NAME_RULE, _NAME, 'MyName', 'my.name', '123-abc')}")
    return tuple(found)


@lru_cache(maxsize=65536)
def label_value(value: str) -> tuple[str, ...]:
    """Check a label's value; the empty string is valid."""
    found = [_length(63, _BYTES)] if _too_long(value, 63) else []
    if not _is_value(value):
        text = f"a valid label must be an empty string or {_NAME_RULE.removeprefix('must ')}"
        found.append(_rule(text, _VALUE, "MyValue", "my_value", "12345"))
    return tuple(found)


@lru_cache(maxsize=4096)
def port_name(value: str) -> tuple[str, ...]:
    """Check a port's name (IANA_SVC_NAME); several messages can apply at once."""
    found = [_length(15)] if _too_long(value, 15) else []
    if not re.fullmatch(r"[-a-z0-9]+", value):
        found.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not re.search(r"[a-z]", value):
        found.append("must contain at least one letter (a-z)")
    if "--" in value:
        found.append("must not contain consecutive hyphens")
    if value.startswith("-") or value.endswith("-"):
        found.append("must not begin or end with a hyphen")
    return tuple(found)


_RESERVED_LINKS = frozenset({"lo", "eth0", "underlay0", "all", "default", "gre0", "sit0", "ip6tnl0"})
_is_link = re.compile(r"[a-z][a-z0-9._-]{0,14}").fullmatch
_is_link_start = re.compile(r"[a-z][a-z0-9-]{0,7}").fullmatch
_is_mac = re.compile(r"[0-9a-f][02468ace](:[0-9a-f]{2}){5}").fullmatch


def interface(value: str) -> tuple[str, ...]:
    """Check the name of a network interface that a user chooses; names that netlab or the kernel uses are refused."""
    if not _is_link(value):
        return ("must have at most 15 lower case letters, digits, '-', '_' or '.', and begin with a letter",)
    return ("must not be a name that netlab or the kernel uses",) if value in _RESERVED_LINKS else ()


def interface_start(value: str) -> tuple[str, ...]:
    """Check the start of the names of interfaces."""
    return () if _is_link_start(value) else ("must have at most 8 lower case letters, digits or '-', a letter first",)


def mac(value: str) -> tuple[str, ...]:
    """Check the MAC of an interface."""
    fits = _is_mac(value) and value != "00:00:00:00:00:00"
    return () if fits else ("must be a unicast MAC of lower case digits, such as ee:ee:ee:ee:ee:ee",)


def ipv4(value: str) -> tuple[str, ...]:
    """Check an IPv4 address."""
    try:
        IPv4Address(value)
    except ValueError:
        return ("must be an IPv4 address",)
    return ()


_SHOWN = 80


class LabName(str):
    """The name of a lab: a DNS label of at most 63 characters.

    Names of files and network namespaces that netlab makes and removes as root begin with it.

    Raises:
      UsageError: if the text is not such a label.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> LabName:
        if isinstance(text, LabName):
            return text
        if messages := dns_label(text) if isinstance(text, str) else ("must be a string",):
            shown = repr(text)
            shown = shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 3]}..."
            raise UsageError(f"lab name {shown}: {'; '.join(messages)}")
        return super().__new__(cls, text)


def is_lab(text: str) -> bool:
    """Say whether a text can be the name of a lab."""
    return not dns_label(text)
