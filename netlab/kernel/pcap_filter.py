"""Filters in the syntax of pcap-filter(7), compiled by libpcap to classic BPF programs.

libpcap is called in this process, by ctypes. It would ask the host's DNS for the name of a machine, so words that are
no part of the syntax are refused before.
"""

from __future__ import annotations

import ctypes
import re
import struct
from ipaddress import IPv6Address
from typing import Any

from netlab.errors import HostError, UsageError
from netlab.kernel.packet_sockets import ETHERNET, LOOPBACK

MOST = 4096
"""Characters of an expression."""

# Debian's and Fedora's names of the library, then that of its development files. ctypes.util would start programs.
_LIBRARIES = ("libpcap.so.0.8", "libpcap.so.1", "libpcap.so")
# pcap/dlt.h
_EN10MB, _RAW = 1, 12
_ANY_MASK = 0xFFFFFFFF
# linux/filter.h: BPF_MAXINSNS; A = the kind of the packet's link (SKF_AD_OFF + SKF_AD_HATYPE).
_MOST_INSTRUCTIONS = 4096
_INSTRUCTION = struct.Struct("=HBBI")
_LOAD, _IS, _JUMP, _RETURN, _LINK_KIND = 0x20, 0x15, 0x05, 0x06, 0xFFFFF01C

# The words of pcap-filter(7) that libpcap 1.10 knows: of others, such as vxlan, it asks the DNS. After ``port`` and
# ``portrange`` any word is the name of a service in /etc/services.
_WORDS = frozenset(
    # Written in lines of many words: ruff would have a line for each of the hundred words.
    """
    dst src host net mask port portrange proto protochain gateway broadcast multicast less greater and or not len
    ether fddi tr wlan ip ip6 arp rarp decnet tcp udp sctp icmp icmp6 igmp igrp pim vrrp carp ah esp aarp atalk iso
    stp ipx netbeui lat moprc mopdl vlan mpls pppoed pppoes geneve llc clnp esis isis inbound outbound ifindex
    ra ta addr1 addr2 addr3 addr4
    tcpflags tcp-fin tcp-syn tcp-rst tcp-push tcp-ack tcp-urg tcp-ece tcp-cwr
    icmptype icmpcode icmp-echoreply icmp-unreach icmp-sourcequench icmp-redirect icmp-echo icmp-routeradvert
    icmp-routersolicit icmp-timxceed icmp-paramprob icmp-tstamp icmp-tstampreply icmp-ireq icmp-ireqreply
    icmp-maskreq icmp-maskreply
    icmp6type icmp6code icmp6-destinationunreach icmp6-packettoobig icmp6-timeexceeded icmp6-parameterproblem
    icmp6-echo icmp6-echoreply icmp6-multicastlistenerquery icmp6-multicastlistenerreportv1
    icmp6-multicastlistenerdone icmp6-routersolicit icmp6-routeradvert icmp6-neighborsolicit icmp6-neighboradvert
    icmp6-redirect icmp6-multicastlistenerreportv2
    """.split()  # noqa: SIM905
)
# A word, a number or an address; or one sign.
_TOKEN = re.compile(r"[0-9A-Za-z_][\w.:-]*|::[\w.:]*|\S")
# A number, a network such as 10.1, the bytes ``6:4`` of a packet, or a MAC. libpcap takes 1.2.3.4.5, 1-2 and a.b:c for
# names of machines.
_NUMBER = re.compile(
    r"0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+){0,3}|[0-9]+:[0-9]+|[0-9a-fA-F]{1,2}(?:([:-])[0-9a-fA-F]{1,2})(?:\1[0-9a-fA-F]{1,2}){4}"
)
_RANGE = re.compile("[0-9]+-[0-9]+")
_SERVICE = re.compile("[A-Za-z][A-Za-z0-9-]{0,30}")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_uint), ("instructions", ctypes.c_void_p)]


def everything(length: int) -> bytes:
    """Return the program that keeps every packet, cut to ``length`` bytes."""
    return _INSTRUCTION.pack(_RETURN, 0, 0, length)


