"""Ports as short text."""

from __future__ import annotations

from collections.abc import Iterable

from netlab.policy.reasons import service_text
from netlab.policy.tiers.tier import AskedPort

_MOST = 3


def ports_text(ports: Iterable[AskedPort], families: int = 1, most: int = _MOST) -> str:
    """Return ports as text: ``53/UDP, 53/TCP``; after ``most`` ports, the number of the others.

    Args:
      ports: IP family, protocol and port of each.
      families: the number of IP families in question; a port that is open in one of two has it: ``80/TCP IPv6``.
      most: the most ports that are named.
    """
    by_port: dict[tuple[str, int | None], list[int]] = {}
    for family, protocol, port in ports:
        by_port.setdefault((protocol, port), []).append(family)
    texts = [
        service_text(protocol, port) + (f" IPv{of[0]}" if len(of) < families else "")
        for (protocol, port), of in sorted(by_port.items(), key=lambda item: (item[0][1] or 0, item[0][0]))
    ]
    more = [f"{len(texts) - most} more"] if len(texts) > most + 1 else texts[most:]
    return ", ".join([*texts[:most], *more])
