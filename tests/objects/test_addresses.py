"""Addresses and CIDRs as the API server's legacy parser reads them."""

from __future__ import annotations

import pytest

from netlab.objects.addresses import cidr_warnings, parse_address, parse_cidr

CIDRS = [
    ("10.0.0.0/8", "10.0.0.0/8"),
    ("10.161.0.0/8", "10.0.0.0/8"),
    ("010.001.0.0/016", "10.1.0.0/16"),
    ("0.0.0.0/0", "0.0.0.0/0"),
    ("10.0.0.1/32", "10.0.0.1/32"),
    ("fd00::1/64", "fd00::/64"),
    ("::/0", "::/0"),
    ("::ffff:10.1.0.0/104", "10.0.0.0/8"),
    ("::ffff:10.0.0.0/96", "0.0.0.0/0"),
    ("::ffff:10.0.0.0/90", "::ffc0:0:0/90"),
    ("10.0.0.0", None),
    ("10.0.0.0/33", None),
    ("10.0.0.0/-1", None),
    ("10.0.0.0/+8", None),
    ("10.0.0.0/", None),
    ("10.0.0/8", None),
    ("10.0.0.256/8", None),
    ("fe80::1%eth0/64", None),
    ("fd00::/129", None),
    ("", None),
]


@pytest.mark.parametrize(("text", "prefix"), CIDRS)
def test_cidrs(text: str, prefix: str | None) -> None:
    """Host bits are masked, leading zeros are decimal, an IPv4-mapped prefix is the IPv4 prefix."""
    found = parse_cidr(text)

    assert prefix == (found and str(found))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("010.0.0.1", "10.0.0.1"),
        ("FD00::0:1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("10.0.0", None),
        ("10.0.0.1/32", None),
        ("fe80::1%eth0", None),
        ("host", None),
    ],
)
def test_addresses(text: str, address: str | None) -> None:
    """An IPv4-mapped address is the IPv4 address. A zone is invalid."""
    found = parse_address(text)

    assert address == (found and str(found))


FUTURE = "will be considered invalid in a future Kubernetes release"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("10.0.0.0/8", []),
        ("fd00::/64", []),
        ("10.0.0.0/08", [f'non-standard CIDR value "10.0.0.0/08" {FUTURE}: use "10.0.0.0/8"']),
        ("::ffff:10.0.0.0/104", [f'non-standard CIDR value "::ffff:10.0.0.0/104" {FUTURE}: use "10.0.0.0/8"']),
        (
            "10.1.2.3/8",
            ['CIDR value "10.1.2.3/8" is ambiguous in this context (should be "10.0.0.0/8" or "10.1.2.3/32"?)'],
        ),
    ],
)
def test_unusual_cidrs_have_warnings(text: str, warnings: list[str]) -> None:
    """CIDRs that are valid and probably a mistake get the API server's warnings."""
    assert warnings == cidr_warnings(text)
