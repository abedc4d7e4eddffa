"""Objects that an API server accepts, one or more of each kind. Together they have every field that netlab reads.

Random objects are made of them: ``random_objects`` changes fields of a copy.
"""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]
NAMESPACE = "judged"

_META: Object = {
    "name": "web",
    "namespace": NAMESPACE,
    "labels": {"app": "web", "example.com/tier": "front"},
    "annotations": {"example.com/note": "x"},
    "ownerReferences": [
        {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "owner", "uid": "1b4e28ba", "controller": True}
    ],
}
_CLUSTER_META = {name: value for name, value in _META.items() if name != "namespace"}
_GENERATED = {"generateName": "web-", "namespace": NAMESPACE}
_SELECTOR: Object = {
    "matchLabels": {"app": "web"},
    "matchExpressions": [
        {"key": "team", "operator": "In", "values": ["a", "b"]},
        {"key": "example.com/gone", "operator": "DoesNotExist"},
    ],
}
_RULE: Object = {
    "ports": [
        {"protocol": "TCP", "port": 80},
        {"protocol": "UDP", "port": 1000, "endPort": 2000},
        {"protocol": "SCTP", "port": "web"},
    ]
}
_PEERS: list[Object] = [
    {"podSelector": _SELECTOR, "namespaceSelector": _SELECTOR},
    {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16", "10.2.3.0/24"]}},
    {"ipBlock": {"cidr": "fd00::/8", "except": ["fd00:1::/32"]}},
]
_POLICY: Object = {
    "podSelector": _SELECTOR,
    "policyTypes": ["Ingress", "Egress"],
    "ingress": [_RULE | {"from": _PEERS}, {}],
    "egress": [_RULE | {"to": _PEERS}],
}
_CONTAINER: Object = {
    "name": "c",
    "image": "registry.example/web:1",
    "ports": [
        {"name": "web", "containerPort": 80, "protocol": "TCP", "hostPort": 8080, "hostIP": "10.0.0.1"},
        {"containerPort": 53, "protocol": "UDP"},
    ],
}
_POD: Object = {
    "nodeName": "node-1",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "hostNetwork": False,
    "hostname": "web",
    "subdomain": "names",
    "dnsPolicy": "None",
    "dnsConfig": {
        "nameservers": ["10.96.0.10", "fd00::10"],
        "searches": ["shop.svc.cluster.local", "example.com."],
        "options": [{"name": "ndots", "value": "5"}, {"name": "edns0"}],
    },
    "hostAliases": [{"ip": "192.0.2.7", "hostnames": ["db.example", "cache.example"]}],
    "containers": [_CONTAINER, {"name": "d", "image": "x", "ports": [{"name": "web", "containerPort": 81}]}],
    "initContainers": [
        {"name": "first", "image": "x"},
        {"name": "beside", "image": "x", "restartPolicy": "Always", "ports": [{"name": "side", "containerPort": 90}]},
    ],
}
_ON_NODE = {"hostNetwork": True, "containers": [{"name": "c", "image": "x", "ports": [{"containerPort": 80}]}]}
_TEMPLATE: Object = {"metadata": {"labels": {"app": "web"}, "annotations": {"netlab/network": "none"}}, "spec": _POD}
_SMALL: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
_JOB_TEMPLATE: Object = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {**_POD, "restartPolicy": "Never"},
}
_SELECTED: Object = {"selector": {"matchLabels": {"app": "web"}}}
_WORKLOAD: Object = {"replicas": 2, **_SELECTED, "template": _TEMPLATE}
_JOB: Object = {
    "parallelism": 2,
    "completions": 3,
    "completionMode": "Indexed",
    "suspend": False,
    "template": _JOB_TEMPLATE,
}
_BACKEND: Object = {"service": {"name": "web", "port": {"number": 80}}}

_ENDPOINT: Object = {
    "ip": "192.0.2.11",
    "hostname": "two",
    "nodeName": "node-1",
    "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": "web"},
}


