"""``netlab compare``: print every pair whose verdict is not the same with every CNI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from netlab.cli import flow_arguments, inputs, options, rendering, terminal
from netlab.cli.failures import verbose
from netlab.cli.option import option
from netlab.cli.packet_proof import prove
from netlab.errors import UsageError
from netlab.report.comparison import Comparison

if TYPE_CHECKING:
    from netlab.cluster import Cluster
    from netlab.cluster.flows import FlowSelection
    from netlab.cluster.readings import Reading
    from netlab.objects import Objects
    from netlab.report.comparison import Measured

DEFAULTS = ("docker", "flannel", "calico", "canal", "cilium", "kube-router", "romana", "weave")
"""The profiles that are compared unless ``--as`` names some."""


@click.command("compare")
@options.files
@options.what_if
@option(
    "--as",
    "profiles",
    multiple=True,
    metavar="NAME|FILE",
    help="Compare this CNI: a profile of `netlab profiles`, or a file with one; repeatable."
    f"  [default: {', '.join(DEFAULTS)}]",
)
@options.strict
@options.ignore
@options.ports
@options.family
@options.nodes
@options.system
@options.services
@option("--pairs", "by_pairs", is_flag=True, help="A row for each pair, in place of groups of pods.")
@option("--measured", is_flag=True, help="Build a lab for each CNI, one after the other, and send packets.")
@option(
    "--fail-on",
    type=click.Choice(["any", "never"]),
    default="never",
    show_default=True,
    help="Exit with code 1 if any verdict is not the same everywhere.",
)
@options.output(Comparison)
@options.reports(Comparison)
@options.yes
@options.verbose
def compare_command(
    files: Sequence[str],
    profiles: Sequence[str],
    strict: bool,
    ignore: Sequence[str],
    ports: Sequence[str],
    family: str | None,
    nodes: bool,
    system: bool,
    services: bool,
    by_pairs: bool,
    measured: bool,
    fail_on: str,
    output: str,
    yes: bool,
) -> None:
    """Print the pairs whose verdicts differ between CNIs, and why.

    netlab reads the objects once for each CNI, with the same addresses in each, and compares the expected verdicts.
    Pods with the same differences are one group. A line under a reason names the choice of the CNI that decided, and
    where it is known from: DOC, CODE, ISSUE, or GUESS if nobody confirmed it.

    With --measured, netlab also builds a lab for each CNI and proves its verdicts with packets. A CNI whose links this
    kernel cannot make is not measured, and netlab says so.
    """
    reports = options.wanted_reports()
    for port in ports:
        flow_arguments.parse_port(port)
    base, read = _readings(files, profiles or DEFAULTS, strict, ignore, system=system)
    if len({*profiles}) == 1:
        raise UsageError(f"--as {profiles[0]}: name another CNI to compare it with, such as --as kubernetes")
    questions = flow_arguments.selection_of(base, ports, family, nodes, False, system, services)
    from netlab.policy.differences import differences

    found = differences({one.name: one.cluster for one in read if one.cluster is not None}, questions)
    proofs: dict[str, Measured] = {}
    if measured:
        inputs.confirm(len(base.pods), yes)
        proofs = _measured(read, questions)
    notes = {one.name: one.notes for one in read}
    result = Comparison(
        base.name, found, notes, by_pairs=by_pairs, measured=proofs, verbose=verbose(), again=options.again()
    )
    rendering.render(result, output)
    rendering.write(result, reports)
    if not rendering.is_text(output):
        terminal.say(result.summary())
    if any(one.wrong for one in proofs.values()) or (fail_on == "any" and result.differ):
        raise SystemExit(1)


def _readings(
    files: Sequence[str], names: Sequence[str], strict: bool, ignore: Sequence[str], *, system: bool
) -> tuple[Cluster, list[Reading]]:
    """Return the cluster of the files and a reading for each profile that the input fits; print warnings."""
    from netlab import profiles
    from netlab.cluster.readings import readings, written_wiring
    from netlab.objects.profiles import Profile
    from netlab.profiles.documents import is_file

    objects, _ = inputs.read_objects(files, strict, ignore, system=system)
    chosen = []
    for name in names:
        if is_file(name):
            objects, name = _with_file(objects, name)
        elif all(name != one.name for one in objects.of(Profile)):
            profiles.named(name)
        chosen.append(name)
    base, read = readings(objects, dict.fromkeys(chosen))
    for one in read:
        for problem in one.problems:
            terminal.say(f"{one.name} is left out: {problem}")
    if all(one.cluster is None for one in read):
        raise UsageError("the input fits none of the profiles")
    if written := written_wiring(objects):
        networks = f"network{'' if len(written) == 1 else 's'} {', '.join(written)}"
        terminal.say(f"Warning: {networks}: the wiring is that of the Topology, as it writes the mode")
    return base, [one for one in read if one.cluster is not None]


def _with_file(objects: Objects, file: str) -> tuple[Objects, str]:
    """Return the objects with the Profile of a file, which replaces one of its name; and that name."""
    from netlab.objects.profiles import Profile
    from netlab.profiles.documents import profile_of, read

    profile, document = profile_of(file), read(file)
    others = tuple(one for one in objects.of(Profile) if one.name != profile.name)
    kept = tuple(
        one for one in objects.documents if (one.kind, one.data["metadata"]["name"]) != ("Profile", profile.name)
    )
    found = {**objects.found, Profile: (*others, profile)}
    return replace(objects, found=found, documents=(*kept, document)), profile.name


def _measured(read: Sequence[Reading], questions: FlowSelection) -> dict[str, Measured]:
    """Return the proof of each column: a lab for each profile, one after the other.

    Raises:
      HostError, KernelError: if this host cannot build labs, or none of these.
    """
    from netlab.lab.missing_links import MissingLinksError
    from netlab.report.comparison import Measured

    found: dict[str, Measured] = {}
    refused: MissingLinksError | None = None
    for one in read:
        try:
            found[one.name] = _prove(one, questions)
        except MissingLinksError as error:
            refused = error
            found[one.name] = Measured({}, f"needs module {error.module}", fix=error.fix)
    if refused is not None and all(one.why_not for one in found.values()):
        raise refused
    return found


def _prove(reading: Reading, questions: FlowSelection) -> Measured:
    """Build the lab of one profile, and compare packets with its verdicts."""
    from netlab.cluster.readings import recorded

    def flows(cluster: Cluster) -> flow_arguments.Pairs:
        return flow_arguments.Pairs(cluster, questions)

    return prove(f"measuring {reading.name}", recorded(reading), reading.cluster, flows)
