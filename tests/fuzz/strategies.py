"""Hypothesis strategies for input of users: documents of every kind with some invalid places."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import yaml
from hypothesis import strategies as st

_CONTAINER = {"name": "c", "image": "x", "ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 53}]}
_SPEC = {"containers": [_CONTAINER], "nodeName": "node-1", "nodeSelector": {"kubernetes.io/os": "linux"}}
_TEMPLATE = {"metadata": {"labels": {"app": "web", "tier": "front"}}, "spec": {"containers": [_CONTAINER]}}
_WORKLOAD = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": _TEMPLATE}
_JOB = {"parallelism": 1, "completions": 1, "suspend": False, "template": _TEMPLATE}
_PEERS = [
    {"podSelector": {"matchLabels": {"app": "web"}}},
    {"namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "In", "values": ["a", "b"]}]}},
    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.244.0.0/24"]}},
]
_PORTS = [{"port": 80}, {"port": "web", "protocol": "TCP"}, {"port": 1, "endPort": 90, "protocol": "UDP"}]
_STATUS = {"phase": "Running", "podIP": "10.244.0.7", "podIPs": [{"ip": "10.244.0.7"}], "hostIP": "100.64.0.1"}

_BACKEND = {"service": {"name": "web", "port": {"number": 80}}}
_CERTIFICATE = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"
# The kinds of Services, DNS and Ingress.
_SERVICES: tuple[dict[str, Any], ...] = (
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "named", "namespace": "shop", "labels": {"app": "web"}},
        "spec": {
            "hostname": "named",
            "subdomain": "headless",
            "dnsPolicy": "None",
            "dnsConfig": {
                "nameservers": ["10.96.0.10"],
                "searches": ["shop.svc.cluster.local", "example.com."],
                "options": [{"name": "ndots", "value": "5"}, {"name": "edns0"}],
            },
            "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["db.example", "cache.example"]}],
            "containers": [_CONTAINER],
        },
        "status": {"conditions": [{"type": "Ready", "status": "False"}]},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "balanced",
            "namespace": "shop",
            "annotations": {"service.kubernetes.io/topology-mode": "Auto"},
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": "web"},
            "clusterIPs": ["10.96.0.30", "fd00:10:96::30"],
            "clusterIP": "10.96.0.30",
            "ipFamilies": ["IPv4", "IPv6"],
            "ipFamilyPolicy": "RequireDualStack",
            "externalTrafficPolicy": "Local",
            "internalTrafficPolicy": "Cluster",
            "healthCheckNodePort": 32000,
            "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 10}},
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "externalIPs": ["192.0.2.80"],
            "trafficDistribution": "PreferClose",
            "ports": [
                {"name": "http", "port": 80, "targetPort": "web", "nodePort": 30080, "appProtocol": "kubernetes.io/ws"},
                {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
            ],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "198.18.0.9", "ipMode": "VIP"}, {"hostname": "lb.example"}]}},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "headless", "namespace": "shop"},
        "spec": {
            "clusterIP": "None",
            "selector": {"app": "web"},
            "publishNotReadyAddresses": True,
            "ports": [{"name": "http", "port": 80}],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "elsewhere", "namespace": "shop"},
        "spec": {"type": "ExternalName", "externalName": "db.example.com"},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "manual", "namespace": "shop"},
        "spec": {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
    },
    {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "manual-1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "manual"}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
        "endpoints": [
            {
                "addresses": ["192.0.2.10"],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "hostname": "one",
                "nodeName": "node-1",
                "zone": "a",
                "hints": {"forZones": [{"name": "a"}]},
                "targetRef": {"kind": "Pod", "namespace": "shop", "name": "named"},
            }
        ],
    },
    {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {"name": "manual", "namespace": "shop"},
        "subsets": [
            {
                "addresses": [{"ip": "192.0.2.11", "hostname": "two", "nodeName": "node-1"}],
                "notReadyAddresses": [{"ip": "192.0.2.12"}],
                "ports": [{"name": "http", "port": 8080}],
            }
        ],
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": "site",
            "namespace": "shop",
            "annotations": {"nginx.ingress.kubernetes.io/rewrite-target": "/"},
        },
        "spec": {
            "ingressClassName": "nginx",
            "defaultBackend": _BACKEND,
            "tls": [{"hosts": ["shop.example", "*.shop.example"], "secretName": "tls"}],
            "rules": [
                {
                    "host": "*.shop.example",
                    "http": {"paths": [{"path": "/a", "pathType": "Prefix", "backend": _BACKEND}]},
                },
                {"host": "shop.example", "http": {"paths": [{"path": "/", "pathType": "Exact", "backend": _BACKEND}]}},
                {"http": {"paths": [{"pathType": "ImplementationSpecific", "path": "/x/(.*)", "backend": _BACKEND}]}},
            ],
        },
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": "nginx", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "k8s.io/ingress-nginx"},
    },
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": {"name": "tls", "namespace": "shop"},
        "data": {"tls.crt": "QUE=", "tls.key": "QUE="},
        "stringData": {"tls.crt": _CERTIFICATE},
    },
    {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Topology",
        "metadata": {"name": "served"},
        "spec": {
            "nodes": [{"name": "node-1", "labels": {"topology.kubernetes.io/zone": "a"}}, {"name": "node-2"}],
            "hosts": [{"name": "client", "addresses": ["192.0.2.10"], "hostnames": ["client.example.com"]}],
            "serviceCIDRs": ["10.96.0.0/16", "fd00:10:96::/112"],
            "loadBalancerCIDRs": ["198.18.0.0/24"],
            "nodePortRange": "30000-32767",
            "clusterDomain": "cluster.local",
            "dns": True,
            "policy": {"hairpin": "exempt"},
        },
    },
    {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Scenario",
        "metadata": {"name": "asked"},
        "spec": {
            "resources": [],
            "steps": [
                {
                    "name": "ask",
                    "apply": [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}],
                    "expect": [
                        {
                            "from": "shop/web",
                            "to": "http://web.shop:80/hostname",
                            "status": 200,
                            "body": "web",
                            "timeout": 3,
                        },
                        {"from": "shop/web", "to": "https://shop.example/", "verdict": "deny", "family": 4},
                        {"from": "shop/web", "lookup": "web.shop", "addresses": ["10.96.0.9"]},
                        {"from": "shop/web", "run": ["getent", "hosts", "web"], "exit": 0, "stdout": "web"},
                        {"from": "*/*", "to": "service:shop/*", "port": "http", "verdict": "some"},
                    ],
                }
            ],
        },
    },
)

_SELECTOR = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}]}
_IN_NAMESPACES = {"pods": {"namespaceSelector": _SELECTOR, "podSelector": {}}}
_TO = [
    {"namespaces": _SELECTOR},
    _IN_NAMESPACES,
    {"networks": ["10.0.0.0/8", "fd00::/8"]},
    {"nodes": {}},
]
_NAMED: dict[str, Any] = {"to": [{"domainNames": ["*.example.com", "db.example.com."]}]}
_NUMBERS = [
    {"tcp": {"destinationPort": {"number": 80}}},
    {"udp": {"destinationPort": {"range": {"start": 1, "end": 90}}}},
]
_ADMIN_PORTS = [{"portNumber": {"port": 80}}, {"portRange": {"protocol": "UDP", "start": 1, "end": 90}}]
_CLUSTER_WIDE: tuple[dict[str, Any], ...] = (
    *(
        {
            "apiVersion": f"policy.networking.k8s.io/{version}",
            "kind": "ClusterNetworkPolicy",
            "metadata": {"name": "cluster-wide"},
            "spec": {
                "tier": tier,
                "priority": 7,
                "subject": {"namespaces": _SELECTOR},
                "ingress": [
                    {
                        "name": "first",
                        "action": "Pass",
                        "from": [_IN_NAMESPACES, {"namespaces": {}}],
                        "protocols": [*_NUMBERS, {"destinationNamedPort": "web"}],
                    }
                ],
                "egress": [{"action": "Deny", "to": _TO, "protocols": _NUMBERS}, {"action": "Accept", **_NAMED}],
            },
            "status": {"conditions": []},
        }
        for version, tier in (("v1beta1", "Admin"), ("v1alpha2", "Baseline"))
    ),
    {
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "AdminNetworkPolicy",
        "metadata": {"name": "anp"},
        "spec": {
            "priority": 1,
            "subject": _IN_NAMESPACES,
            "ingress": [
                {"action": "Deny", "from": [{"namespaces": {}}], "ports": [*_ADMIN_PORTS, {"namedPort": "web"}]}
            ],
            "egress": [{"action": "Pass", "to": _TO, "ports": _ADMIN_PORTS}, {"action": "Allow", **_NAMED}],
        },
    },
    {
        "apiVersion": "policy.networking.k8s.io/v1alpha1",
        "kind": "BaselineAdminNetworkPolicy",
        "metadata": {"name": "default"},
        "spec": {
            "subject": {"namespaces": {}},
            "ingress": [{"action": "Allow", "from": [_IN_NAMESPACES], "ports": _ADMIN_PORTS}],
            "egress": [{"action": "Deny", "to": _TO}],
        },
    },
)

TEMPLATES: tuple[dict[str, Any], ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"team": "a"}}},
    {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node-1", "labels": {"zone": "a"}},
        "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
        "status": {"addresses": [{"type": "InternalIP", "address": "100.64.0.9"}]},
    },
    {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop"}, "spec": _SPEC},
    {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "q",
            "namespace": "shop",
            "labels": {"app": "web"},
            "annotations": {"netlab/network": "default"},
        },
        "spec": {"hostNetwork": False, "containers": [_CONTAINER]},
        "status": _STATUS,
    },
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": _WORKLOAD},
    {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": "rs"}, "spec": _WORKLOAD},
    {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {**_WORKLOAD, "serviceName": "db", "ordinals": {"start": 1}},
    },
    {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "ds"}, "spec": {"template": _TEMPLATE}},
    {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "job-"}, "spec": _JOB},
    {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": "cron"},
        "spec": {"schedule": "* * * * *", "suspend": False, "jobTemplate": {"spec": _JOB}},
    },
    {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "rc"},
        "spec": {"replicas": 1, "selector": {"app": "web"}, "template": _TEMPLATE},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.96.0.9", "ports": [{"port": 80, "targetPort": "web"}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "np", "namespace": "shop"},
        "spec": {
            "podSelector": {"matchLabels": {"app": "web"}},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": _PEERS, "ports": _PORTS}],
            "egress": [{"to": _PEERS}, {"ports": _PORTS}],
        },
    },
    {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Topology",
        "metadata": {"name": "lab"},
        "spec": {
            "networks": [
                {"name": "default", "mode": "overlay", "podCIDRs": ["10.244.0.0/16", "fd00:10:244::/56"]},
                {"name": "other", "mode": "routed", "podCIDRs": ["10.245.0.0/16"]},
            ],
            "nodes": [{"name": "node-1", "labels": {"zone": "a"}}, {"name": "node-2"}],
            "hosts": [{"name": "client", "addresses": ["192.0.2.10"]}],
            "underlayCIDRs": ["100.64.0.0/16", "fd00:100:64::/64"],
            "policy": {"icmp": "allow", "deny": "drop", "established": "keep"},
        },
    },
    {
        "apiVersion": "netlab/v1alpha1",
        "kind": "Topology",
        "metadata": {"name": "wired"},
        "spec": {
            "profile": "calico-vxlan",
            "networks": [
                {
                    "name": "default",
                    "mode": "overlay",
                    "wiring": {
                        "attachment": "routed",
                        "transport": "vxlan",
                        "masquerade": "outside",
                        "outsideRoutes": False,
                        "tunnelName": "vxlan.calico",
                        "portPrefix": "cali",
                        "portMAC": "ee:ee:ee:ee:ee:ee",
                        "vni": 4096,
                        "tunnelPort": 4789,
                        "mtu": 1450,
                        "gateway": "169.254.1.1",
                    },
                },
                {
                    "name": "made",
                    "mode": "cni",
                    "podCIDRs": ["10.246.0.0/16"],
                    "conflist": {
                        "cniVersion": "1.0.0",
                        "name": "pods",
                        "plugins": [{"type": "bridge", "isGateway": True, "ipam": {"type": "host-local"}}],
                    },
                },
            ],
            "nodes": [{"name": "node-1"}, {"name": "node-2"}],
            "links": [{"between": ["node-1", "node-2"], "delay": "20ms", "loss": "0.1%", "rate": "100mbit"}],
            "policy": {"sctp": "drop", "ownNode": "allow", "endPort": "ignore", "ipBlockNodes": "never"},
        },
    },
    {
        "apiVersion": "cilium.io/v2",
        "kind": "CiliumNetworkPolicy",
        "metadata": {"name": "cnp", "namespace": "shop"},
        "spec": {"endpointSelector": {"matchLabels": {"k8s:app": "web"}}},
    },
    *_CLUSTER_WIDE,
    {
        "apiVersion": "networking.k8s.aws/v1alpha1",
        "kind": "ClusterNetworkPolicy",
        "metadata": {"name": "another-api"},
        "spec": {"tier": "Admin", "priority": 1, "subject": {"namespaces": {}}, "ingress": [{"action": "Deny"}]},
    },
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": "v"}},
    *_SERVICES,
    {"apiVersion": "v1", "kind": "List", "metadata": {"remainingItemCount": 3}, "items": []},
)

_WORDS = (
    "", " ", "~", "null", "true", "y", "n", "on", "0x1f", "1e3", "0o7", "-1", "65536", ".", "..", "../..", "/", "a/b",
    "/dev/zero", "*", "{}", "x" * 64, "x" * 254, "X", "a.b", "a_b", "-a", "a-", "\n", "a\nb", "\x1b[31m", "\x00",
    "\x7f", "\u202e", "\u2028", "\ud800", "\U0001f600", 'a"b', "a'b", "a\\b", "$(id)", "{{ .Values.x }}", "%s", "a: b",
    "10.244.0.0/16", "10.244.0.1", "010.0.0.1/8", "::/0", "::ffff:10.0.0.0/104", "fe80::1", "0.0.0.0/0", "10.0.0.0/33",
    "255.255.255.255", "TCP", "SCTP", "tcp", "ICMP", "Ingress", "networking.k8s.io/v1", "v1", "netlab/v1alpha1",
    "NetworkPolicy", "networkpolicy", "Pod", "List", "none", "default", "node-1", "bridge", "macvlan", "routed",
    "10.96.0.0/16", "10.96.0.10", "10.96.0.1", "198.18.0.0/30", "cluster.local", "http://[::1", "http://a b/", "None",
    "https://x:99999/", "service:shop/web", "*.a", "*.*.a", "/a;}", "/\"{", "xn--bcher-kva.example", "\u00e9.example",
    "1-65535", "30000-29999", "30000-99999999999", "ExternalName", "NodePort", "IPv6", "fd00:10:96::/108",
    "LoadBalancer",
)  # fmt: skip

scalars = st.one_of(
    st.sampled_from(_WORDS),
    st.text(max_size=12),
    st.integers(-(2**65), 2**65),
    st.sampled_from([0, 1, -1, 80, 80.0, 80.5, 65535, 65536, 100_001, 1e400, float("nan"), True, False, None]),
)
_values = st.one_of(  # type: ignore[var-annotated]
    scalars,
    st.just([]),
    st.just({}),
    st.lists(scalars, max_size=3),
    st.dictionaries(st.one_of(st.sampled_from(_WORDS), st.text(max_size=6)), scalars, max_size=3),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a document."""
    if path:
        yield path
    for key, child in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(child, (*path, key))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document of some kind, with up to three places in it that are replaced, deleted, wrapped or doubled."""
    found: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(TEMPLATES)))
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(found))
        if not places:
            break
        *above, last = draw(st.sampled_from(places))
        holder: Any = found
        for key in above:
            holder = holder[key]
        match draw(st.sampled_from(["replace", "replace", "delete", "wrap", "rename", "double"])):
            case "replace":
                holder[last] = draw(_values)
            case "delete":
                del holder[last]
            case "wrap":
                holder[last] = draw(st.sampled_from([[holder[last]], {"x": holder[last]}]))
            case "rename" if isinstance(holder, dict):
                holder[draw(st.one_of(st.sampled_from(_WORDS), st.text(max_size=8)))] = holder.pop(last)
            case "double" if isinstance(holder, list):
                holder.append(copy.deepcopy(holder[last]))
    return found


_LIST = {
    "cniVersion": "1.0.0",
    "cniVersions": ["0.4.0"],
    "name": "pods",
    "disableCheck": False,
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.1.0.0/16"}]], "routes": [{"dst": "0.0.0.0/0"}]},
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}
_CALL = {
    "environment": {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_IFNAME": "eth0",
        "CNI_NETNS": "/nowhere",
        "CNI_ARGS": "K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
    },
    "config": {
        "cniVersion": "1.1.0",
        "name": "net",
        "type": "netlab-cni",
        "lab": "fuzzed",
        "node": "node-1",
        "labels": {"app": "web"},
        "args": {"cni": {"ips": ["10.244.0.9"], "labels": [{"key": "a", "value": "b"}]}},
        "runtimeConfig": {"portMappings": [{"hostPort": 80, "containerPort": 80, "protocol": "tcp"}]},
        "prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "10.244.0.9/24"}]},
        "cni.dev/valid-attachments": [{"containerID": "c1", "ifname": "eth0"}],
    },
}


@st.composite
def _wounded(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = copy.deepcopy(whole)
    for _ in range(draw(st.integers(0, 3))):
        *above, last = draw(st.sampled_from([*_places(found)] or [()])) or (None,)
        holder: Any = found
        for key in above:
            holder = holder[key]
        if last is not None:
            holder[last] = draw(_values)
    return found


lists = _wounded(_LIST)
calls = _wounded(_CALL)


class _Quoted(yaml.SafeDumper):
    """PyYAML, but it quotes what Kubernetes' YAML takes for a boolean."""