def _of(version: str, kind: str, metadata: Object, **fields: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _workload(kind: str, **fields: Any) -> tuple[Object, ...]:
    spec = {**_WORKLOAD, **fields}
    if kind == "DaemonSet":
        del spec["replicas"]
    return (
        _of("apps/v1", kind, _META, spec=spec),
        _of("apps/v1", kind, _GENERATED, spec={**_SELECTED, "template": _SMALL}),
    )


def _service(**spec: Any) -> Object:
    return _of("v1", "Service", _META, spec=spec)


_PORTS: list[Object] = [
    {"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP", "appProtocol": "kubernetes.io/ws"},
    {"name": "dns", "port": 53, "targetPort": 5353, "protocol": "UDP"},
]

WHOLE: dict[str, tuple[Object, ...]] = {
    "NetworkPolicy": (
        _of("networking.k8s.io/v1", "NetworkPolicy", _META, spec=_POLICY),
        _of("networking.k8s.io/v1", "NetworkPolicy", _GENERATED, spec={"podSelector": {}}),
    ),
    "Namespace": (_of("v1", "Namespace", _CLUSTER_META),),
    "Node": (
        _of(
            "v1",
            "Node",
            _CLUSTER_META,
            spec={"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24", "fd00:244::/64"]},
            status={"addresses": [{"type": "InternalIP", "address": "100.64.0.9"}]},
        ),
        _of("v1", "Node", _CLUSTER_META),
    ),
    "Pod": (
        _of("v1", "Pod", _META, spec=_POD),
        _of("v1", "Pod", _GENERATED, spec={"containers": [{"name": "c", "image": "x"}]}),
        _of("v1", "Pod", _META, spec=_ON_NODE),
    ),
    "Service": (
        _service(selector={"app": "web"}, ports=_PORTS, clusterIP="10.96.7.7", clusterIPs=["10.96.7.7"]),
        _service(
            type="LoadBalancer",
            selector={"app": "web"},
            ports=[_PORTS[0] | {"nodePort": 30080}, _PORTS[1] | {"nodePort": 30053}],
            ipFamilies=["IPv4"],
            ipFamilyPolicy="SingleStack",
            externalTrafficPolicy="Local",
            internalTrafficPolicy="Local",
            healthCheckNodePort=32000,
            sessionAffinity="ClientIP",
            sessionAffinityConfig={"clientIP": {"timeoutSeconds": 10}},
            loadBalancerSourceRanges=["192.0.2.0/24"],
            loadBalancerIP="198.18.0.7",
            loadBalancerClass="example.com/lb",
            allocateLoadBalancerNodePorts=True,
            externalIPs=["192.0.2.80"],
            publishNotReadyAddresses=True,
            trafficDistribution="PreferSameZone",
        ),
        _service(clusterIP="None", selector={"app": "web"}, ports=[_PORTS[0]]),
        _service(type="ExternalName", externalName="db.example.com"),
        _service(type="NodePort", ports=[{"port": 80, "nodePort": 30081}], externalTrafficPolicy="Cluster"),
    ),
    "EndpointSlice": (
        _of(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            _META,
            addressType="IPv4",
            ports=[
                {"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "example.com/x"},
                {"name": "b", "port": 1},
            ],
            endpoints=[
                {
                    "addresses": ["192.0.2.10"],
                    "conditions": {"ready": True, "serving": True, "terminating": False},
                    "hostname": "one",
                    "nodeName": "node-1",
                    "zone": "a",
                    "hints": {"forZones": [{"name": "a"}], "forNodes": [{"name": "node-1"}]},
                    "targetRef": {"kind": "Pod", "namespace": NAMESPACE, "name": "web"},
                }
            ],
        ),
        _of(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            _GENERATED,
            addressType="IPv6",
            endpoints=[{"addresses": ["fd00::7"]}],
        ),
    ),
    "Endpoints": (
        _of(
            "v1",
            "Endpoints",
            _META,
            subsets=[
                {
                    "addresses": [_ENDPOINT],
                    "notReadyAddresses": [_ENDPOINT | {"ip": "192.0.2.12"}],
                    "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "example.com/x"}],
                }
            ],
        ),
        _of("v1", "Endpoints", _GENERATED),
    ),
    "Ingress": (
        _of(
            "networking.k8s.io/v1",
            "Ingress",
            _META,
            spec={
                "ingressClassName": "nginx",
                "defaultBackend": {"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "b"}},
                "tls": [{"hosts": ["shop.example", "*.shop.example"], "secretName": "tls"}],
                "rules": [
                    {
                        "host": "*.shop.example",
                        "http": {"paths": [{"path": "/a", "pathType": "Prefix", "backend": _BACKEND}]},
                    },
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "ImplementationSpecific",
                                    "backend": {"service": {"name": "web", "port": {"name": "http"}}},
                                }
                            ]
                        }
                    },
                ],
            },
        ),
        _of(
            "networking.k8s.io/v1",
            "Ingress",
            {**_GENERATED, "annotations": {"kubernetes.io/ingress.class": "nginx"}},
            spec={"defaultBackend": _BACKEND},
        ),
    ),
    "IngressClass": (
        _of(
            "networking.k8s.io/v1",
            "IngressClass",
            {**_CLUSTER_META, "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
            spec={
                "controller": "example.com/controller",
                "parameters": {"scope": "Namespace", "namespace": "x", "kind": "Settings", "name": "s"},
            },
        ),
        _of("networking.k8s.io/v1", "IngressClass", _CLUSTER_META, spec={"controller": "example.com/controller"}),
    ),
    "Deployment": _workload(
        "Deployment", strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}}
    ),
    "ReplicaSet": _workload("ReplicaSet"),
    "StatefulSet": _workload(
        "StatefulSet",
        serviceName="names",
        ordinals={"start": 3},
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 1, "maxUnavailable": "30%"}},
    ),
    "DaemonSet": _workload(
        "DaemonSet",
        updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "10%"}},
    ),
    "ReplicationController": (
        _of(
            "v1",
            "ReplicationController",
            _META,
            spec={"replicas": 2, "selector": {"app": "web"}, "template": _TEMPLATE},
        ),
        _of("v1", "ReplicationController", _GENERATED, spec={"template": _SMALL}),
    ),
    "Job": (
        _of("batch/v1", "Job", _META, spec=_JOB),
        _of(
            "batch/v1",
            "Job",
            _META,
            spec={**_JOB, "manualSelector": True, "selector": {"matchLabels": {"app": "web"}}},
        ),
    ),
    "CronJob": (
        _of(
            "batch/v1",
            "CronJob",
            _META,
            spec={"schedule": "* * * * *", "suspend": False, "jobTemplate": {"spec": _JOB}},
        ),
    ),
}
"""The objects of each kind."""

