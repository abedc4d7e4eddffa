"""The picture of the wiring shows what ``up`` builds, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import cluster as cluster_of
from builders import pod, topology, workload
from picture_inputs import text as picture_input

from netlab.cluster import Cluster, resolve_input
from netlab.dataplane import names
from netlab.dataplane.wanted import wanted
from netlab.errors import Problem
from netlab.kernel.state import InterfaceAddress, Link
from netlab.objects import Document, read_input
from netlab.objects.documents import Reader
from netlab.pictures import topology as of_topology
from netlab.pictures.model import Picture
from netlab.pictures.topology import MOST_BOXES, topology_picture
from netlab.profiles.documents import with_profile

ROOT = Path(__file__).parents[2]
TOPOLOGIES = sorted((ROOT / "topologies").glob("*.yaml"))
PROFILES = sorted(file.stem for file in (ROOT / "netlab/profiles/data").glob("*.yaml"))
EVERY_KIND = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec: {replicas: 4, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}, spec: {}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: kube-system}
spec: {selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {hostNetwork: true}}}
---
apiVersion: v1
kind: Pod
metadata: {name: alone, namespace: shop, annotations: {netlab/network: none}}
spec: {}
"""
TWO_NODES = """\
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: two}
spec: {nodes: [{name: node-a}, {name: node-b}], hosts: [{name: client, addresses: [192.0.2.10]}]}
---
"""


def read(tmp_path: Path, text: str, profile: str = "") -> Cluster:
    file = tmp_path / "input.yaml"
    file.write_text(text)

    def change(documents: list[Document], reader: Reader) -> tuple[list[Document], list[Problem]]:
        return (with_profile(documents, profile, ()) if profile else documents), []

    return resolve_input(read_input([str(file)], change=change))[0]


def texts(picture: Picture) -> str:
    """Return all text of a picture."""

    def parts() -> Iterator[str]:
        for box in picture.boxes:
            yield from (*box.lines, *box.note)
        for arrow in picture.arrows:
            yield from (arrow.label, *arrow.note)

    return "\n".join(parts())


def check(cluster: Cluster, picture: Picture) -> None:
    """Check that the picture has every interface and address of the wanted state, and no others."""
    shown = texts(picture)
    expected, addresses = set(), set()
    for namespace in wanted(cluster).values():
        for link in namespace.of(Link):
            if isinstance(link, Link) and link.kind != "loopback":
                expected.add(link.name)
                assert f"MTU {link.mtu}" in shown
        addresses |= {str(a.interface) for a in namespace.of(InterfaceAddress) if isinstance(a, InterfaceAddress)}
    words = set(re.split(r"[\s,]+", shown))

    assert set() == expected - words
    assert set() == addresses - words
    assert not {word for word in words if re.fullmatch(r"(veth|port|cali)[0-9a-f]{8,}", word)} - expected
    # An address with a prefix length is an interface's, or a prefix of the underlay.
    lengths = {word for word in words if re.fullmatch(r"[0-9a-f.:]+/[0-9]+", word)}
    assert set() == lengths - addresses - set(map(str, cluster.underlay_cidrs))


def whole(picture: Picture) -> None:
    """Check what layouts and texts rely on: arrows join boxes, boxes are in frames, idents are unique."""
    idents = [box.ident for box in picture.boxes]
    frames = {frame.ident for frame in picture.frames}

    assert sorted(set(idents)) == sorted(idents)
    assert {end for arrow in picture.arrows for end in (arrow.source, arrow.target)} <= {*idents}
    assert {box.frame for box in picture.boxes} <= {"", *frames}
    assert frames.isdisjoint(idents)


@pytest.mark.parametrize("file", TOPOLOGIES, ids=lambda file: file.stem)
def test_it_shows_the_interfaces_of_each_topology(file: Path, tmp_path: Path):
    """Each interface that ``up`` would build is in the picture, and no other."""
    cluster = read(tmp_path, f"{file.read_text()}\n---\n{EVERY_KIND}")
    picture = topology_picture(cluster)

    whole(picture)
    check(cluster, picture)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_shows_the_interfaces_of_each_profile(profile: str, tmp_path: Path):
    """Each interface that ``up --as`` would build is in the picture, and no other."""
    cluster = read(tmp_path, TWO_NODES + EVERY_KIND, profile)
    picture = topology_picture(cluster)

    whole(picture)
    check(cluster, picture)


def test_a_bridge_joins_the_pods_of_its_node_and_its_node_routes(tmp_path: Path):
    """The node routes to the bridge, and encapsulates into the tunnel."""
    picture = topology_picture(read(tmp_path, TWO_NODES + EVERY_KIND))
    joined = {(arrow.source, arrow.target): arrow.label for arrow in picture.arrows}

    assert "routes" == joined["node:node-a", "node:node-a/br-default"]
    assert "encapsulates" == joined["node:node-a", "node:node-a/vxlan.1"]
    (label,) = [label for (source, _), label in joined.items() if source == "node:node-b/br-default"]
    assert "2 veths" == label


