"""The variables of Services, as the documentation of Kubernetes has them."""

from __future__ import annotations

from typing import Any

import pytest

from netlab.control_plane.nodes.container_spec import containers_of
from netlab.control_plane.nodes.service_variables import service_variables


def service(name: str, address: str = "10.0.0.11", namespace: str = "shop", *ports: dict[str, Any]) -> dict[str, Any]:
    spec = {"clusterIP": address, "ports": [*ports]}
    return {"kind": "Service", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


PRIMARY = service("redis-primary", "10.0.0.11", "shop", {"port": 6379, "protocol": "TCP"})
API = service("kubernetes", "10.96.0.1", "default", {"name": "https", "port": 443, "protocol": "TCP"})
OF_PRIMARY = {
    "REDIS_PRIMARY_SERVICE_HOST": "10.0.0.11",
    "REDIS_PRIMARY_SERVICE_PORT": "6379",
    "REDIS_PRIMARY_PORT": "tcp://10.0.0.11:6379",
    "REDIS_PRIMARY_PORT_6379_TCP": "tcp://10.0.0.11:6379",
    "REDIS_PRIMARY_PORT_6379_TCP_PROTO": "tcp",
    "REDIS_PRIMARY_PORT_6379_TCP_PORT": "6379",
    "REDIS_PRIMARY_PORT_6379_TCP_ADDR": "10.0.0.11",
}


def test_a_service_has_the_variables_of_the_documentation():
    """Page Service, environment variables."""
    assert service_variables([PRIMARY], "shop", links=True) == OF_PRIMARY


def test_ports_have_names_and_addresses_of_ipv6_have_brackets():
    """The first port is that of the Service."""
    ports = {"name": "web-1", "port": 80}, {"name": "dns", "port": 53, "protocol": "UDP"}
    found = service_variables([service("a", "fd00::1", "shop", *ports)], "shop", links=True)

    assert ("80", "tcp://[fd00::1]:80") == (found["A_SERVICE_PORT"], found["A_PORT"])
    assert ("80", "53") == (found["A_SERVICE_PORT_WEB_1"], found["A_SERVICE_PORT_DNS"])
    assert ("udp://[fd00::1]:53", "fd00::1") == (found["A_PORT_53_UDP"], found["A_PORT_53_UDP_ADDR"])


@pytest.mark.parametrize("address", ["None", "", None])
def test_a_service_without_an_address_has_none(address):
    """It is headless, or an ExternalName."""
    one = service("a", "", "shop", {"port": 80})
    one["spec"]["clusterIP"] = address

    assert {} == service_variables([one], "shop", links=True)


@pytest.mark.parametrize("links", [True, False])
def test_services_of_other_namespaces_have_none_but_the_api_server(links):
    """It has them for every pod; those of the namespace are there where the pod wants them."""
    other = service("other", "10.0.0.3", "bank", {"port": 80})
    found = service_variables([other, PRIMARY, API], "shop", links=links)

    assert "10.96.0.1" == found["KUBERNETES_SERVICE_HOST"]
    assert links == ("REDIS_PRIMARY_SERVICE_HOST" in found)
    assert "OTHER_SERVICE_HOST" not in found


def test_an_own_service_with_the_name_of_the_api_server_is_preferred():
    """Whatever their order is."""
    own = service("kubernetes", "10.0.0.9", "shop", {"port": 1})
    for given in ([own, API], [API, own]):
        assert "10.0.0.9" == service_variables(given, "shop", links=True)["KUBERNETES_SERVICE_HOST"]


def test_a_container_may_refer_to_them_and_its_own_variables_are_preferred():
    """In values and in arguments."""
    env = [{"name": "URL", "value": "http://$(A_HOST)"}, {"name": "B", "value": "mine"}]
    container = {"name": "c", "image": "agnhost", "args": ["connect", "$(URL)"], "env": env}
    pod = {"metadata": {"name": "a", "namespace": "shop"}, "spec": {"containers": [container]}}
    (found,) = containers_of(pod, [], [], "none", services={"A_HOST": "10.0.0.1", "B": "theirs"})

    assert ("/agnhost", "connect", "http://10.0.0.1") == found.argv
    assert {"A_HOST": "10.0.0.1", "B": "mine", "URL": "http://10.0.0.1"} == found.environment
