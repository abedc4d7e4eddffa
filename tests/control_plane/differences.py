"""Where ``netlab check`` and an API server judge an object differently on purpose: one rule each, with its reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from .apiserver_judge import Verdict
from .control_plane import Object

_SPECS = r"spec|spec\.template\.spec|spec\.jobTemplate\.spec\.template\.spec"
_UNREADABLE_SELECTOR = r"Invalid value: \{.*\}(: invalid label selector)?"
_CONTAINERS = rf"({_SPECS})\.(initC|c)ontainers"


@dataclass(frozen=True)
class Difference:
    """What one judge says and the other does not.

    ``who`` says it. The expressions match the whole kind, path and message; the message of a server that could not
    decode an object has the path "". ``unless_named``: the object has no name; ``unless_selector``: it has no selector;
    ``unless_manual``: it does not say ``manualSelector``. ``server_says``: the server's errors all have paths that this
    expression matches; ``server_also``: one of them has.
    """

    name: str
    who: Literal["server", "netlab"]
    path: str
    message: str
    reason: str
    kind: str = ".*"
    unless_named: bool = False
    unless_selector: bool = False
    unless_manual: bool = False
    server_says: str = ""
    server_also: str = ""

    def covers(self, who: str, one: Object, server: Verdict, path: str, message: str) -> bool:
        return (
            who == self.who
            and re.fullmatch(self.kind, one["kind"]) is not None
            and not (self.unless_named and one["metadata"].get("name"))
            and not (self.unless_selector and _written(one, "selector") is not None)
            and not (self.unless_manual and _written(one, "manualSelector") is True)
            and all(re.fullmatch(self.server_says, ": ".join(one)) for one in server.errors if self.server_says)
            and (not self.server_also or any(re.fullmatch(self.server_also, ": ".join(one)) for one in server.errors))
            and re.fullmatch(self.path, path) is not None
            and re.fullmatch(self.message, message, re.DOTALL) is not None
        )


def _written(one: Object, name: str) -> object:
    """Return a field of an object's spec, None if it has none."""
    spec = one.get("spec")
    return spec.get(name) if isinstance(spec, dict) else None