_IN_NAMESPACES: Object = {"pods": {"namespaceSelector": _SELECTOR, "podSelector": _SELECTOR}}
_PORT_RANGE: Object = {"destinationPort": {"range": {"start": 1, "end": 90}}}
_NUMBERS: list[Object] = [
    *({protocol: {"destinationPort": {"number": 80}}} for protocol in ("tcp", "udp", "sctp")),
    *({protocol: _PORT_RANGE} for protocol in ("tcp", "udp", "sctp")),
]


def _cluster_policy(tier: str, subject: Object) -> Object:
    return _of(
        "policy.networking.k8s.io/v1beta1",
        "ClusterNetworkPolicy",
        _CLUSTER_META,
        spec={
            "tier": tier,
            "priority": 7,
            "subject": subject,
            "ingress": [
                {
                    "name": "first",
                    "action": "Pass",
                    "from": [_IN_NAMESPACES, {"namespaces": _SELECTOR}],
                    "protocols": [*_NUMBERS, {"destinationNamedPort": "web"}],
                }
            ],
            "egress": [
                {
                    "name": "second",
                    "action": "Deny",
                    "to": [
                        {"namespaces": _SELECTOR},
                        _IN_NAMESPACES,
                        {"networks": ["10.0.0.0/8", "fd00::/8"]},
                        {"nodes": _SELECTOR},
                    ],
                    "protocols": _NUMBERS,
                },
                {"action": "Accept", "to": [{"domainNames": ["*.example.com", "db.example.com."]}]},
            ],
        },
    )


CUSTOM: dict[str, tuple[Object, ...]] = {
    "ClusterNetworkPolicy": (
        _cluster_policy("Admin", {"namespaces": _SELECTOR}),
        _cluster_policy("Baseline", _IN_NAMESPACES),
    ),
}
"""The objects of each kind that a CustomResourceDefinition defines."""
