"""``netlab get``: list labs and their objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import click

from netlab.cli import kind_names, options, rendering, terminal
from netlab.cli.option import option
from netlab.errors import DamagedRecord, HostError, KernelError, NetlabError, UsageError
from netlab.report.listings import Depth, Item, Listed, Listing


class _KindArgument(click.Argument):
    """The argument KIND; its help names the kinds that ``get`` lists."""

    def make_metavar(self, *context: click.Context) -> str:
        return "|".join(kind_names.names_of(kind)[0] for kind in kind_names.listed())


@click.command("get")
@click.argument("kind", cls=_KindArgument, shell_complete=options.completed("kinds"))
@click.argument("names", metavar="[NAME...]", nargs=-1)
@options.lab_to_get
@option(
    "-n", "--namespace", metavar="NAMESPACE", envvar="NETLAB_NAMESPACE", help="List objects of this namespace only."
)
@option("-A", "--all-namespaces", is_flag=True, help="List objects of all namespaces: the default without -n.")
@options.output(Listed)
@options.verbose
def get_command(
    kind: str, names: Sequence[str], lab: str, namespace: str | None, all_namespaces: bool, output: str
) -> None:
    """List labs and their objects, and with --etcd the machines.

    -o wide adds addresses, interfaces, network namespaces and drift; -o json prints Kubernetes objects. A NAME may have
    its namespace, as in shop/web.
    """
    wanted = kind_names.kind_of(kind, *kind_names.listed())
    plural = kind_names.names_of(wanted)[0]
    if all_namespaces:
        if names:
            raise UsageError("name objects or say -A, not both")
        # As in kubectl, -A is stronger than a namespace.
        namespace = None

    if wanted == kind_names.LAB and options.lab_is_typed():
        if names:
            raise UsageError("name labs or say --lab, not both")
        names = (lab,)

    def listing(depth: Depth) -> Listing:
        if wanted == kind_names.MACHINE:
            found = _machines()
        else:
            found = _labs(names, depth) if wanted == kind_names.LAB else _objects(wanted, lab)
        return replace(found, items=_chosen(wanted, found, names, namespace))

    rendering.render(Listed(wanted.lower(), plural, listing), output)


def _chosen(kind: str, listing: Listing, names: Sequence[str], namespace: str | None) -> list[Item]:
    """Return the named items, else those of the namespace, else all; raises UsageError for a missing item."""
    if not kind_names.is_namespaced(kind):
        namespace = None
    if not names:
        return [item for item in listing.items if namespace in (None, item.namespace)]
    known = {f"{item.namespace}/{item.name}": item for item in listing.items}
    chosen = []
    for name in names:
        own_namespace, slash, bare = name.rpartition("/")
        place = own_namespace if slash else (namespace or "default") if kind_names.is_namespaced(kind) else ""
        full = f"{place}/{bare}"
        found = known.get(full) or known.get(listing.first.get(full, ""))
        if found is None:
            raise UsageError(f"{kind} {full.removeprefix('/')} does not exist")
        chosen.append(found)
    return chosen


def _objects(kind: str, lab: str) -> Listing:
    from netlab.cli import listing
    from netlab.machines.labs import labs

    running = labs().open(lab)
    return listing.of_kind(kind, running.cluster, running.documents, running.namespace_path, running.machines_of_nodes)


def _machines() -> Listing:
    from netlab.machines.labs import etcd

    place = etcd()
    if place is None:
        raise UsageError("machines are those of an etcd: say --etcd URL")
    from netlab.cli import machine_listing

    return machine_listing.machines(place)


def _labs(chosen: Sequence[str], depth: Depth) -> Listing:
    """List the chosen labs, else all."""
    from netlab.machines.labs import etcd

    place = etcd()
    if place is not None:
        from netlab.cli import machine_listing

        return machine_listing.labs(place, chosen, depth)
    from netlab.cli import listing
    from netlab.lab.opening import overview
    from netlab.lab.removal import names as names_of_labs

    items = []
    drift = depth == "drift"
    for name in names_of_labs():
        if chosen and name not in chosen:
            continue
        # A lab that cannot be opened is listed too, as users have to know its name to remove it.
        found = overview(name)
        if found is None:
            continue  # removed in the meantime
        phase: str = found.phase
        why, differences = found.why, ""
        spec: dict[str, Any] = {}
        if depth != "cells" and phase == "Ready":
            phase, why, spec, differences = _opened(name, drift=drift)
            if not spec and overview(name) is None:
                continue
        if drift and not differences:
            differences = "unknown"
        if why:
            terminal.say(f"Warning: {why}")
        counts = (found.nodes, found.pods) if phase == "Ready" else (None, None)
        items.append(listing.lab(name, phase, counts, spec, differences))
    return Listing(listing.LAB_HEADER, listing.LAB_WIDE, items)


def _opened(name: str, *, drift: bool) -> tuple[str, str, dict[str, Any], str]:
    """Return a lab's phase, a warning, its ranges and its drift; "" where there is none or it is unknown."""
    from netlab.cli.listing import ranges
    from netlab.machines.labs import labs

    spec: dict[str, Any] = {}
    try:
        with labs().open(name) as running:
            spec = ranges(running.cluster)
            return "Ready", "", spec, str(len(running.drift())) if drift else ""
    except DamagedRecord as error:
        return "Damaged", str(error), {}, ""
    except (HostError, KernelError) as error:
        # The record is good: a change takes long, or the rules and links cannot be read.
        return ("Ready", f"lab {name}: {error}", spec, "") if spec else ("Changing", "", {}, "")
    except NetlabError:
        return "HalfBuilt", "", {}, ""
