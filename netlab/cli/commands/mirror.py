"""``netlab mirror``: the lab of a live cluster, which follows the cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from netlab.cli import inputs, options, terminal, what_if
from netlab.cli.change_summary import print_changes
from netlab.cli.option import option
from netlab.errors import InputError, UsageError

if TYPE_CHECKING:
    from netlab.kernel.kube_process import KubeProcess
    from netlab.lab.outcome import Changes
    from netlab.mirror.mirror import Mirror
    from netlab.objects import Document


@click.command("mirror")
@click.argument("cluster", metavar="[cluster:CONTEXT]", required=False, default="")
@options.files
@options.profile
@options.ignore
@options.lab_option("The lab's name.  [default: the Topology's]")
@option(
    *("-n", "--namespace", "namespaces"),
    multiple=True,
    metavar="NAMESPACE",
    help="Mirror only this namespace, and what is in none; repeatable.",
)
@option("--once", is_flag=True, help="Build the lab as the cluster is now, and do not follow.")
@option("--rm", "remove", is_flag=True, help="Remove the lab when the command ends.")
@option("--print-clusterrole", "role", is_flag=True, help="Print the least ClusterRole, and do nothing else.")
@options.yes
@options.kernel
@options.verbose
def mirror_command(
    cluster: str,
    files: Sequence[str],
    ignore: Sequence[str],
    lab: str,
    namespaces: Sequence[str],
    once: bool,
    remove: bool,
    role: bool,
    yes: bool,
    kernel: str,
) -> None:
    """Build the lab of a live cluster, and bring each change of the cluster in force in it.

    `cluster:` is the current context of your kubeconfig. netlab only lists and watches; it writes nothing to the
    cluster. Files of -f are added to the cluster's objects, as a Topology. Ctrl-C ends the command, and the lab stays.
    """
    from netlab.sources import cluster as source

    if role:
        from netlab.sources.cluster_kinds import cluster_role

        terminal.emit(cluster_role(watches=True).splitlines())
        return
    if not cluster.startswith(source.PREFIX):
        raise UsageError("name the cluster: netlab mirror cluster:CONTEXT, or cluster: for the current context")
    if once and remove:
        raise UsageError("--once leaves the lab as it is, and --rm removes it: leave one out")
    extra = _extra(files, ignore)
    # The process is made before this one enters the network of a user's labs.
    with source.opened(cluster, watches=True) as process:
        _mirror(process, extra, files, lab, namespaces, once=once, remove=remove, yes=yes, kernel=kernel)


def _extra(files: Sequence[str], ignore: Sequence[str]) -> Sequence[Document]:
    """Return the documents beside the cluster's: of files, of ``--as`` and of ``--ignore``; raises InputError."""
    from netlab.objects import read_input

    found = read_input(files, ignore=ignore, change=what_if.change(), sources=what_if.sources(files))
    if found.wrong:
        raise InputError(found.problems)
    inputs.warn(found.problems, files)
    return found.objects.documents


class _Output:
    """Prints what a mirror tells: lines on standard error, changed objects on standard output."""

    def line(self, text: str) -> None:
        terminal.say(text)

    def changes(self, lab: str, changes: Changes) -> None:
        print_changes(lab, changes, [(name, verb) for name, verb in changes.objects if verb != "unchanged"])


def _mirror(
    process: KubeProcess,
    extra: Sequence[Document],
    files: Sequence[str],
    lab: str,
    namespaces: Sequence[str],
    *,
    once: bool,
    remove: bool,
    yes: bool,
    kernel: str,
) -> None:
    from netlab.cluster.plain_policies import without_read
    from netlab.kernel.machine import this_host
    from netlab.mirror.mirror import Mirror, Source
    from netlab.objects.bounds import MANY_PODS
    from netlab.policy.warnings import warnings
    from netlab.sources.cluster import PREFIX

    output = _Output()
    mirror = Mirror(
        Source(process, f"{PREFIX}{process.context}", tuple(namespaces)), extra, output, None if yes else MANY_PODS
    )
    given, cluster, problems = mirror.read()
    inputs.warn(without_read(cluster, given.problems_and([*problems, *warnings(cluster)])), files)
    inputs.confirm(len(cluster.pods), yes)
    inputs.print_unenforced(cluster, warned=True)
    running = mirror.build(given, cluster, lab, this_host(kernel))
    try:
        output.changes(running.name, running.changes)
        if not once:
            terminal.say(f"lab {running.name} follows {PREFIX}{process.context}; Ctrl-C ends this command")
            _follow(mirror)
    finally:
        try:
            if remove:
                # Until it is removed no other command may follow into the lab.
                running.down()
                terminal.say(f"lab {running.name}: removed")
            elif not once and running.records.exists(running.name):
                terminal.say(f"lab {running.name} stays as it is; remove it with: netlab down {running.name}")
        finally:
            mirror.close()


def _follow(mirror: Mirror) -> None:
    try:
        mirror.follow()
    except KeyboardInterrupt:
        # The way to end the command.
        return
