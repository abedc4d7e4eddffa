"""CRC-32C (Castagnoli), the checksum of SCTP (RFC 9260, appendix A)."""

from __future__ import annotations

import functools

_POLYNOMIAL = 0x82F63B78


@functools.cache
def _table() -> tuple[int, ...]:
    entries = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (_POLYNOMIAL if value & 1 else 0)
        entries.append(value)
    return tuple(entries)


def crc32c(data: bytes | bytearray) -> int:
    """Return the CRC-32C of the data; SCTP puts it on the wire in little-endian order."""
    table = _table()
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
