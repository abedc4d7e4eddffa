"""Configuration lists: what is refused, and what each plugin gets."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest

from netlab.cni.conflist import ConflistError, conflist, select
from netlab.cni.types import Result

BRIDGE: dict[str, Any] = {"type": "bridge", "isGateway": True, "ipam": {"type": "host-local", "dataDir": "/etc"}}
PORTMAP: dict[str, Any] = {"type": "portmap", "capabilities": {"portMappings": True}}


def of(*plugins: Any, **fields: Any) -> dict[str, Any]:
    return {"cniVersion": "1.0.0", "name": "net", "plugins": list(plugins) or [BRIDGE], **fields}


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        ([], "", "must be an object"),
        (of(name="../x"), "name", "must be a name"),
        (of(name=""), "name", "must be a name"),
        (of(cniVersion="9.0.0"), "cniVersion", "must be one of"),
        (of(cniVersions=["1.0.0", "x"]), "cniVersions[1]", "must be one of"),
        (of(disableCheck="yes"), "disableCheck", "must be true or false"),
        ({**of(), "plugins": []}, "plugins", "1 to 16"),
        (of(*[BRIDGE] * 17), "plugins", "1 to 16"),
        (of("bridge"), "plugins[0]", "must be an object"),
        (of({}), "plugins[0].type", "is required"),
        (of({"type": "../../opt/evil"}), "plugins[0].type", "without a path"),
        (of({"type": "bridge", "ipam": {"type": "/opt/evil"}}), "plugins[0].ipam.type", "without a path"),
        (of({"type": "x", "delegate": {"type": "a/b"}}), "plugins[0].delegate.type", "without a path"),
        (of({"type": "bridge", "ipam": {"resolvConf": "/etc/shadow"}}), "plugins[0].ipam.resolvConf", "names a file"),
        (of({"type": "bridge", "ipam": {"ResolvConf": "/a"}}), "plugins[0].ipam.ResolvConf", "must be written"),
        (of({"type": "bridge", "re\u017folvConf": "/a"}), "plugins[0].re\u017folvConf", "must be written"),
        (of({"type": "bridge", "ipam": {"TYPE": "a/b"}}), "plugins[0].ipam.TYPE", "must be written"),
        (of({"type": "bridge", "PREVRESULT": {}}), "plugins[0].PREVRESULT", "must be written"),
        (of({"type": "bridge", "CNI.dev/x": 1}), "plugins[0].CNI.dev/x", "set by the runtime"),
        (of({"type": "portmap", "conditionsV4": ["--modprobe=/x"]}), "plugins[0].conditionsV4", "run other programs"),
        (of({"type": "portmap", "conditionsv6": ["-s", "::1"]}), "plugins[0].conditionsv6", "must be written"),
        (of({"type": "bridge", "ipam": {"subnet": "fd00::%x/64"}}), "plugins[0].ipam.subnet", "must be a range"),
        (of({"type": "bridge", "bridge": "a/b"}), "plugins[0].bridge", "name of an interface"),
        (of({"type": "bridge", "runtimeConfig": {}}), "plugins[0].runtimeConfig", "set by the runtime"),
        (of({"type": "bridge", "cni.dev/x": 1}), "plugins[0].cni.dev/x", "set by the runtime"),
        (of({"type": "bridge", "ipam": {"subnet": "10.0.0.0/99"}}), "plugins[0].ipam.subnet", "must be a range"),
        (of({"type": "bridge", "ipam": {"ranges": [5]}}), "plugins[0].ipam.ranges", "list of lists"),
        (of({"type": "bridge", "x": "y" * (300 << 10)}), "", "longer than 256 KiB"),
    ],
)
def test_a_list_that_is_not_safe_or_not_right_is_refused(data: Any, path: str, message: str) -> None:
    """The problem has the path of the field."""
    with pytest.raises(ConflistError) as error:
        conflist(data)

    assert any(at == path and message in what for at, what in error.value.problems), error.value.problems


def test_a_deep_list_is_refused() -> None:
    """Before anything walks it."""
    data: Any = {"type": "x"}
    for _ in range(5000):
        data = {"type": "x", "in": data}
    with pytest.raises(ConflistError, match="nested deeper"):
        conflist(of(data))


def test_a_plugin_gets_its_own_fields_and_the_runtimes() -> None:
    """Version and name are added, capabilities become arguments, and unknown fields pass unchanged."""
    found = conflist(of(BRIDGE, {**PORTMAP, "snat": True}))
    offered = {"portMappings": [{"hostPort": 80}], "bandwidth": {}}
    result = Result.read({"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}]})

    assert found.request(1, "1.0.0", capabilities=offered, result=result) == {
        "type": "portmap",
        "cniVersion": "1.0.0",
        "name": "net",
        "snat": True,
        "runtimeConfig": {"portMappings": [{"hostPort": 80}]},
        "prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.2/24"}], "dns": {}},
    }


def test_netlab_gives_the_range_that_the_list_leaves_open() -> None:
    """To host-local only; its dataDir is always the lab's, and a default route follows."""
    ranges = [ip_network("10.0.1.0/24"), ip_network("fd00::/64")]
    ipam = conflist(of()).request(0, "1.0.0", ranges=ranges)["ipam"]

    assert ipam == {
        "type": "host-local",
        "ranges": [[{"subnet": "10.0.1.0/24"}], [{"subnet": "fd00::/64"}]],
        "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}],
    }


def test_the_lists_own_range_stays() -> None:
    """It is what ``podCIDRs`` are by default."""
    found = conflist(of({**BRIDGE, "ipam": {"type": "host-local", "subnet": "10.9.0.0/16"}}))

    assert found.request(0, "1.0.0", ranges=[ip_network("10.0.1.0/24")])["ipam"]["subnet"] == "10.9.0.0/16"
    assert found.ranges == (ip_network("10.9.0.0/16"),)
    assert (found.takes_range, found.has_default_route) == (False, False)


def test_gc_gets_what_is_still_attached() -> None:
    """SPEC.md 1.1.0: ``cni.dev/valid-attachments``."""
    request = conflist(of()).request(0, "1.1.0", valid=[("abc", "eth0")])

    assert request["cni.dev/valid-attachments"] == [{"containerID": "abc", "ifname": "eth0"}]
    assert "prevResult" not in request


@pytest.mark.parametrize(
    ("wanted", "supported", "version"),
    [
        (("0.4.0", "1.0.0", "1.1.0"), [("0.4.0", "1.0.0"), ("0.4.0", "1.0.0", "1.1.0")], "1.0.0"),
        (("1.1.0",), [("1.0.0",)], "1.1.0"),
        (("0.3.1", "0.4.0"), [("0.1.0",)], "0.4.0"),
    ],
)
def test_the_highest_version_that_all_support_is_spoken(
    wanted: tuple[str, ...], supported: list[tuple[str, ...]], version: str
) -> None:
    """If there is none, a plugin refuses the highest of the list, and says why."""

    assert select(wanted, supported) == version
