"""SCTP's checksum."""

from __future__ import annotations

import pytest

from netlab.probe.crc32c import crc32c


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
    ids=["check value", "zeros", "ones", "ascending"],
)
def test_known_values(data, expected):
    """The CRC catalogue's check value, and the examples of RFC 3720, appendix B.4."""
    assert expected == crc32c(data)
