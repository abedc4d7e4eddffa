"""Commands that change a running lab, on the real kernel: in force when they return."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from host_records import record

Program = Callable[..., "subprocess.CompletedProcess[str]"]
DENY_DB = """\
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: nobody, namespace: shop}
spec: {podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress, Egress]}
"""


def verdict(program: Program, lab: str, source: str, destination: str) -> str:
    """Return what packets say about one pair."""
    (row,) = json.loads(program("probe", source, destination, "--lab", lab, "-o", "json").stdout)["rows"]
    answer: str = row["measured"]
    return answer


def test_apply_and_delete_are_in_force_when_they_return(program: Program, lab: str) -> None:
    """Each given object has a line with kubectl's verb."""
    before = verdict(program, lab, "shop/api", "shop/db")
    applied = program("apply", "-f", "-", "--lab", lab, text=DENY_DB)
    again = program("apply", "-f", "-", "--lab", lab, text=DENY_DB)
    egress = verdict(program, lab, "shop/db", "other/stranger")
    deleted = program("delete", "-f", "-", "--lab", lab, text=DENY_DB)

    assert ("allow", "deny") == (before, egress)
    assert ["networkpolicy/shop/nobody created"] == applied.stdout.splitlines()
    assert ["networkpolicy/shop/nobody unchanged"] == again.stdout.splitlines()
    assert ["networkpolicy/shop/nobody deleted"] == deleted.stdout.splitlines()
    assert "allow" == verdict(program, lab, "shop/api", "shop/db")


SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: {}, namespace: shop}}
spec: {{clusterIP: {}, ports: [{{port: 80}}]}}
---
"""


def test_apply_names_all_problems_of_a_change_at_once(program: Program, lab: str) -> None:
    """What may not change, and what does not fit together."""
    program("apply", "-f", "-", "--lab", lab, text=SERVICE.format("a", "10.96.0.70"))
    text = SERVICE.format("a", "10.96.0.71") + SERVICE.format("b", "10.96.0.1")
    done = program("apply", "-f", "-", "--lab", lab, text=text)
    lines = done.stderr.splitlines()

    assert (2, 2) == (done.returncode, len(lines))
    assert lines[0].endswith('spec.clusterIPs[0]: Invalid value: ["10.96.0.71"]: may not change once set')
    assert "Service shop/b: spec.clusterIP" in lines[1]
    assert "provided IP is already allocated" in lines[1]


def test_delete_by_name(program: Program, lab: str) -> None:
    """``KIND NAME`` with ``-n``; if an object is missing, none is deleted."""
    wrong = program("delete", "netpol", "db", "nothing", "-n", "shop", "--lab", lab)
    closed = verdict(program, lab, "shop/web", "shop/db:5432")
    for policy in ("default-deny", "db", "web", "dns"):
        program("delete", "netpol", policy, "-n", "shop", "--lab", lab)

    assert (2, "Error: NetworkPolicy shop/nothing does not exist\n") == (wrong.returncode, wrong.stderr)
    assert "deny" == closed
    assert "allow" == verdict(program, lab, "shop/web", "shop/db:5432")


def test_a_change_that_does_not_fit_is_refused_whole(program: Program, shared_lab: str) -> None:
    """All or none: a policy beside an invalid pod does not come into force."""
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p, annotations: {netlab/network: moon}}\n"
    done = program("apply", "-f", "-", "--lab", shared_lab, text=f"{DENY_DB}---\n{pod}")

    assert 2 == done.returncode
    assert done.stderr.startswith("<stdin>:8: Pod default/p: metadata.annotations.netlab/network: ")
    assert "allow" == verdict(program, shared_lab, "shop/api", "shop/db")


def test_labels_move_a_pod_in_and_out_of_policies(program: Program, lab: str) -> None:
    """In force when the command returns."""
    gone = program("label", "pod", "shop/api", "app-", "--lab", lab)
    outside = verdict(program, lab, "shop/api", "shop/db")
    back = program("label", "pod", "api", "app=api", "-n", "shop", "--lab", lab)

    assert ("pod/shop/api-0 unlabeled\n", "pod/shop/api-0 labeled\n") == (gone.stdout, back.stdout)
    assert "deny" == outside
    assert "allow" == verdict(program, lab, "shop/api", "shop/db")


def test_label_of_a_namespace(program: Program, lab: str) -> None:
    """The lab's record has the new label."""
    done = program("label", "namespace", "shop", "team=a", "--lab", lab)
    unknown = program("label", "namespace", "shoq", "team=a", "--lab", lab)

    assert (0, "namespace/shop labeled\n") == (done.returncode, done.stdout)
    assert (2, "Error: namespace shoq does not exist\n") == (unknown.returncode, unknown.stderr)


