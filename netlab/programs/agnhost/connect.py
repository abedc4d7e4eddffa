"""``agnhost connect``: whether a port answers; what stops it is a word that tests look for."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Sequence

from netlab.programs.agnhost import flags
from netlab.programs.agnhost.sockets import KINDS, Address, joined, new_socket, peer, resolve, split, why

FLAGS = {"timeout": 0.0, "protocol": "tcp", "udp-data": "hostname", "sctp-data": "hostname"}
_CHUNK = 1024


def main(words: Sequence[str]) -> int:
    """Connect to ``host:port``; return the exit code.

    Standard error begins with UNKNOWN, TIMEOUT, DNS, REFUSED or OTHER.
    """
    found, (target,) = flags.parse(words, FLAGS, 1)
    timeout = found["timeout"]
    match found["protocol"]:
        case "" | "tcp":
            said = _tcp(target, timeout)
        case "udp":
            said = _udp(target, timeout, found["udp-data"])
        case "sctp":
            said = _sctp(target, timeout, found["sctp-data"])
        case other:
            said = f"Unsupported protocol\n{other}"
    if said:
        sys.stderr.write(f"{said}\n")
    return 1 if said else 0


def _tcp(target: str, timeout: float) -> str:
    try:
        split(target)
    except ValueError as error:
        return f"UNKNOWN: {error}"
    try:
        addresses = resolve(target, "tcp")
    except ValueError as error:
        return f"DNS: {error}"
    first = ""
    until = time.monotonic() + timeout
    for number, one in enumerate(addresses):
        # Each address has its part of the time that is left.
        left = (until - time.monotonic()) / (len(addresses) - number)
        said = _dial_tcp(one, left if timeout else None)
        if not said:
            return ""
        first = first or said
    return first


def _dial_tcp(address: Address, timeout: float | None) -> str:
    if timeout is not None and timeout <= 0:
        return "TIMEOUT"
    try:
        with socket.socket(address.family, *KINDS["tcp"]) as made:
            made.settimeout(timeout)
            made.connect((address.host, address.port))
    except TimeoutError:
        return "TIMEOUT"
    except ConnectionRefusedError:
        return "REFUSED"
    except OSError as error:
        return f"OTHER: dial tcp {address}: connect: {why(error)}"
    return ""


def _udp(target: str, timeout: float, data: str) -> str:
    try:
        address = resolve(target, "udp")[0]
    except ValueError as error:
        return f"DNS: {error}"
    try:
        made = socket.socket(address.family, *KINDS["udp"])
        made.connect((address.host, address.port))
    except OSError as error:
        return f"OTHER: dial udp {address}: connect: {why(error)}"
    with made:
        made.settimeout(timeout or None)
        way = f"{peer(made.getsockname())}->{joined(address.host, address.port)}"
        step = "write"
        try:
            made.send(f"{data}\n".encode())
            step = "read"
            answer = made.recv(_CHUNK)
        except TimeoutError:
            return f"TIMEOUT: {step} udp {way}: i/o timeout"
        except ConnectionRefusedError:
            return f"REFUSED: {step} udp {way}: {step}: connection refused"
        except OSError as error:
            return f"UNKNOWN: {step} udp {way}: {step}: {why(error)}"
    return (
        "" if answer else "OTHER: No data received from the server. Cannot guarantee the server received the request."
    )


def _sctp(target: str, timeout: float, data: str) -> str:
    try:
        address = resolve(target, "sctp")[0]
    except ValueError as error:
        return f"DNS: {error}"
    if timeout <= 0:
        return "TIMEOUT"
    until = time.monotonic() + timeout
    try:
        with new_socket(address.family, "sctp") as made:
            made.settimeout(timeout)
            made.connect((address.host, address.port))
            made.settimeout(max(until - time.monotonic(), 0.001))
            made.send(f"{data}\n".encode())
            if not made.recv(_CHUNK):
                return "OTHER: EOF"
    except TimeoutError:
        return "TIMEOUT"
    except OSError as error:
        return f"OTHER: {why(error)}"
    return ""
