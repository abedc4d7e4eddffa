"""Hosts in texts: what is found, and that a text of a stranger costs little."""

from __future__ import annotations

import pytest

from netlab.policy.suggest.hostnames import hosts_in


def found(text: str, name: str = "", **beside: str) -> list[tuple[str, int]]:
    return [(one.host, one.port) for one in hosts_in(name, text, beside)]


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("http://a/b:81", [("a", 80)]),
        ("https://A.example./", [("a.example", 443)]),
        ("amqp://u:p@mq:5673/v", [("mq", 5673)]),
        ("mongodb://m-0.m:27017,m-1.m:27017/x", [("m-0.m", 27017), ("m-1.m", 27017)]),
        ("mysql+ssl://db", [("db", 3306)]),
        ("http://[fd00::5]:81/", [("fd00::5", 81)]),
        ("[fd00::5]:81", [("fd00::5", 81)]),
        ("udp://log:514", [("log", 514)]),
        ("a:1, b:2", [("a", 1), ("b", 2)]),
        ("upstream x { server a.b.svc.cluster.local; }", [("a.b.svc.cluster.local", 0)]),
        ("http://localhost:80 http://127.0.0.1:80", []),
        ("2026-11-20T10:00:01", []),
        ("a:99999", []),
        ("0.5:1 12:30 1.2.3:4", []),
        ("192.0.2.1:80", [("192.0.2.1", 80)]),
        ("", []),
    ],
)
def test_hosts_of_a_text(text: str, hosts: list[tuple[str, int]]) -> None:
    """URLs with the port of their scheme, hosts with ports, names of Services."""

    assert hosts == found(text)


@pytest.mark.parametrize(
    "text", ["a" * 65_536, "a." * 32_768, "\n" * 65_536, "a://" * 16_384, "a:1 " * 16_384, "[" * 65_536]
)
def test_a_long_text_names_few_hosts(text: str) -> None:
    """At most 200 hosts count. A pattern that is slow for such a text would stop this test."""
    assert len(found(text, "HOST")) <= 200