def test_get_labs_shows_the_ranges_that_netlab_chose(program: Program, shared_lab: str) -> None:
    """In Topology's own terms: networks with their mode and podCIDRs, the underlay, Services and load balancers."""
    header, row = program("get", "labs", shared_lab, "-o", "wide").stdout.splitlines()
    (item,) = json.loads(program("get", "labs", shared_lab, "-o", "json").stdout)["items"]
    networks = [{"name": "default", "mode": "bridge", "podCIDRs": ["10.244.0.0/16"]}]

    assert ["NETWORKS", "UNDERLAY", "SERVICES", "LOAD-BALANCERS"] == header.split()[-4:]
    cidrs = ["100.64.0.0/16", "10.96.0.0/16", "198.18.0.0/24"]
    assert ["default=bridge:10.244.0.0/16", *cidrs] == row.split()[-4:]
    assert {
        "networks": networks,
        "underlayCIDRs": cidrs[:1],
        "serviceCIDRs": cidrs[1:2],
        "loadBalancerCIDRs": cidrs[2:],
    } == item["spec"]


def test_get_labs_shows_drift(program: Program, lab: str) -> None:
    """A link that was deleted by hand is drift; ``up`` makes it again."""
    subprocess.run(
        ["ip", "-n", f"netlab.{lab}.pod.shop.db-0", "link", "set", "eth0", "down"], check=True, capture_output=True
    )
    drifted = program("get", "labs", lab, "-o", "wide").stdout.splitlines()[1].split()
    program("up", "-f", "examples/shop", "--lab", lab)
    repaired = program("get", "labs", lab, "-o", "wide").stdout.splitlines()[1].split()

    assert [lab, "Ready", "1", "5"] == drifted[:4] == repaired[:4]
    assert int(drifted[4]) > 0 == int(repaired[4])


def test_commands_without_files_read_the_running_lab(program: Program, lab: str) -> None:
    """They see changed labels."""
    program("label", "pod", "shop/api", "app-", "--lab", lab)

    assert program("explain", "shop/api", "shop/db", "--lab", lab).stdout.startswith(
        "shop/api-0 -> shop/db-0 5432/TCP, IPv4: deny\n"
    )


def test_apply_reports_all_problems_at_once(program: Program, shared_lab: str) -> None:
    """Errors of the files, and errors that they would cause in the running lab."""
    text = (
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {netlab/network: moon}}}\n---\n"
        "{apiVersion: v1, kind: Pod, metadata: {name: q, namespace: shop}, spec: {nodeName: node-1}}\n---\n"
        "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: p}, spec: {podSelectr: {}}}\n"
    )
    done = program("apply", "-f", "-", "--lab", shared_lab, text=text)

    assert 2 == done.returncode
    assert ["<stdin>:1: Pod shop/p", "<stdin>:5: NetworkPolicy default/p"] == [
        ": ".join(line.split(": ")[:2]) for line in done.stderr.splitlines()
    ], done.stderr


MIXED = """\
{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {password: aHVudGVyMg==}}
---
{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: other}}
---
{apiVersion: netlab/v1alpha1, kind: Scenario, metadata: {name: s}, spec: {steps: [{expect: [{oracle: true}]}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: own}, spec: {ports: [{port: 80}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{env: [{name: A, value: hunter2}]}]}}
"""


def test_objects_that_are_not_read_have_no_line(program: Program, unique: Callable[[str], str]) -> None:
    """``up`` and ``apply`` do not print them. Unread fields of an object do not change it."""
    name = unique("mixed")
    try:
        up = program("up", "-f", "-", "--lab", name, text=MIXED)
        again = program("up", "-f", "-", "--lab", name, text=MIXED.replace("hunter2", "hunter3"))
        applied = program("apply", "-f", "-", "--lab", name, text=MIXED.replace("hunter2", "hunter4"))
        kept = record.path(name).read_text()
    finally:
        program("down", name)

    assert ["service/default/own created", "pod/default/p created"] == up.stdout.splitlines()
    assert "skipped 1 object that netlab does not read: 1 Service" in up.stderr
    assert ["service/default/own unchanged", "pod/default/p unchanged"] == again.stdout.splitlines()
    assert ["service/default/own unchanged", "pod/default/p unchanged"] == applied.stdout.splitlines()
    assert f"lab {name}: unchanged\n" in again.stderr
    assert "hunter" not in kept
    assert "aHVudGVy" not in kept
