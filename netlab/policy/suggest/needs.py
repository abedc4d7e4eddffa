"""Needs: which connections must pass, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from netlab.frozen import NamedTuple
from netlab.objects.policies import IPBlock
from netlab.objects.types import Protocol

Kind = Literal["declared", "observed", "dns", "ingress", "outside", "controller"]
"""Where a need comes from. ``dns``: the destination is the cluster's DNS; ``ingress``: the source is an ingress
controller; ``controller``: the destination is an ingress controller, and the source is outside of the cluster."""


class Pods(NamedTuple):
    """An end of a need: the pods of one label class, by its number."""

    number: int


class Addresses(NamedTuple):
    """An end of a need: addresses of something that no selector selects; ``name`` is the name of their owner."""

    block: IPBlock
    name: str = ""


class DnsServers(NamedTuple):
    """An end of a need: the cluster's DNS, in an input that has no pods of it."""


End = Pods | Addresses | DnsServers


class Why(NamedTuple):
    """Why a need exists: ``text`` is a sentence, ``place`` its ``FILE:LINE`` or ""."""

    text: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.text} ({self.place})" if self.place else self.text


class Need(NamedTuple):
    """One need: the source may open a port of the destination. The port is the pod's own."""

    source: End
    destination: End
    protocol: Protocol
    port: int
    kind: Kind
    why: Why

    @property
    def connection(self) -> tuple[End, End, Protocol, int]:
        """What is needed, without the reason."""
        return self.source, self.destination, self.protocol, self.port


class Unknown(NamedTuple):
    """Something that may be a need, and why netlab cannot tell."""

    message: str
    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


def merged(needs: Iterable[Need]) -> dict[tuple[End, End, Protocol, int], list[Need]]:
    """Return the needs by connection, in order; needs of one connection differ in their reasons."""
    found: dict[tuple[End, End, Protocol, int], list[Need]] = {}
    for need in dict.fromkeys(needs):
        found.setdefault(need.connection, []).append(need)
    return found
