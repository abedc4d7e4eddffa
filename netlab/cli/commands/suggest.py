"""``netlab suggest``: print the NetworkPolicies that allow what is needed, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal, what_if
from netlab.cli.failures import verbose
from netlab.cli.option import option
from netlab.cli.packet_proof import prove
from netlab.errors import HostError, KernelError, UsageError
from netlab.report.suggestion import SuggestedPolicies

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.objects import Objects
    from netlab.policy.suggest.suggestion import Suggestion
    from netlab.report.comparison import Measured

# Without --packets, a lab with more pods or pairs gets no proof by packets. As many take some ten seconds.
_MANY_PODS = 60
_MANY_PAIRS = 20_000


@click.command("suggest")
@options.files
@options.profile
@options.what_if
@options.strict
@options.ignore
@options.ports
@options.family
@options.nodes
@options.system
@option(
    "--observed",
    metavar="FILE|-",
    help="Also allow the flows of this log: JSON lines of Hubble, text of conntrack -L or -E, or CSV.",
)
@option("--keep", is_flag=True, help="Allow all that is allowed today, with as few rules as possible.")
@option(
    "--packets/--no-packets",
    default=None,
    help="Prove the policies with packets in a lab.  [default: up to 60 pods, if this host can build labs]",
)
@options.output(SuggestedPolicies)
@options.yes
@options.verbose
def suggest_command(
    files: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    system: bool,
    observed: str | None,
    keep: bool,
    packets: bool | None,
    output: str,
    yes: bool,
) -> None:
    """Print the smallest NetworkPolicies that allow what is needed, and nothing else.

    Needed is what the manifests declare: Services that env, args and ConfigMaps name, backends of Ingresses, and DNS.
    --observed adds what a flow log shows. With --keep, needed is all that is allowed today.

    The policies go to standard output as YAML. Standard error has four lists (needed and allowed today; needed and
    missing; allowed today and not needed; unknown) and the proof: all that is needed passes, and nothing else does.
    Exit code 1 means that the proof fails.
    """
    if keep and observed is not None:
        raise UsageError("--keep and --observed: what is allowed today needs no flow log; leave one out")
    asked = tuple(dict.fromkeys(map(flow_arguments.parse_port, ports)))
    read = () if keep else ("ConfigMap",)
    objects, cluster = inputs.read_objects(files, strict, ignore, system=system, also_read=read)
    inputs.print_unenforced(cluster, warned=True)
    families = flow_arguments.families_of(cluster, family)
    if keep:
        from netlab.policy.suggest.suggestion import from_today

        found = from_today(cluster, families, asked)
    else:
        from netlab.objects.flow_logs import read_flows
        from netlab.objects.mentions import mentions
        from netlab.policy.suggest.suggestion import from_needs

        flows = read_flows(observed) if observed is not None else []
        log = "<stdin>" if observed == "-" else observed or ""
        texts = mentions(objects.documents)
        found = from_needs(cluster, texts, flows, log, families, asked, nodes=nodes, system=system)
    measured = _measured(objects, cluster, found, packets, yes)
    result = SuggestedPolicies(cluster.name, found, measured, str(what_if.wanted_changes() or ""))
    rendering.render(result, output)
    for line in result.lists(whole=verbose()):
        terminal.say(line)
    if not result.proven:
        raise SystemExit(1)


def _measured(objects: Objects, cluster: Cluster, found: Suggestion, wanted: bool | None, yes: bool) -> Measured:
    """Return the proof by packets, or why there is none; raises HostError if it was asked for and cannot be."""
    from netlab.report.comparison import Measured

    if wanted is False:
        return Measured({}, "--no-packets")
    if not found.drafts:
        return Measured({}, "nothing is suggested")
    questions = _few(cluster, found.questions)
    pairs = questions.count(found.suggested)
    if wanted:
        inputs.confirm(len(cluster.pods), yes)
    elif len(cluster.pods) > _MANY_PODS or pairs > _MANY_PAIRS:
        return Measured({}, f"{len(cluster.pods):,} pods with {pairs:,} pairs would take long; --packets sends them")
    try:
        return _by_packets(objects, found.suggested, found, questions)
    except (HostError, KernelError) as error:
        if wanted:
            raise
        return Measured({}, str(error).partition("\n")[0])


def _few(cluster: Cluster, questions: FlowSelection) -> FlowSelection:
    """Return the questions of the proof, or if these are many, those about the ports that each pod declares."""
    asked = replace(questions, nodes=False, system=False)
    return asked if asked.count(cluster) <= _MANY_PAIRS else replace(asked, ports=())


def _by_packets(objects: Objects, cluster: Cluster, found: Suggestion, questions: FlowSelection) -> Measured:
    """Build a lab with the suggested policies, and compare packets with the expected verdicts."""

    def flows(cluster: Cluster) -> flow_arguments.Pairs:
        return flow_arguments.Pairs(cluster, questions)

    return prove("proving by packets", _with_policies(objects, found), cluster, flows)


def _with_policies(objects: Objects, found: Suggestion) -> Objects:
    """Return the objects with the suggested policies in place of their own."""
    from netlab.objects.load import decode
    from netlab.objects.meta import key_of
    from netlab.policy.clusters_between import is_network_policy
    from netlab.policy.suggest.drafts import documents

    kept = [one for one in objects.documents if not is_network_policy(key_of(one))]
    return decode([*kept, *documents(found.drafts)])[0]