DIFFERENCES = (
    Difference(
        "owner",
        "server",
        r"metadata\.ownerReferences.*",
        ".*",
        "Of the owners netlab reads only which one is the controller. Users write none.",
    ),
    Difference(
        "owner",
        "server",
        "",
        r'400 .*(cannot unmarshal .* Go struct field OwnerReference\..*|unknown field "metadata\.ownerReferences.*)',
        "As above.",
    ),
    Difference(
        "generated-name",
        "server",
        r"metadata\.name",
        r"Invalid value: .*",
        "A server makes a name of a bad prefix and reports both. netlab reports the prefix.",
        unless_named=True,
    ),
    Difference(
        "namespace-label",
        "server",
        r"metadata\.labels",
        r"Invalid value: .*",
        "A server copies the name of a Namespace to a label, and reports a bad name there again.",
        kind="Namespace",
    ),
    Difference(
        "job-of-cronjob",
        "server",
        r"spec\.jobTemplate\.spec\.manualSelector",
        r"Unsupported value: true: .*",
        "A CronJob has the pod of one Job in a lab, with or without a selector of its own.",
        kind="CronJob",
    ),
    Difference(
        "node-ranges",
        "netlab",
        r"spec\.podCIDRs\[\d+\]",
        r"Invalid value: .*must be a valid CIDR value.*",
        "A server ignores podCIDRs if the first is not podCIDR. netlab checks them.",
        kind="Node",
    ),
    Difference(
        "policy-selectors",
        "netlab",
        r"spec\..*\.match(Labels|Expressions)\b.*",
        r"(Invalid|Forbidden|Required).*",
        "The definition of a cluster-wide policy takes selectors that nothing can evaluate.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "policy-selectors",
        "server",
        r"spec\..*\.match(Labels|Expressions)\b.*",
        r"Invalid value: .* in body must be of type .*",
        "Both refuse a selector of a wrong type, and netlab in the words for NetworkPolicy.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "type-and-value",
        "server",
        r"spec\..*",
        r"Unsupported value: ([^\"]).*",
        "A server says of a value of a wrong type also that it is none of the values.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "rules-beside",
        "netlab",
        r"spec\..*",
        r"Invalid value: (Start port must be less|networks/nodes/domainNames peer cannot).*",
        "netlab checks these rules also if there is another error.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "whole-number",
        "server",
        r"spec\..*",
        r'Invalid value: "number": .* in body must be of type .*',
        "As below: a number such as 80.0 is an integer for netlab, as for kubectl.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "whole-number",
        "netlab",
        r"spec\..*",
        r'Invalid value: "integer": .* in body must be of type .*',
        "As below: a number such as 80.0 is an integer for netlab, as for kubectl.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "policy-domains",
        "netlab",
        r"spec\.egress\[\d+\]\.to\[\d+\]\.domainNames",
        r"Forbidden: may only be used with the action Accept",
        "The API says so in words only, and the definition does not check it.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "integer-size",
        "server",
        r"<nil>|spec\..*",
        r"Invalid value: .*(with format int(32|64) in .*|must be of type int(32|64): .*)"
        r"|Invalid value: \d\.\d+e\+\d+: .*",
        "netlab compares the number with the bounds, which are smaller.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "integer-size",
        "netlab",
        r"spec\..*",
        r"Invalid value: \d{10,}: .* should be less than or equal to \d+|.*in body must be of type integer: .*",
        "netlab compares the number with the bounds, which are smaller.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "rules-not-checked",
        "server",
        r"<nil>",
        r"Invalid value: null: some validation rules were not checked .*",
        "netlab prints it without a path and a value.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "rules-not-checked",
        "netlab",
        r"",
        r"some validation rules were not checked .*",
        "netlab prints it without a path and a value.",
        kind="ClusterNetworkPolicy",
    ),
    Difference(
        "copied-labels",
        "server",
        r"metadata\.labels|spec\.template\.labels",
        r"Invalid value: .*",
        "A server copies the labels of the template to an object without labels, and the name of a Job to its template."
        " It reports what is wrong there again.",
        kind="Job|ReplicationController",
    ),
    Difference(
        "strategy",
        "server",
        r"spec\.(s|updateS)trategy",
        r"(Unsupported|Invalid) value: .*: (supported values: .*|must be .*)",
        "netlab reports the path of the field that is wrong, the server that of the mapping.",
        kind="Deployment|StatefulSet|DaemonSet",
    ),
    Difference(
        "strategy",
        "netlab",
        r"spec\.(s|updateS)trategy\.type",
        r"Unsupported value: .*",
        "netlab reports the path of the field that is wrong, the server that of the mapping.",
        kind="Deployment|StatefulSet|DaemonSet",
    ),
    Difference(
        "replication-controller",
        "netlab",
        r"metadata\.(generateName|name)",
        r"Invalid value: .*",
        "Of a ReplicationController a server checks the made name only, and counts it in bytes.",
        kind="ReplicationController",
    ),
    Difference(
        "replication-controller",
        "server",
        r"metadata\.(generateName|name)",
        r"Invalid value: .*(bytes|may not contain .*)",
        "Of a ReplicationController a server checks the made name only, and counts it in bytes.",
        kind="ReplicationController",
    ),
    Difference(
        "not-read",
        "server",
        rf"({_SPECS})\.restartPolicy|spec\.schedule|spec\.template",
        ".*",
        "netlab does not read the schedule and the restart policy of pods. A workload without a template has no pods.",
        kind="Pod|Deployment|ReplicaSet|StatefulSet|DaemonSet|ReplicationController|Job|CronJob",
    ),
    Difference(
        "no-selector",
        "server",
        r"spec\.selector|spec\.template\.metadata\.labels",
        r"Required value.*|Invalid value: .*: `selector` does not match template `labels`",
        "A lab needs no selector of a workload, and records of older labs have none.",
        kind="Deployment|ReplicaSet|StatefulSet|DaemonSet|ReplicationController|Job",
        unless_selector=True,
    ),
    Difference(
        "selector-parts",
        "server",
        r"spec\.selector",
        _UNREADABLE_SELECTOR,
        "A server reports what is wrong in a selector, and the selector again. netlab reports it once.",
        kind="Deployment|ReplicaSet|StatefulSet",
    ),
    Difference(
        "selector-parts",
        "netlab",
        r"spec\.template\..*",
        ".*",
        "A server does not look at the template if the selector cannot be read. netlab reports both.",
        kind="Deployment|ReplicaSet|StatefulSet",
        server_also=rf"spec\.selector: {_UNREADABLE_SELECTOR}",
    ),
    Difference(
        "selector-of-job",
        "server",
        r"spec\.selector|spec\.template\.metadata\.labels",
        r"Invalid value: .*: `selector` (not auto-generated|does not match template `labels`)",
        "A server makes the selector of a Job, with a uid, if the Job does not say manualSelector.",
        kind="Job",
        unless_manual=True,
    ),
    Difference(
        "container",
        "server",
        rf"{_CONTAINERS}|{_CONTAINERS}\[\d+\]\.(name|image)",
        r"Required value|Duplicate value: .*|Invalid value: .*",
        "Nothing runs in a pod of a lab, so it needs no container, and a container neither name nor image.",
    ),
    Difference(
        "resolver-option",
        "netlab",
        rf"({_SPECS})\.dnsConfig\.options\[\d+\]\.(name|value)",
        r"Invalid value: .*: must have no space and no control character",
        "The options become a line of a file in the lab.",
    ),
    Difference(
        "endpoint-port",
        "netlab",
        r"ports\[\d+\]\.port",
        r"Invalid value: .*",
        "A server accepts numbers that no port has. Nodes cannot translate to them.",
        kind="EndpointSlice",
    ),
    Difference(
        "allocation-first",
        "netlab",
        ".*",
        ".*",
        "A server allocates addresses and node ports before it checks the rest, and says nothing else if it cannot.",
        kind="Service",
        server_says=r".*(already allocated|in the valid range|not configured on this cluster|failed to allocate).*"
        r"|spec\.(clusterIPs|ipFamil).*",
    ),
    Difference(
        "node-ports",
        "netlab",
        r"spec\.(ports\[\d+\]\.nodePort|healthCheckNodePort)",
        r"Invalid value: .*provided port is not in the valid range.*",
        "A server allocates node ports only where the rest is right. netlab reports both.",
        kind="Service",
    ),
    Difference(
        "node-ports",
        "server",
        r"spec\.(ports\[\d+\]\.nodePort|healthCheckNodePort)",
        r"Invalid value: .*provided port is already allocated",
        "A server allocates the ports of a Service one by one. netlab calls the second one a duplicate.",
        kind="Service",
    ),
    Difference(
        "service-range",
        "server",
        r"spec\.(clusterIPs(\[\d+\])?|ipFamilyPolicy|ipFamilies(\[\d+\])?)",
        r"Invalid value: .*(failed to allocate IP .*|not configured .*|expected an IPv. value as indicated by .*)",
        "An exported Service may have an address of its own cluster. netlab takes it or gives another, and says so.",
        kind="Service",
    ),
    Difference(
        "names-as-endpoints",
        "server",
        r"endpoints\[\d+\]\.addresses\[\d+\]",
        r"Invalid value: .*(domain|subdomain|label|segments).*",
        "netlab does not read addresses of the type FQDN, as nodes do not.",
        kind="EndpointSlice",
    ),
    Difference(
        "dual-stack-text",
        "server",
        r"spec\.podCIDRs",
        r"Internal error: .*|Invalid value: .*: may specify no more than one CIDR for each IP family",
        "A server reports a bad range twice: by itself, and as a pair that has not one range of each family.",
        kind="Node",
    ),
    Difference(
        "unknown-field",
        "server",
        "",
        r'400 .*strict decoding error: (unknown field "[^"]*"(, )?)+',
        "In kinds of others than policies netlab checks the fields that it reads, and lets the rest pass.",
        kind="(?!.*Policy).*",
    ),
    Difference(
        "whole-number",
        "server",
        "",
        r"400 .*json: cannot unmarshal number -?\d+\.0 into Go struct field .*",
        "kubectl writes 80.0 as 80 before it sends it, and netlab reads files as kubectl does.",
    ),
    Difference(
        "lab-size",
        "netlab",
        r"spec\.(replicas|ordinals\.start|parallelism|jobTemplate\.spec\.parallelism)",
        r"Invalid value: \d+: must be less than or equal to \d+ in a lab",
        "A lab has a largest number of pods.",
    ),
)


def compare(one: Object, server: Verdict, netlab: Verdict) -> tuple[list[str], list[str]]:
    """Return the differences that no rule covers, and the names of the rules that cover the others."""
    left: list[str] = []
    used: list[str] = []
    for who, path, message in _differences(server, netlab):
        rule = next((rule for rule in DIFFERENCES if rule.covers(who, one, server, path, message)), None)
        if rule is None:
            left.append(f"{who} only: {path}: {message}")
        else:
            used.append(rule.name)
    return left, used


def _differences(server: Verdict, netlab: Verdict) -> Iterator[tuple[str, str, str]]:
    if server.undecoded:
        # The server says the first thing that it cannot decode, in words of Go's. Both have to refuse the object.
        if netlab.accepted:
            yield "server", "", server.undecoded
        return
    for path, message in sorted(server.errors - netlab.errors):
        yield "server", path, message
    for path, message in sorted(netlab.errors - server.errors):
        yield "netlab", path, message
