"""Hosts and ports that a text names: URLs, ``host:port``, names of Services, and a host beside its port."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence

from netlab.frozen import NamedTuple
from netlab.objects.addresses import plain_address
from netlab.objects.types import LAST_PORT
from netlab.patterns import pattern

_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?"
_URL = pattern(
    rf"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{{0,30}})://(?:[^\s/@'\"]{{0,512}}@)?"
    rf"(?:\[(?P<ipv6>[0-9A-Fa-f:.]{{2,45}})\]|(?P<host>{_HOST}))(?::(?P<port>\d{{1,5}}))?"
)
_IPV6 = r"\[(?P<ipv6>[0-9A-Fa-f:.]{2,45})\]"
_WITH_PORT = pattern(rf"(?<![\w./-])(?:{_IPV6}|(?P<host>{_HOST})):(?P<port>[1-9]\d{{0,4}})(?![\w.-])")
_LABEL = r"[a-z0-9-]{1,63}"
_SERVICE = pattern(rf"(?<![\w./@-])(?P<host>{_LABEL}(?:\.{_LABEL}){{1,3}}\.svc(?:\.{_LABEL}){{0,5}})(?![\w:-])")
# A line of a file of settings: a key, and a value that is one word.
_LINE = pattern(
    r"""^[ \t]*["']?(?P<name>[\w.-]{1,100})["']?[ \t]*[=:][ \t]*"""
    r"""["']?(?P<value>[A-Za-z0-9.-]{1,253})["']?[ \t]*[,;]?\r?$""",
    re.MULTILINE,
)
_PLAIN = pattern(_HOST)
# What names of variables, flags and keys end with if they hold a host.
_ENDINGS = (
    *("hostname", "host", "addresses", "address", "addr", "servers", "server", "service", "url", "uri", "endpoint"),
    *("brokers", "broker", "upstream", "backend", "target", "peers", "nodes"),
)
_PORTS = {
    "http": 80,
    "https": 443,
    "ws": 80,
    "wss": 443,
    "postgres": 5432,
    "postgresql": 5432,
    "mysql": 3306,
    "mariadb": 3306,
    "redis": 6379,
    "rediss": 6379,
    "amqp": 5672,
    "amqps": 5671,
    "mongodb": 27017,
    "nats": 4222,
    "ldap": 389,
    "ldaps": 636,
    "smtp": 25,
    "memcached": 11211,
    "mqtt": 1883,
    "kafka": 9092,
}
_LOCAL = frozenset({"localhost", "localhost.localdomain", "0.0.0.0", "127.0.0.1", "::1", "::"})  # noqa: S104
# More than the length of any text.
_LONGEST = 1 << 62
# The most hosts of one text.
_MOST = 200


class Named(NamedTuple):
    """A host that a text names. ``port`` is 0 and ``protocol`` "" if the text has none.

    ``certain``: the form of the text shows that it is a host, as in a URL. If not, it is one only if there is such a
    Service.
    """

    host: str
    port: int
    protocol: str = ""
    certain: bool = True


def hosts_in(name: str, text: str, beside: Mapping[str, str]) -> Iterator[Named]:
    """Yield the hosts that a text names, each once.

    ``name`` is that of its variable or flag; ``beside`` are other variables with their values.
    """
    found: dict[tuple[str, int], None] = {}
    for one in _candidates(name, text, beside):
        host = one.host.rstrip(".").lower()
        if host in _LOCAL or host.startswith("127.") or one.port > LAST_PORT or (host, one.port) in found:
            continue
        # A name ends with letters; numbers such as 0.5:1 are no hosts.
        if host.rpartition(".")[2].isdecimal() and plain_address(host) is None:
            continue
        found[host, one.port] = None
        yield one._replace(host=host)
        if len(found) == _MOST:
            return


def _candidates(name: str, text: str, beside: Mapping[str, str]) -> Iterator[Named]:
    spans: list[tuple[int, int]] = []
    with_port: list[tuple[int, int]] = []
    for match in _URL.finditer(text):
        spans.append(match.span())
        scheme = match["scheme"].lower()
        port = int(match["port"] or _PORTS.get(scheme.rpartition("+")[0] or scheme, 0))
        yield Named(match["ipv6"] or match["host"], port, "UDP" if scheme == "udp" else "")
    for match in _WITH_PORT.finditer(text):
        if not _inside(spans, match.start()):
            with_port.append(match.span())
            host = match["ipv6"] or match["host"]
            yield Named(host, int(match["port"]), certain="." in host or ":" in host)
    for match in _SERVICE.finditer(text):
        if not _inside(spans, match.start()) and not _inside(with_port, match.start()):
            yield Named(match["host"], _port_beside(name, beside) if match.group() == text.strip() else 0)
    if spans or with_port:
        return
    plain = text.strip()
    if _PLAIN.fullmatch(plain) and _holds_host(name):
        yield Named(plain, _port_beside(name, beside), certain=False)
    if "\n" in text:
        values = {match["name"]: match["value"] for match in _LINE.finditer(text)}
        for key, value in values.items():
            if _holds_host(key) and _PLAIN.fullmatch(value):
                yield Named(value, _port_beside(key, values), certain=False)


def _inside(spans: Sequence[tuple[int, int]], place: int) -> bool:
    """Say whether a place is inside one of the spans, which are in order."""
    at = bisect_right(spans, (place, _LONGEST)) - 1
    return at >= 0 and place < spans[at][1]


def _holds_host(name: str) -> bool:
    return name.lower().endswith(_ENDINGS)


def _port_beside(name: str, beside: Mapping[str, str]) -> int:
    """Return the value of the variable with the same name and PORT in place of HOST, 0 if there is none."""
    lower = name.lower()
    for ending in _ENDINGS:
        if lower.endswith(ending):
            stem = lower[: -len(ending)]
            for key, value in beside.items():
                if key.lower() in (f"{stem}port", f"{lower}_port", f"{lower}-port") and value.strip().isdecimal():
                    number = int(value.strip()[:6])
                    return number if 0 < number <= LAST_PORT else 0
            break
    return 0
