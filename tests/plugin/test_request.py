"""What a runtime may ask of netlab-cni, without a lab."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from netlab.cni.types import CniError, Code
from netlab.plugin import main
from netlab.plugin.request import Request, decoded, request

ENVIRONMENT = {
    "CNI_COMMAND": "ADD",
    "CNI_CONTAINERID": "0123456789abcdef",
    "CNI_IFNAME": "eth0",
    "CNI_NETNS": "/run/netns/c",
    "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
}
CONFIG = {"cniVersion": "1.0.0", "name": "net", "type": "netlab-cni", "lab": "demo"}


def asked(environment: dict[str, str] | None = None, **config: Any) -> Request:
    return request({**ENVIRONMENT, **(environment or {})}, {**CONFIG, **config})


def error(environment: dict[str, str] | None = None, **config: Any) -> CniError:
    with pytest.raises(CniError) as found:
        asked(environment, **config)
    return found.value


def test_the_pod_is_that_of_the_arguments() -> None:
    """Without a name the container ID names it."""
    assert "shop/web" == asked().pod
    assert "default/container-0123456789ab" == asked({"CNI_ARGS": ""}).pod
    assert asked({"CNI_ARGS": "", "CNI_CONTAINERID": "A_1"}).pod.startswith("default/container-")


def test_labels_come_from_the_configuration_and_from_the_runtime() -> None:
    found = asked(labels={"a": "1"}, args={"cni": {"labels": [{"key": "b", "value": "2"}]}})
    assert {"a": "1", "b": "2"} == found.labels


def test_ports_and_addresses_come_from_the_runtime() -> None:
    found = asked(
        runtimeConfig={
            "portMappings": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 53, "protocol": "udp"}],
            "ips": ["10.0.0.9/24", "fd00::9"],
        }
    )
    assert [(80, 8080, "TCP"), (53, 0, "UDP")] == [(p.container, p.host, p.protocol) for p in found.ports]
    assert ["10.0.0.9", "fd00::9"] == list(map(str, found.addresses))


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"CNI_COMMAND": "ADD "}, "CNI_COMMAND"),
        ({"CNI_CONTAINERID": ""}, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "../x"}, "CNI_CONTAINERID"),
        ({"CNI_CONTAINERID": "a" * 300}, "CNI_CONTAINERID"),
        ({"CNI_IFNAME": "a/b"}, "CNI_IFNAME"),
        ({"CNI_IFNAME": "net1"}, "one interface, eth0"),
        ({"CNI_NETNS": ""}, "CNI_NETNS is missing"),
        ({"CNI_NETNS": "relative"}, "CNI_NETNS"),
        ({"CNI_ARGS": "K8S_POD_NAME=a/b"}, "K8S_POD_NAME"),
        ({"CNI_ARGS": "K8S_POD_NAMESPACE=A"}, "K8S_POD_NAMESPACE"),
        ({"CNI_ARGS": "nothing"}, "KEY=VALUE"),
    ],
)
def test_a_wrong_environment_has_code_4(environment: dict[str, str], words: str) -> None:
    found = error(environment)
    assert Code.INVALID_ENVIRONMENT == found.code
    assert words in str(found)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"name": "a/b"}, "name"),
        ({"lab": ""}, "lab"),
        ({"lab": "../../etc"}, "lab"),
        ({"lab": 5}, "lab is no string"),
        ({"node": "A b"}, "node"),
        ({"network": "a.b"}, "network"),
        ({"labels": {"a b": "c"}}, "label"),
        ({"labels": {"a": 5}}, "a label is no string"),
        ({"labels": []}, ""),
        ({"runtimeConfig": {"portMappings": [{"containerPort": 70000}]}}, "portMappings"),
        ({"runtimeConfig": {"portMappings": "80"}}, "portMappings"),
        ({"runtimeConfig": {"ips": ["x"]}}, "ips"),
        ({"args": {"cni": {"labels": ["x"]}}}, "labels"),
    ],
)
def test_a_wrong_configuration_has_code_7(config: dict[str, Any], words: str) -> None:
    """All that is wrong is named at once."""
    if config == {"labels": []}:
        assert {} == asked(**config).labels
        return
    found = error(None, **{**config, "node": config.get("node", "B a")})
    assert Code.INVALID_CONFIGURATION == found.code
    assert words in str(found)
    assert "node is" in str(found)


@pytest.mark.parametrize("version", ["", None, "0.2.0", "2.0.0", 1])
def test_a_version_without_interfaces_in_its_results_has_code_1(version: Any) -> None:
    assert Code.INCOMPATIBLE_VERSION == error(None, cniVersion=version).code


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"[" * 100_000, b" " * (2 << 20)])
def test_what_is_no_object_has_code_6(text: bytes) -> None:
    with pytest.raises(CniError) as found:
        decoded(text)
    assert Code.DECODING_FAILURE == found.value.code


def test_gc_needs_the_list_of_attachments() -> None:
    """Without it every container would be detached."""
    assert "cni.dev/valid-attachments is missing" in str(error({"CNI_COMMAND": "GC"}))
    found = asked({"CNI_COMMAND": "GC"}, **{"cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]})
    assert {("a", "eth0")} == found.attachments


def test_a_delete_needs_no_namespace() -> None:
    """The container may be gone."""
    assert "" == asked({"CNI_COMMAND": "DEL", "CNI_NETNS": ""}).netns


def test_a_fault_of_netlab_is_an_error_of_the_protocol(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A runtime reads JSON with what was wrong and where, and no traceback; the exit code is 1."""

    def fail(_: Request) -> None:
        raise StopIteration

    monkeypatch.setattr(main, "_run", fail)
    monkeypatch.setattr(main, "request", lambda *_: None)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"cniVersion": "1.0.0"}')))
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    found = json.loads(printed.out)

    assert (1, "") == (ended.value.code, printed.err)
    assert {"cniVersion": "1.0.0", "code": 999, "msg": "a bug in netlab"} == {
        name: found[name] for name in ("cniVersion", "code", "msg")
    }
    assert "StopIteration" in found["details"]
    assert "test_request.py:" in found["details"]
