"""Connections from netlab, as the nodes, into network namespaces of a lab."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from ipaddress import ip_address

from netlab.control_plane.nodes.reachable import Place, Unreachable
from netlab.errors import NotFound
from netlab.kernel.machine import Inside


async def connect(inside: Inside, place: Place) -> socket.socket:
    """Return a connection to a place, from its namespace. ``inside`` enters one, as ``Machine.inside``.

    Raises:
      Unreachable: when the namespace is gone.
      NetlabError, OSError: when the namespace cannot be entered, or the connection is refused.
    """
    opened = await asyncio.to_thread(_socket, inside, place)
    try:
        await asyncio.get_running_loop().sock_connect(opened, (place.address, place.port))
    except BaseException:
        opened.close()
        raise
    return opened


def _socket(inside: Inside, place: Place) -> socket.socket:
    """Return a socket of a namespace, in which it stays."""
    family = socket.AF_INET6 if ip_address(place.address).version == 6 else socket.AF_INET
    try:
        with inside(place.namespace) if place.namespace else contextlib.nullcontext():
            opened = socket.socket(family, socket.SOCK_STREAM)
    except NotFound as error:
        raise Unreachable(str(error)) from error
    opened.setblocking(False)
    return opened
