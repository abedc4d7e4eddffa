"""``netlab diff``: print which connections a change of objects opens and closes, and what caused each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal, what_if
from netlab.cli.option import option
from netlab.cli.packet_proof import prove
from netlab.errors import UsageError
from netlab.report.reachability_diff import ReachabilityDiff

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import Flow
    from netlab.cluster.types import Host
    from netlab.policy.cluster_diff import ClusterDiff
    from netlab.policy.clusters_between import Version
    from netlab.probe import Measurement
    from netlab.report.reachability_diff import SideProof

FailOn = Literal["opened", "closed", "any", "never"]


@click.command("diff")
@click.argument("old", metavar="OLD", shell_complete=options.completed("files"))
@click.argument("new", metavar="[NEW]", default="", shell_complete=options.completed("files"))
@option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    shell_complete=options.completed("files"),
    help="Read these objects on both sides too, such as a Topology; repeatable.",
)
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.ports
@options.family
@options.nodes
@options.system
@options.services
@option("--pairs", "by_pairs", is_flag=True, help="Print a row for each pair, not for groups of pods.")
@option("--new", "one_sided", is_flag=True, help="Add rows for pods that are on one side only.")
@option(
    "--outside",
    is_flag=True,
    help="Add hosts outside of the cluster: one for each range that ipBlocks tell apart, one for all other addresses.",
)
@option("--prove", is_flag=True, help="Build a lab of each side, and send packets for the changed pairs.")
@option(
    "--fail-on",
    type=click.Choice(["opened", "closed", "any", "never"]),
    default="any",
    show_default=True,
    help="Exit with code 1 if a connection may be opened, if one may be closed, or if any verdict changes.",
)
@options.output(ReachabilityDiff)
@options.reports(ReachabilityDiff)
@options.yes
@options.verbose
def diff_command(
    old: str,
    new: str,
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    system: bool,
    services: bool,
    by_pairs: bool,
    one_sided: bool,
    outside: bool,
    prove: bool,
    fail_on: FailOn,
    output: str,
    yes: bool,
) -> None:
    """Print which connections a change opens and closes.

    OLD and NEW are what -f takes: a file, a directory, - for standard input, REV:PATH for a git revision, lab:NAME for
    a running lab, cluster:CONTEXT for a live cluster. --with, --without and --label change NEW. With one of these, NEW
    may be left out: it is OLD with the changes. netlab compares the expected verdicts of all pairs that are on both
    sides, and needs no kernel. Pods that are on both sides keep their addresses.

    Below each change is its cause: the smallest part of the change without which the pair would have its old verdict.
    With --prove, netlab builds a lab of each side and sends packets for the changed pairs.
    """
    reports = options.wanted_reports()
    for port in ports:
        flow_arguments.parse_port(port)
    if not new and what_if.wanted_changes() is None:
        raise UsageError("name NEW, or say what would be with --with, --without or --label")
    new = new or old
    if [old, new, *files].count("-") > 1 or ("-" in files and old):
        raise UsageError("standard input is read once: name files for the others")
    from netlab.cli.versions import outside_notes, versions
    from netlab.policy.causes import Causes
    from netlab.policy.cluster_diff import cluster_diff
    from netlab.policy.clusters_between import ClustersBetween

    before, after, hosts = versions(old, new, files, strict, ignore, system=system, outside=outside)
    asked = after.cluster if family is None or int(family) in after.cluster.families else before.cluster
    questions = flow_arguments.selection_of(asked, ports, family, nodes, False, system, services)
    if hosts:
        questions = replace(questions, also=_asked_outside(hosts, before.cluster, after.cluster))
    found = cluster_diff(before.cluster, after.cluster, questions, one_sided=one_sided)
    causes = Causes(ClustersBetween(before, after, hosts), found.questions)
    proofs: dict[str, SideProof] = {}
    if prove:
        inputs.confirm(max(len(before.cluster.pods), len(after.cluster.pods)), yes)
        proofs = {"old": _side_proof("old", before, found), "new": _side_proof("new", after, found)}
    result = ReachabilityDiff(
        (old, new),
        found,
        causes,
        by_pairs=by_pairs,
        proofs=proofs,
        hints=(*_alone(found, one_sided), *outside_notes(before.cluster, after.cluster)),
        again=options.again(),
    )
    rendering.render(result, output)
    rendering.write(result, reports)
    if not rendering.is_text(output):
        terminal.say(result.summary())
    if any(one.wrong for one in proofs.values()) or _fails(found, fail_on):
        raise SystemExit(1)


def _asked_outside(
    hosts: Sequence[Host], before: Cluster, after: Cluster
) -> dict[str, tuple[tuple[str, int | None], ...]]:
    """Return the ports that outside hosts are asked about, by the host's name; print how many are left out."""
    from netlab.cluster.outside import MOST_PORTS, outside_ports

    every = outside_ports((before, after))
    if len(every) > MOST_PORTS:
        terminal.say(f"Warning: --outside: {len(every) - MOST_PORTS:,} ports of rules are not asked: use --port")
    return {host.ref: tuple(every[:MOST_PORTS]) for host in hosts}


def _alone(found: ClusterDiff, one_sided: bool) -> Iterator[str]:
    if (found.appeared or found.vanished) and not one_sided:
        yield "pods that only one side has are not compared: --new adds their rows"


def _fails(found: ClusterDiff, fail_on: FailOn) -> bool:
    if fail_on == "opened":
        return any(one.may_open for one in found.found)
    if fail_on == "closed":
        return any(one.may_close for one in found.found)
    return fail_on == "any" and bool(found.found)


def _side_proof(side: str, version: Version, found: ClusterDiff) -> SideProof:
    """Build the lab of one side, and compare packets with its verdicts for the changed pairs."""
    from netlab.policy.clusters_between import flow_by_name
    from netlab.report.reachability_diff import SideProof

    verdicts = {}

    def flows(cluster: Cluster) -> list[Flow]:
        pairs = ((ends, one.asked) for one in found.found for ends in one.ends())
        return [flow for ends, asked in pairs if (flow := flow_by_name(cluster, ends, asked)) is not None]

    def seen(one: Measurement) -> None:
        flow = one.flow
        verdicts[flow.source.ref, flow.target, flow.family, flow.protocol, flow.port] = str(one.verdict)

    proof = prove(f"measuring {side}", version.objects, version.cluster, flows, seen)
    return SideProof(proof.counts, proof.wrong, verdicts)
