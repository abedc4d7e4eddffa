"""Which packets a raw socket takes: the probes of one run and their answers, as classic BPF programs.

The filter of a raw IPv4 socket sees a packet with its IP header (net/ipv4/raw.c, raw_rcv). The filter of a raw IPv6
socket sees the packet without IP headers (net/ipv6/raw.c, rawv6_rcv). Each program puts the length of the IP header
that it sees into X.
"""

from __future__ import annotations

from netlab.kernel.bpf import (
    AND,
    DROP,
    JEQ,
    JGE,
    JSET,
    KEEP,
    LD_BYTE,
    LD_HALF,
    LD_WORD,
    LDX,
    LDX_HEADER_LENGTH,
    SUB,
    Instruction,
    assemble,
)
from netlab.probe.templates import CONTROL, MAGIC, NUMBERS, REPLY_MAGIC

# Ids of one run lie in [first, first + WINDOW), modulo 2**32.
WINDOW = 1 << 26
# Bytes. A probe is shorter, and so is an ICMP error with the probe that it quotes.
SNAPSHOT = 256

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
    header = Instruction(LDX_HEADER_LENGTH, 0) if family == 4 else Instruction(LDX, 0)
    return assemble([header, *body], SNAPSHOT)


def _in_window(offset: int, first: int, label: str = "") -> list[Instruction]:
    """Keep the packet when the word at ``offset`` is an id of this run."""
    return [
        Instruction(LD_WORD, offset, label=label),
        Instruction(SUB, first),
        Instruction(JGE, WINDOW, yes=DROP, no=KEEP),
    ]


def _payload(offset: int, first: int, label: str = "", also: int = MAGIC) -> list[Instruction]:
    """Keep the packet when a magic word stands at ``offset`` and an id of this run after it."""
    return [
        Instruction(LD_WORD, offset, label=label),
        Instruction(JEQ, MAGIC, yes="id"),
        Instruction(JEQ, also, no=DROP),
        *_in_window(offset + 4, first, label="id"),
    ]


def _tcp(first: int) -> list[Instruction]:
    """A SYN whose sequence number, or a SYN-ACK or RST whose acknowledgement less one, is an id."""
    syn, rst, syn_ack, mask = 0x02, 0x04, 0x12, 0x17
    return [
        Instruction(LD_BYTE, 13),
        Instruction(AND, mask),
        Instruction(JEQ, syn, yes="arrival"),
        Instruction(JEQ, syn_ack, yes="answer"),
        Instruction(JSET, rst, no=DROP),
        *_in_window(8, (first + 1) % (1 << 32), label="answer"),
        *_in_window(4, first, label="arrival"),
    ]


def _udp(first: int, ports: range) -> list[Instruction]:
    """A datagram to a source port of the run, or with a probe's payload."""
    return [
        Instruction(LD_HALF, 2),
        Instruction(SUB, ports.start),
        Instruction(JGE, len(ports), no=KEEP),
        *_payload(8, first, also=REPLY_MAGIC),
    ]


def _icmp(first: int, ports: range, family: int) -> list[Instruction]:
    """Echo requests and replies with a probe's payload, and errors. An error about a port must quote a port of the run.

    A closed UDP port answers with an error, so a run would read the errors of other runs.
    """
    request, reply, errors = _ICMP_TYPES[family]
    protocol, body = _QUOTED[family]
    return [
        Instruction(LD_BYTE, 0),
        Instruction(JEQ, request, yes="echo"),
        *(Instruction(JEQ, kind, yes="error") for kind in errors),
        Instruction(JEQ, reply, no=DROP),
        *_payload(8, first, label="echo"),
        Instruction(LD_BYTE, protocol, label="error"),
        *(Instruction(JEQ, NUMBERS[name], yes="ports") for name in ("TCP", "UDP")),
        Instruction(JEQ, NUMBERS["SCTP"], no=KEEP),
        Instruction(LD_HALF, body, label="ports"),
        Instruction(SUB, ports.start),
        Instruction(JGE, len(ports), yes=DROP, no=KEEP),
    ]


def _sctp(first: int) -> list[Instruction]:
    """An INIT whose initiate tag, or an INIT-ACK or ABORT whose verification tag, is an id."""
    init, init_ack, abort = 1, 2, 6
    return [
        Instruction(LD_BYTE, 12),
        Instruction(JEQ, init, yes="arrival"),
        Instruction(JEQ, init_ack, yes="answer"),
        Instruction(JEQ, abort, no=DROP),
        *_in_window(4, first, label="answer"),
        *_in_window(16, first, label="arrival"),
    ]
