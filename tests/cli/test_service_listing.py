"""Services, EndpointSlices and Ingresses as kubectl prints them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from netlab.cli import listing
from netlab.cluster import Cluster, resolve
from netlab.objects import Document, decode
from netlab.objects.documents import parse
from netlab.report.listings import Item, Listing

INPUT = """\
apiVersion: v1
kind: Pod
metadata: {name: a, namespace: x, labels: {app: web}}
spec: {containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x, labels: {l: m}}
spec:
  type: LoadBalancer
  externalTrafficPolicy: Local
  selector: {app: web}
  externalIPs: [203.0.113.7]
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 203.0.113.1}]}}
---
apiVersion: v1
kind: Service
metadata: {name: none, namespace: x}
spec: {clusterIP: None, selector: {app: web}}
---
apiVersion: v1
kind: Service
metadata: {name: ext, namespace: x}
spec: {type: ExternalName, externalName: foo.example.com}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: x}
spec:
  rules:
  - host: a.example
    http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
"""


@pytest.fixture(scope="module")
def documents() -> list[Document]:
    found, problems = parse(INPUT, "in.yaml")
    assert not problems
    return found


@pytest.fixture(scope="module")
def lab(documents: list[Document]) -> Cluster:
    return resolve(decode(documents)[0])


def listed(kind: str, lab: Cluster, documents: list[Document]) -> Listing:
    return listing.of_kind(kind, lab, documents, str)


def items(found: Listing) -> Mapping[str, Item]:
    return {item.name: item for item in found.items}


def test_a_service_has_kubectls_columns(lab: Cluster, documents: list[Document]) -> None:
    """The table has external addresses and node ports, the wide table also endpoints and policies."""
    found = listed("Service", lab, documents)
    web, none, external = (items(found)[name] for name in ("web", "none", "ext"))
    address, pod = lab.services[-1].cluster_ip, lab.by_ref["x/a"].addresses[0]

    assert ("NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)") == found.header
    assert ("x", "web", "LoadBalancer", address, "203.0.113.1,203.0.113.7", "80:30080/TCP") == web.cells
    assert ("app=web", f"{pod}:8080", "Cluster", "Local") == web.wide
    assert ("x", "none", "ClusterIP", "None", "<none>", "<none>") == none.cells
    assert ("x", "ext", "ExternalName", "<none>", "foo.example.com", "<none>") == external.cells


def test_a_listed_service_reads_back(lab: Cluster, documents: list[Document]) -> None:
    """The output of ``get -o json`` is valid input, with the same addresses and ports."""
    found = [item.object for item in listed("Service", lab, documents).items]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    pods = [d for d in documents if d.kind in ("Pod", "Ingress")]
    objects, problems = decode([*pods, *parse(text, "out.json")[0]])
    again = resolve(objects)

    assert [] == [problem for problem in problems if problem.severity == "error"]
    plain = [facts(one) for one in lab.services]
    assert plain == [facts(one) for one in again.services]


def facts(one: Any) -> Any:
    ports = [(p.name, p.port, p.node_port, p.protocol) for p in one.ports]
    return one.meta.key, one.type, one.cluster_ips, one.headless, ports, one.load_balancer, one.health_check_node_port


def test_a_service_object_has_what_is_allocated(lab: Cluster, documents: list[Document]) -> None:
    """It has the form in which the API server stores it."""
    web = items(listed("Service", lab, documents))["web"].object

    assert {"name": "web", "namespace": "x", "labels": {"l": "m"}} == web["metadata"]
    assert [{"ip": "203.0.113.1", "ipMode": "VIP"}] == web["status"]["loadBalancer"]["ingress"]
    assert ("SingleStack", ["IPv4"]) == (web["spec"]["ipFamilyPolicy"], web["spec"]["ipFamilies"])
    assert 30000 < web["spec"]["healthCheckNodePort"] < 32768


def test_a_slice_has_kubectls_columns(lab: Cluster, documents: list[Document]) -> None:
    """A slice of a headless Service without ports has no ports."""
    found = items(listed("EndpointSlice", lab, documents))
    pod = str(lab.by_ref["x/a"].addresses[0])

    assert ("x", "web-ipv4", "IPv4", "8080", pod) == found["web-ipv4"].cells
    assert ("x", "none-ipv4", "IPv4", "<unset>", pod) == found["none-ipv4"].cells
    (endpoint,) = found["web-ipv4"].object["endpoints"]
    assert {"ready": True, "serving": True, "terminating": False} == endpoint["conditions"]
    assert {"kind": "Pod", "namespace": "x", "name": "a"} == endpoint["targetRef"]


def test_an_ingress_has_the_address_of_its_controller(lab: Cluster, documents: list[Document]) -> None:
    """It also has the class that netlab filled in."""
    (found,) = listed("Ingress", lab, documents).items
    (controller,) = (one for one in lab.services if one.meta.key == "ingress-nginx/controller")
    address = str(controller.load_balancer[0].address)

    assert ("x", "web", "nginx", "a.example", address, "80") == found.cells
    assert {"ingress": [{"ip": address}]} == found.object["status"]["loadBalancer"]
    assert [("nginx", "k8s.io/ingress-nginx", "<none>")] == [
        one.cells for one in listed("IngressClass", lab, documents).items
    ]


def test_endpoints_are_those_of_the_controller(lab: Cluster, documents: list[Document]) -> None:
    """One object for each Service with a selector, with the addresses of its pods."""
    found = listed("Endpoints", lab, documents)
    web, none = items(found)["web"], items(found)["none"]
    address = str(lab.by_ref["x/a"].addresses[0])

    assert ("NAMESPACE", "NAME", "ENDPOINTS") == found.header
    assert ("x", "web", f"{address}:8080") == web.cells
    assert "ext" not in items(found)
    assert "kube-dns" in items(found)
    assert [
        {
            "addresses": [
                {"ip": address, "nodeName": "node-1", "targetRef": {"kind": "Pod", "namespace": "x", "name": "a"}}
            ],
            "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        }
    ] == web.object["subsets"]
    assert ("x", "none", address) == none.cells


def test_endpoints_of_the_input_are_listed_if_the_service_has_no_selector(documents: list[Document]) -> None:
    """Those of a Service with a selector are computed anew."""
    more, _ = parse(
        """\
apiVersion: v1
kind: Service
metadata: {name: own, namespace: x}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: own, namespace: x}
subsets: [{addresses: [{ip: 192.0.2.7}], ports: [{port: 8080}]}]
---
apiVersion: v1
kind: Endpoints
metadata: {name: web, namespace: x}
subsets: [{addresses: [{ip: 192.0.2.8}], ports: [{port: 8080}]}]
""",
        "more.yaml",
    )
    every = [*documents, *more]
    found = items(listed("Endpoints", resolve(decode(every)[0]), every))

    assert ("x", "own", "192.0.2.7:8080") == found["own"].cells
    assert "192.0.2.8" not in found["web"].cells[2]