def compiled(expression: str, length: int) -> bytes:
    """Return a program that keeps the packets of an expression, cut to ``length`` bytes.

    It is for packets that begin with an Ethernet header and, on tunnels, with an IP header.

    Raises:
      UsageError: where libpcap refuses the expression, or it has the name of a machine.
      HostError: when libpcap is missing.
    """
    if not expression.strip():
        return everything(length)
    _check(expression)
    library = _library()
    ethernet, wrong = _compiled(library, expression, _EN10MB, length)
    if wrong:
        raise UsageError(f"filter {expression!r}: {wrong}")
    plain, wrong = _compiled(library, expression, _RAW, length)
    # Such as "arp": no packet of a tunnel is one.
    plain = _INSTRUCTION.pack(_RETURN, 0, 0, 0) if wrong else plain
    head = [
        (_LOAD, 0, 0, _LINK_KIND),
        (_IS, 2, 0, ETHERNET),
        (_IS, 1, 0, LOOPBACK),
        (_JUMP, 0, 0, len(ethernet) // _INSTRUCTION.size),
    ]
    whole = b"".join(_INSTRUCTION.pack(*one) for one in head) + ethernet + plain
    if len(whole) > _MOST_INSTRUCTIONS * _INSTRUCTION.size:
        raise UsageError(f"filter {expression[:40]!r}…: it is too long for the kernel")
    return whole


def _check(expression: str) -> None:
    """Raise UsageError for an expression that is too long, or that has the name of a machine."""
    if len(expression) > MOST:
        raise UsageError(f"the filter has {len(expression):,} characters, more than {MOST:,}")
    if not (expression.isascii() and expression.replace("\t", " ").replace("\n", " ").isprintable()):
        raise UsageError(f"filter {expression!r}: it has characters that are no ASCII text")
    before = ""
    for token in _TOKEN.findall(expression):
        sign = len(token) == 1 and not token.isalnum()
        # A backslash makes a name of the word after it.
        named = token.startswith("\\") and before not in ("proto", "protochain")
        if named or not (sign or token in _WORDS or _is_number(token) or _is_port(token, before)):
            raise UsageError(
                f"filter {expression!r}: {token!r} is no word of pcap-filter(7); for a machine, write its address"
            )
        before = token


def _is_number(token: str) -> bool:
    if _NUMBER.fullmatch(token):
        return True
    try:
        IPv6Address(token)
    except ValueError:
        return False
    return "%" not in token


def _is_port(token: str, before: str) -> bool:
    if before == "portrange" and _RANGE.fullmatch(token):
        return True
    return before in ("port", "portrange") and _SERVICE.fullmatch(token) is not None


def _library() -> Any:
    for name in _LIBRARIES:
        try:
            library = ctypes.CDLL(name)
        except OSError:
            continue
        library.pcap_open_dead.restype = ctypes.c_void_p
        library.pcap_geterr.restype = ctypes.c_char_p
        library.pcap_geterr.argtypes = library.pcap_close.argtypes = [ctypes.c_void_p]
        library.pcap_freecode.argtypes = [ctypes.POINTER(_Program)]
        library.pcap_compile.argtypes = [
            *(ctypes.c_void_p, ctypes.POINTER(_Program), ctypes.c_char_p, ctypes.c_int, ctypes.c_uint32)
        ]
        return library
    raise HostError(
        "a filter needs libpcap, and this host has none",
        "install it: apt-get install libpcap0.8, or dnf install libpcap; without a filter netlab needs no libpcap",
    )


def _compiled(library: Any, expression: str, link: int, length: int) -> tuple[bytes, str]:
    """Return a program for one kind of link, and what libpcap says is wrong."""
    handle = library.pcap_open_dead(link, length)
    if not handle:
        raise HostError("libpcap has no memory")
    program = _Program()
    try:
        if library.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, _ANY_MASK):
            return b"", library.pcap_geterr(handle).decode(errors="replace")
        try:
            return ctypes.string_at(program.instructions, program.length * _INSTRUCTION.size), ""
        finally:
            library.pcap_freecode(ctypes.byref(program))
    finally:
        library.pcap_close(handle)