_Quoted.add_implicit_resolver("tag:yaml.org,2002:bool", __import__("re").compile("^(y|Y|n|N)$"), list("yYnN"))


def _dump(one: Any, form: str) -> str:
    if form == "json":
        return json.dumps(one)
    return yaml.dump(one, Dumper=_Quoted, allow_unicode=form == "unicode", default_flow_style=form == "flow")


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """A file: some documents, as YAML or JSON, with up to two wounds to its bytes."""
    several = draw(st.lists(documents(), min_size=1, max_size=6))
    form = draw(st.sampled_from(["block", "flow", "unicode", "json", "list"]))
    if form == "list":
        text = _dump({"apiVersion": "v1", "kind": "List", "items": several}, "block")
    else:
        text = ("\n" if form == "json" else "---\n").join(_dump(one, form) + "\n" for one in several)
    encoding = draw(st.sampled_from(["utf-8"] * 8 + ["utf-16", "utf-8-sig", "utf-32"]))
    content = text.encode(encoding, "surrogatepass" if encoding.startswith("utf-8") else "replace")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(content)))
        wound = draw(
            st.sampled_from([b"", b"\x00", b"\xff", b"\xef\xbb\xbf", b"{{", b"&a ", b"*a", b"<<: ", b"- ", b"\t"])
        )
        cut = draw(st.integers(0, 8))
        content = content[:at] + wound + content[at + cut :]
    return content


names = st.one_of(
    st.sampled_from(_WORDS),
    st.text(max_size=70),
    st.lists(st.sampled_from(["..", ".", "/", "a", "\n", ";", "netlab", "-", " ", "\x00", "run"]), max_size=8).map(
        "".join
    ),
)
