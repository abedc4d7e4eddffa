"""Computes nft's ``jhash``: which endpoint of a Service the rules choose for a source address and port.

The rule is ``jhash ip saddr . th sport mod COUNT seed SEED``. The kernel hashes the registers of both fields, each of
them padded with zeros to 32 bits, and scales the hash to the count (nft_jhash_eval in net/netfilter/nft_hash.c;
include/linux/jhash.h, by Bob Jenkins, public domain). ``tests/ruleset/test_service_hash.py`` compares it with a kernel.
"""

from __future__ import annotations

import sys

from netlab.objects.types import Address

SEED = 0x6E65746C
"""The seed of the hash. It is fixed, so a prober knows which source port leads to which endpoint."""

PROBE_DSCP = 0x3B
"""The DSCP of probes. Rules of sessionAffinity skip packets with it, so a probe's source port chooses its endpoint.

RFC 2474 leaves codepoints xxxx11 to experiments and local use.
"""

_WORD = 0xFFFFFFFF


def chosen(source: Address, port: int, count: int) -> int:
    """Return the index, from 0, of the endpoint that a new connection goes to.

    Args:
      source: the source address of the connection, before any masquerade.
      port: its source port.
      count: the number of endpoints, at least 1.
    """
    return _jhash(source.packed + port.to_bytes(2, "big") + b"\0\0", SEED) * count >> 32


def _jhash(data: bytes, seed: int) -> int:
    a = b = c = (0xDEADBEEF + len(data) + seed) & _WORD
    while len(data) > 12:
        x, y, z = _words(data)
        a, b, c = _mix((a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD)
        data = data[12:]
    x, y, z = _words(data.ljust(12, b"\0"))
    return _final((a + x) & _WORD, (b + y) & _WORD, (c + z) & _WORD)


def _words(data: bytes) -> list[int]:
    """Return the first three words of the data, in the byte order of the machine, as the kernel reads them."""
    return [int.from_bytes(data[at : at + 4], sys.byteorder) for at in (0, 4, 8)]


def _rotated(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _WORD


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for left, right in ((4, 6), (16, 19)):
        a = (a - c & _WORD) ^ _rotated(c, left)
        c = c + b & _WORD
        b = (b - a & _WORD) ^ _rotated(a, right)
        a = a + c & _WORD
        last = 8 if left == 4 else 4
        c = (c - b & _WORD) ^ _rotated(b, last)
        b = b + a & _WORD
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    c = (c ^ b) - _rotated(b, 14) & _WORD
    a = (a ^ c) - _rotated(c, 11) & _WORD
    b = (b ^ a) - _rotated(a, 25) & _WORD
    c = (c ^ b) - _rotated(b, 16) & _WORD
    a = (a ^ c) - _rotated(c, 4) & _WORD
    b = (b ^ a) - _rotated(a, 14) & _WORD
    return (c ^ b) - _rotated(b, 24) & _WORD
