"""Classic BPF programs that let only probes and their answers reach a raw socket.

A raw IPv4 socket's filter sees the packet from its IP header on (net/ipv4/raw.c, raw_rcv), a raw IPv6 socket's from
what follows its IP headers (net/ipv6/raw.c, rawv6_rcv). Loads beyond the end of a packet end the program with "drop"
(Documentation/networking/filter.rst). Each program leaves the length of the IP header that it sees in X and judges
what follows.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import NamedTuple

from netlab.probe.templates import CONTROL, MAGIC, NUMBERS, REPLY_MAGIC

# Ids of one run lie in [first, first + WINDOW), modulo 2**32.
WINDOW = 1 << 26
# A probe, or an ICMP error with the probe that it quotes, is shorter.
SNAPSHOT = 256

_LDX_HEADER_LENGTH, _LDX = 0xB1, 0x01  # ldx 4*([k]&0xf), ldx #k
_LD_WORD, _LD_HALF, _LD_BYTE = 0x40, 0x48, 0x50  # ld, ldh, ldb [x + k]
_SUB, _AND = 0x14, 0x54
_JEQ, _JGE, _JSET = 0x15, 0x35, 0x45
_RETURN = 0x06
_SO_ATTACH_FILTER = 26

_INSTRUCTION = struct.Struct("=HBBI")
_KEEP, _DROP = "keep", "drop"


class _Step(NamedTuple):
    """One instruction; ``yes`` and ``no`` name the labels that a jump goes to, "" is the next instruction."""

    code: int
    k: int
    yes: str = ""
    no: str = ""
    label: str = ""


# ICMP types: echo request, echo reply, and unreachable, time exceeded, parameter problem (RFC 792, RFC 4443).
_ICMP_TYPES = {4: (8, 0, (3, 11, 12)), 6: (128, 129, (1, 3, 4))}
# Where an error has the protocol of the packet that it quotes, and where that packet's IP header ends.
_QUOTED = {4: (8 + 9, 8 + 20), 6: (8 + 6, 8 + 40)}


def program(protocol: str, first: int, ports: range, family: int = 4) -> bytes:
    """Return the filter of a raw socket of a protocol and family, as an array of ``struct sock_filter``.

    ``first`` is the first id of the run, ``ports`` are the source ports that its probes are sent from.
    """
    body = {
        "TCP": _tcp(first),
        "UDP": _udp(first, ports),
        "ICMP": _icmp(first, ports, family),
        "SCTP": _sctp(first),
        CONTROL: _payload(0, first),
    }[protocol]
    return _assembled(_Step(_LDX_HEADER_LENGTH, 0) if family == 4 else _Step(_LDX, 0), body)


def attach(sock: socket.socket, filter_program: bytes) -> None:
    """Make the socket take only what the program keeps."""
    code = ctypes.create_string_buffer(filter_program, len(filter_program))
    sock.setsockopt(
        socket.SOL_SOCKET,
        _SO_ATTACH_FILTER,
        struct.pack("@HP", len(filter_program) // _INSTRUCTION.size, ctypes.addressof(code)),
    )


def _in_window(offset: int, first: int, label: str = "") -> list[_Step]:
    """Keep the packet when the word at ``offset`` is an id of this run."""
    return [
        _Step(_LD_WORD, offset, label=label),
        _Step(_SUB, first),
        _Step(_JGE, WINDOW, yes=_DROP, no=_KEEP),
    ]


def _payload(offset: int, first: int, label: str = "", also: int = MAGIC) -> list[_Step]:
    """Keep the packet when a magic word stands at ``offset`` and an id of this run after it."""
    return [
        _Step(_LD_WORD, offset, label=label),
        _Step(_JEQ, MAGIC, yes="id"),
        _Step(_JEQ, also, no=_DROP),
        *_in_window(offset + 4, first, label="id"),
    ]


def _tcp(first: int) -> list[_Step]:
    """A SYN whose sequence number, or a SYN-ACK or RST whose acknowledgement less one, is an id."""
    syn, rst, syn_ack, mask = 0x02, 0x04, 0x12, 0x17
    return [
        _Step(_LD_BYTE, 13),
        _Step(_AND, mask),
        _Step(_JEQ, syn, yes="arrival"),
        _Step(_JEQ, syn_ack, yes="answer"),
        _Step(_JSET, rst, no=_DROP),
        *_in_window(8, (first + 1) % (1 << 32), label="answer"),
        *_in_window(4, first, label="arrival"),
    ]


def _udp(first: int, ports: range) -> list[_Step]:
    """Anything that is sent to a probe's source port, and everything with a probe's payload."""
    return [
        _Step(_LD_HALF, 2),
        _Step(_SUB, ports.start),
        _Step(_JGE, len(ports), no=_KEEP),
        *_payload(8, first, also=REPLY_MAGIC),
    ]


def _icmp(first: int, ports: range, family: int) -> list[_Step]:
    """Echo requests and replies with a probe's payload, and errors, of those that quote ports only about a probe's.

    A closed UDP port answers with an error: runs beside one another would read one another's.
    """
    request, reply, errors = _ICMP_TYPES[family]
    protocol, body = _QUOTED[family]
    return [
        _Step(_LD_BYTE, 0),
        _Step(_JEQ, request, yes="echo"),
        *(_Step(_JEQ, kind, yes="error") for kind in errors),
        _Step(_JEQ, reply, no=_DROP),
        *_payload(8, first, label="echo"),
        _Step(_LD_BYTE, protocol, label="error"),
        *(_Step(_JEQ, NUMBERS[name], yes="ports") for name in ("TCP", "UDP")),
        _Step(_JEQ, NUMBERS["SCTP"], no=_KEEP),
        _Step(_LD_HALF, body, label="ports"),
        _Step(_SUB, ports.start),
        _Step(_JGE, len(ports), yes=_DROP, no=_KEEP),
    ]


def _sctp(first: int) -> list[_Step]:
    """An INIT whose initiate tag, or an INIT-ACK or ABORT whose verification tag, is an id."""
    init, init_ack, abort = 1, 2, 6
    return [
        _Step(_LD_BYTE, 12),
        _Step(_JEQ, init, yes="arrival"),
        _Step(_JEQ, init_ack, yes="answer"),
        _Step(_JEQ, abort, no=_DROP),
        *_in_window(4, first, label="answer"),
        *_in_window(16, first, label="arrival"),
    ]


def _assembled(start: _Step, body: list[_Step]) -> bytes:
    steps = [
        start,
        *body,
        _Step(_RETURN, SNAPSHOT, label=_KEEP),
        _Step(_RETURN, 0, label=_DROP),
    ]
    places = {step.label: place for place, step in enumerate(steps) if step.label}

    def distance(label: str, place: int) -> int:
        return places[label] - place - 1 if label else 0

    return b"".join(
        _INSTRUCTION.pack(step.code, distance(step.yes, place), distance(step.no, place), step.k)
        for place, step in enumerate(steps)
    )
