"""A lab that has each kind of name once; unit tests read it, and tests of real programs run in it."""

from __future__ import annotations

from netlab.cluster import Cluster, resolve
from netlab.errors import InputError
from netlab.objects.documents import parse
from netlab.objects.load import decode

TOPOLOGY = """
apiVersion: netlab/v1alpha1
kind: Topology
metadata: {name: names}
spec:
  networks: [{name: default, mode: MODE, podCIDRs: [10.244.0.0/16CIDR6]}]
  nodes: [{name: node-1}, {name: node-2}]
  hosts: [{name: api, addresses: [100.64.9.9], hostnames: [api.example.com]}]
"""
OBJECTS = """
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: shop, labels: {app: client}}
spec:
  nodeName: node-1
  containers: [{name: c, image: x}]
  hostAliases: [{ip: 10.9.9.9, hostnames: [foo.local, bar.local]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-a, namespace: shop, labels: {app: web}}
spec:
  nodeName: node-2
  hostname: first
  subdomain: web
  containers: [{name: c, image: x, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-b, namespace: shop, labels: {app: web}}
spec:
  nodeName: node-1
  containers: [{name: c, image: x, ports: [{name: http, containerPort: 9090}]}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  clusterIP: None
  ipFamilyPolicy: PreferDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: Service
metadata: {name: front, namespace: shop}
spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}, {name: u, port: 81, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: plain, namespace: shop}
spec: {clusterIP: 10.96.77.77, selector: {app: none}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: lonely}
spec: {clusterIP: None, selector: {app: none}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: bar, namespace: shop}
spec: {type: ExternalName, externalName: front.shop.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: outside, namespace: shop}
spec: {type: ExternalName, externalName: api.example.com}
---
apiVersion: v1
kind: Service
metadata: {name: unknown, namespace: shop}
spec: {type: ExternalName, externalName: www.example.org}
---
apiVersion: v1
kind: Service
metadata: {name: loop, namespace: shop}
spec: {type: ExternalName, externalName: loop.shop.svc.cluster.local}
---
apiVersion: v1
kind: Service
metadata: {name: number, namespace: shop}
spec: {type: ExternalName, externalName: 10.1.2.3}
"""


def text(mode: str = "overlay", *, dual: bool = False, more: str = "") -> str:
    """Return the objects as YAML, in a network of a mode; ``more`` are further documents."""
    topology = TOPOLOGY.replace("MODE", mode).replace("CIDR6", ", 'fd00:10:244::/56'" if dual else "")
    return "\n---\n".join(filter(None, (topology, OBJECTS, more)))


def cluster(written: str = "") -> Cluster:
    """Return the cluster of YAML."""
    documents, wrong = parse(written or text(), "names.yaml")
    objects, problems = decode(documents)
    if errors := [*wrong, *(problem for problem in problems if problem.severity == "error")]:
        raise InputError(errors)
    return resolve(objects)
