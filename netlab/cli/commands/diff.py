"""``netlab diff``: print which connections a change of objects opens and closes, and what caused each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal
from netlab.errors import UsageError
from netlab.report.reachability_diff import ReachabilityDiff

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.types import Host
    from netlab.policy.cluster_diff import ClusterDiff
    from netlab.policy.clusters_between import Version
    from netlab.report.reachability_diff import Proof

# The most wrong pairs that a side lists.
_MOST = 10
FailOn = Literal["opened", "closed", "any", "never"]


@click.command("diff")
@click.argument("old", metavar="OLD", shell_complete=options.completed("files"))
@click.argument("new", metavar="[NEW]", default="", shell_complete=options.completed("files"))
@click.option(
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
@click.option("--pairs", "by_pairs", is_flag=True, help="A row for each pair, in place of groups of pods.")
@click.option("--new", "one_sided", is_flag=True, help="Add rows of pods that only one side has.")
@click.option(
    "--outside",
    is_flag=True,
    help="Add machines outside of the cluster: one for each range that ipBlocks tell apart, one for all others.",
)
@click.option("--prove", is_flag=True, help="Build both labs, one after the other, and send packets for what changes.")
@click.option(
    "--fail-on",
    type=click.Choice(["opened", "closed", "any", "never"]),
    default="any",
    show_default=True,
    help="Exit with code 1 if a connection may be opened, or closed, or if any verdict changes.",
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
    a running lab. --with, --without and --label change NEW; with these, NEW may be left out and is OLD. netlab compares
    the expected verdicts of all pairs that both have, and needs no kernel. Pods that both have keep their addresses.

    Below each change stands its cause: the smallest part of the change of objects without which the verdict would be
    the old one. With --prove, packets measure the changed pairs in a lab of each side.
    """
    reports = options.wanted_reports()
    for port in ports:
        flow_arguments.parse_port(port)
    if not new and inputs.what_if() is None:
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
    proofs: dict[str, Proof] = {}
    if prove:
        inputs.confirm(max(len(before.cluster.pods), len(after.cluster.pods)), yes)
        proofs = {"old": _proof("old", before, found), "new": _proof("new", after, found)}
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


def _proof(side: str, version: Version, found: ClusterDiff) -> Proof:
    """Build the lab of one side, and compare packets with its verdicts for the changed pairs."""
    from netlab.lab.lab import temporary
    from netlab.policy import evaluate
    from netlab.policy.clusters_between import flow_by_name
    from netlab.report.reachability_diff import Proof
    from netlab.report.rows import Tally, endpoints_of, row_of
    from netlab.scenario.compare import reason_of

    tally = Tally("verify")
    wrong: list[str] = []
    verdicts = {}
    with (
        temporary(version.objects, cluster=version.cluster) as lab,
        terminal.progress(f"measuring {side}") as progress,
    ):
        flows = [
            flow
            for one in found.found
            for ends in one.ends()
            if (flow := flow_by_name(lab.cluster, ends, one.asked)) is not None
        ]
        for measurement in lab.probe(flows, progress):
            flow = measurement.flow
            decision = evaluate(lab.cluster, flow)
            ends_of = endpoints_of(decision.endpoints, measurement)
            row = row_of(flow, decision.verdict, measurement.verdict, reason_of(decision, measurement), ends_of)
            verdicts[flow.source.ref, flow.target, flow.family, flow.protocol, flow.port] = str(measurement.verdict)
            for one in tally.count([row]):
                if one.outcome in ("differ", "inconclusive"):
                    pair = f"{one.source} -> {one.destination} {one.port_text} IPv{one.family}"
                    wrong.append(f"{pair}: expected {one.expected}, measured {one.measured}: {one.reason}")
    return Proof(tally.data(), wrong[:_MOST], verdicts)