def test_replicas_on_one_node_are_one_box_with_their_addresses():
    """The box has their number, and the first and the last address."""
    cluster = cluster_of(workload("Deployment", "shop/web", 3))
    (box,) = [box for box in topology_picture(cluster).boxes if box.kind == "pods"]

    assert "shop/web ×3" == box.lines[0]
    assert "10.244.0.2 … 10.244.0.4 /16" == box.lines[1]
    assert 3 == box.count


def test_pods_of_the_host_network_and_without_network_have_no_interface(tmp_path: Path):
    """Their boxes say so in place of an interface."""
    picture = topology_picture(read(tmp_path, TWO_NODES + EVERY_KIND))
    lines = [box.lines for box in picture.boxes if box.kind == "pods"]

    assert 2 == lines.count(("kube-system/agent", "host network"))
    assert ("shop/alone", "no network: loopback only") in lines


def test_links_of_plugins_are_said_to_be_theirs(tmp_path: Path):
    """In mode cni plugins make the links, so netlab knows no interface before it runs them."""
    spec = """\
apiVersion: netlab/v1alpha1
kind: Topology
spec:
  networks:
  - name: default
    mode: cni
    podCIDRs: [10.244.0.0/16]
    conflist: {cniVersion: "1.0.0", name: pods, plugins: [{type: bridge, ipam: {type: host-local}}, {type: portmap}]}
---
"""
    picture = topology_picture(read(tmp_path, spec + EVERY_KIND))

    assert "plugins bridge, portmap" in {arrow.label for arrow in picture.arrows}
    assert any("plugins bridge, portmap make the links of its pods" in line for line in picture.below)


def test_impaired_links_are_written_at_both_ends(tmp_path: Path):
    """A link between two nodes is at the boxes of both; one of a host is on its arrow."""
    links = "links: [{between: [node-a, node-b], delay: 20ms}, {between: [client], rate: 10mbit}]"
    text = TWO_NODES.replace("spec: {", "spec: {" + links + ", ")
    picture = topology_picture(read(tmp_path, text + EVERY_KIND))
    lines = {box.ident: box.lines for box in picture.boxes}

    assert "to node-b: delay 20ms" in lines["node:node-a"]
    assert "to node-a: delay 20ms" in lines["node:node-b"]
    assert any("rate 10mbit" in arrow.label for arrow in picture.arrows if arrow.source == "host:client")


@pytest.mark.parametrize("pods", [10, 60, 500])
def test_it_has_few_boxes_at_any_size(pods: int, tmp_path: Path):
    """A large picture leaves out no pod: it counts them."""
    cluster = read(tmp_path, picture_input(pods))
    picture = topology_picture(cluster)

    whole(picture)
    assert len(picture.boxes) <= MOST_BOXES
    assert len(cluster.pods) == sum(box.count for box in picture.boxes if box.kind == "pods")


def test_many_nodes_alike_are_one_frame():
    """The frame has the first name, the last name and the number of nodes."""
    nodes = [f"node-{number}" for number in range(1, 41)]
    picture = topology_picture(cluster_of(topology(nodes, mode="overlay"), workload("Deployment", "shop/web", 80)))
    (frame,) = picture.frames

    assert "node-1 … node-40 ×40" == frame.label
    assert "shop/web ×80" in {box.lines[0] for box in picture.boxes}


def test_the_coarsest_picture_has_a_box_for_each_network(monkeypatch: pytest.MonkeyPatch):
    """It names the namespaces of the pods."""
    monkeypatch.setattr(of_topology, "MOST_BOXES", 3)
    picture = topology_picture(cluster_of(pod("shop/web"), pod("bank/db")))
    (box,) = [box for box in picture.boxes if box.kind == "pods"]

    assert ("network default: 2 pods", "bank, shop") == box.lines[:2]


def test_a_wrong_mtu_is_found(tmp_path: Path):
    """The check of these tests fails for a picture that shows another link than is built."""
    cluster = read(tmp_path, TWO_NODES + EVERY_KIND)
    picture = topology_picture(cluster)
    wrong = tuple(replace(a, label=a.label.replace("port", "porf"), note=()) for a in picture.arrows)

    with pytest.raises(AssertionError):
        check(cluster, replace(picture, arrows=wrong))


def test_pods_have_a_place_in_the_input(tmp_path: Path):
    """The place is the file and line of the object that makes the pods."""
    picture = topology_picture(read(tmp_path, TWO_NODES + EVERY_KIND))
    places = {box.lines[0]: box.place for box in picture.boxes}

    assert places["shop/web ×2"].endswith("input.yaml:6")
    assert names.POD_DEVICE in texts(picture)
