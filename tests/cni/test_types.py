"""The values of the Container Network Interface."""

from __future__ import annotations

from ipaddress import ip_interface

import pytest

from netlab.cni.types import (
    VERSIONS,
    CniError,
    Result,
    ResultAddress,
    ResultInterface,
    ResultRoute,
    at_least,
    versions_document,
)

POD = "/run/netns/pod"
RESULT = Result(
    (ResultInterface("br0"), ResultInterface("eth0", "0a:00:00:00:00:01", POD, 1400)),
    (
        ResultAddress(ip_interface("10.1.0.5/24"), "10.1.0.1", 1),
        ResultAddress(ip_interface("fd00::5/64"), "fd00::1", 1),
    ),
    (ResultRoute("0.0.0.0/0", "10.1.0.1"), ResultRoute("::/0", "fd00::1", 1300)),
    {"nameservers": ["10.1.0.1"]},
)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_result_is_read_from_the_form_of_every_version(version: str) -> None:
    """Addresses, routes and DNS come back; older forms lack interfaces or MTUs."""
    again = Result.read(RESULT.document(version))

    assert [one.address for one in again.addresses] == [one.address for one in RESULT.addresses]
    assert [one.destination for one in again.routes] == ["0.0.0.0/0", "::/0"]
    assert again.dns == RESULT.dns
    assert len(again.interfaces) == (2 if at_least(version, "0.3.0") else 0)
    assert [one.mtu for one in again.interfaces] == ([0, 1400] if version == "1.1.0" else [0] * len(again.interfaces))


def test_an_address_has_its_family_beside_it_before_1_0_0() -> None:
    """SPEC.md 0.3.0 to 0.4.0: ``version`` of each of ``ips``."""

    assert [ip.get("version") for ip in RESULT.document("0.4.0")["ips"]] == ["4", "6"]
    assert [ip.get("version") for ip in RESULT.document("1.0.0")["ips"]] == [None, None]


def test_addresses_of_the_container_are_those_of_interfaces_with_its_sandbox() -> None:
    """An address that names no interface is one of the container."""
    found = Result(
        RESULT.interfaces,
        (ResultAddress(ip_interface("10.0.0.1/8"), "", 0), *RESULT.addresses, ResultAddress(ip_interface("9.9.9.9/8"))),
    )

    assert [str(one.ip) for one in found.of_container(POD)] == ["10.1.0.5", "fd00::5", "9.9.9.9"]
    assert [str(one.ip) for one in found.of_container()] == ["10.1.0.5", "fd00::5", "9.9.9.9"]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "the result has another type"),
        ({"cniVersion": "7.0.0"}, "is no version of CNI"),
        ({"cniVersion": "1.0.0", "ips": 5}, "ips has another type"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1"}]}, "has no prefix length"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "fd00::1%eth0/64"}]}, "has a zone"),
        ({"cniVersion": "1.0.0", "routes": [{"dst": "::/0", "gw": "fe80::1%eth0"}]}, "has a zone"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "x/24"}]}, "does not appear to be an IPv4 or IPv6"),
        ({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1/24", "interface": 3}]}, "which there is not"),
        ({"cniVersion": "1.0.0", "interfaces": [{"name": "a/b"}]}, "is not the name of an interface"),
        ({"cniVersion": "1.0.0", "interfaces": [{"name": "a", "mac": "zz"}]}, "is not a MAC"),
        ({"cniVersion": "1.0.0", "routes": [{"dst": "0.0.0.0/99"}]}, "0.0.0.0/99"),
        ({"cniVersion": "0.2.0", "ip4": {"ip": "fd00::1/64"}}, "ip4 has the address"),
        ({"cniVersion": "1.0.0", "ips": [{}] * 300}, "more than 256"),
    ],
)
def test_what_is_no_result_is_refused_with_the_reason(document: object, message: str) -> None:
    """Types, addresses, names and numbers are checked."""
    with pytest.raises(ValueError, match=message):
        Result.read(document)


def test_an_error_has_a_code_and_a_message() -> None:
    """It is read as it is written."""
    error = CniError.read(CniError(7, "invalid", "no subnet").document("1.0.0"))

    assert error is not None
    assert (error.code, error.message, error.details) == (7, "invalid", "no subnet")
    assert str(error) == "invalid: no subnet"
    assert CniError.read({"msg": "x"}) is None


def test_versions_are_listed_and_compared() -> None:
    """A version is compared by its numbers."""

    assert versions_document("1.0.0") == {"cniVersion": "1.0.0", "supportedVersions": [*VERSIONS]}
    assert at_least("1.0.0", "0.4.0")
    assert not at_least("0.3.1", "0.4.0")
    with pytest.raises(ValueError, match=r"1\.1"):
        at_least("9.9.9", "0.1.0")
