"""What a WireGuard device has, as values: its key, its UDP port and its peers; and a change of them.

They are apart from the wanted state of namespaces, as other machines choose a part of them.
"""

from __future__ import annotations

import re
from dataclasses import field

from netlab.frozen import frozen
from netlab.objects.types import Address


@frozen
class Key:
    """A private key and its public key, both in base64."""

    private: str = field(repr=False)
    public: str


@frozen
class Peer:
    """Another device: its public key, the address of its machine, and its UDP port.

    The address is also the only one that packets from it may have inside. ``begins`` is whether this device begins
    sessions with it at once. Only one of two devices should: if both begin at the same moment, the kernels drop both
    answers, and try again after five seconds (REKEY_TIMEOUT, drivers/net/wireguard/messages.h).
    """

    key: str
    address: Address
    port: int
    begins: bool = False


@frozen
class Device:
    """What a device has: its key, None for a new one, its UDP port, its peers, and the keys of those with a session."""

    key: Key | None
    port: int
    peers: tuple[Peer, ...] = ()
    sessions: frozenset[str] = field(default=frozenset(), compare=False)


@frozen
class Change:
    """A change of a device: a key and a port to set, public keys of peers to remove, and peers to add or change."""

    key: Key | None = None
    port: int = 0
    remove: tuple[str, ...] = ()
    add: tuple[Peer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.key or self.port or self.remove or self.add)


def is_key(text: str) -> bool:
    """Return whether a text is a key in base64, as the kernel's are written: 32 bytes, and no bit beside them."""
    return re.fullmatch(r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=", text) is not None
