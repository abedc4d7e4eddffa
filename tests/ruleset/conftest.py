"""Small clusters in a few words, and a real nft in a network namespace of its own."""

import json
import subprocess
from collections.abc import Callable
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import builders
import pytest

from netlab.cluster.types import Cluster, Host, Network, Node, Pod
from netlab.objects.policies import IPBlock, NetworkPolicy, Peer, PolicyPort, Rule
from netlab.objects.selectors import LabelSelector
from netlab.objects.types import ContainerPort, Meta


def selector(*words: str) -> LabelSelector:
    """A requirement each: ``selector("app=web", "!old", "tier in (a,b)", "app")``."""
    return builders.selector(",".join(words))


def block(cidr: str, *excepts: str) -> Peer:
    """A peer that is an ipBlock."""
    return Peer(ip_block=IPBlock(ip_network(cidr), tuple(map(ip_network, excepts))))


def pods(*words: str) -> Peer:
    """A peer of pods in the policy's own namespace."""
    return Peer(pod_selector=selector(*words))


def namespaces(*words: str, pods: tuple[str, ...] | None = None) -> Peer:
    """A peer of namespaces, and with ``pods`` of some of their pods."""
    return Peer(namespace_selector=selector(*words), pod_selector=None if pods is None else selector(*pods))


def port(number: int | str | None = None, protocol: str = "TCP", end: int | None = None) -> PolicyPort:
    """One item of ``ports``."""
    return PolicyPort(protocol, number, end)  # type: ignore[arg-type]


def rule(*items: Peer | PolicyPort) -> Rule:
    """A rule of these peers and ports, in any order."""
    peers = tuple(i for i in items if isinstance(i, Peer))
    return Rule(peers, tuple(i for i in items if isinstance(i, PolicyPort)))


def policy(
    key: str,
    *words: str,
    ingress: list[Rule] | None = None,
    egress: list[Rule] | None = None,
) -> NetworkPolicy:
    """A policy ``NAMESPACE/NAME`` on the pods that the words select; it isolates in the directions that are given."""
    namespace, name = key.split("/")
    given = {"ingress": ingress, "egress": egress}
    types: Any = frozenset(direction for direction, rules in given.items() if rules is not None)
    return NetworkPolicy(Meta(name, namespace), selector(*words), types, tuple(ingress or ()), tuple(egress or ()))


def pod(
    ref: str,
    *addresses: str,
    labels: str = "",
    ports: str = "",
    node: str = "node-1",
    attachment: str = "bridge",
) -> Pod:
    """A pod ``NAMESPACE/NAME``; ``labels`` is ``a=b c=d``, ``ports`` is ``http=80/TCP dns=53/UDP``."""
    namespace, name = ref.split("/")
    declared: Any = [(word.split("=")[0], *word.split("=")[1].split("/")) for word in ports.split()]
    return Pod(
        namespace=namespace,
        name=name,
        labels=dict(word.split("=") for word in labels.split()),
        annotations={},
        node=node,
        attachment=attachment,
        network="" if attachment in ("host", "none") else "default",
        addresses=tuple(map(ip_address, addresses)),
        ports=tuple(ContainerPort(int(number), protocol, name) for name, number, protocol in declared),
    )


def cluster(
    members: list[Pod],
    policies: list[NetworkPolicy],
    *,
    nodes: tuple[str, ...] = ("node-1",),
    namespaces: dict[str, dict[str, str]] | None = None,
    mode: str = "bridge",
    cidrs: tuple[str, ...] = ("10.244.0.0/16",),
) -> Cluster:
    """A cluster of one network; every namespace has its name as a label, and those of ``namespaces``."""
    prefixes = tuple(map(ip_network, cidrs))
    used = {p.namespace for p in members} | {p.meta.namespace for p in policies}
    return Cluster(
        name="lab",
        networks=(Network("default", mode, prefixes),),
        nodes=tuple(
            Node(name, {}, (ip_address(f"100.64.0.{n}"),), {"default": prefixes})
            for n, name in enumerate(nodes, start=1)
        ),
        hosts=(Host("client", (ip_address("192.0.2.10"),)),),
        namespaces={n: {"kubernetes.io/metadata.name": n, **(namespaces or {}).get(n, {})} for n in sorted(used)},
        pods=tuple(sorted(members, key=lambda p: (p.namespace, p.name))),
        policies=tuple(sorted(policies, key=lambda p: p.meta.key)),
    )


@pytest.fixture(scope="session")
def build() -> SimpleNamespace:
    """The builders of this file, by name."""
    return SimpleNamespace(
        block=block,
        cluster=cluster,
        namespaces=namespaces,
        pod=pod,
        pods=pods,
        policy=policy,
        port=port,
        rule=rule,
        selector=selector,
    )


def _plain(value: Any) -> Any:
    """nft's JSON without what differs between equal tables: handles, comments, the order of elements."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k not in ("handle", "comment")}
    if isinstance(value, list):
        return sorted((_plain(v) for v in value), key=lambda v: json.dumps(v, sort_keys=True))
    return value


@pytest.fixture(scope="session")
def nft() -> Callable[..., Any]:
    """Load files one after the other by the real nft in a namespace of its own; return what the kernel then lists."""

    def run(*files: str) -> Any:
        script = (
            "set -e; for n in $(seq $1); do IFS= read -r -d '' file; nft -f - <<<\"$file\"; done; nft -j list ruleset"
        )
        done = subprocess.run(
            ["unshare", "--net", "bash", "-c", script, "nft", str(len(files))],
            input="".join(f"{file}\0" for file in files),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode:
            raise AssertionError(done.stderr)
        return _plain(json.loads(done.stdout)["nftables"])

    return run
