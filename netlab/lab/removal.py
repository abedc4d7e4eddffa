"""Removes labs by their records alone, in every state, and with the last lab what all labs shared."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from netlab.dataplane.names import TUNNEL, WIREGUARD, underlay_namespace
from netlab.errors import NetlabError, UsageError
from netlab.kernel.machine import Machine, this_host
from netlab.kernel.state import Change, Link
from netlab.lab import namespace_list, notices, temporary_labs
from netlab.lab.container_interfaces import delete_interfaces
from netlab.lab.record import Records
from netlab.objects.names import LabName

# The module that has this name costs an import, and few labs have such files.
_OUTSIDE_FILES = "outside-files.json"


def remove(name: str, machine: Machine | None = None) -> list[str]:
    """Remove a lab and end the programs inside; return what ``remove_everything`` returns.

    Raises:
      UsageError: when there is no lab of the name.
    """
    name = LabName(name)
    records = Records(machine or this_host())
    entered = records.machine.enter(start=False)
    if entered and not records.exists(name):
        _remove_unwritten(records, name)
    if not entered or not records.exists(name):
        running = records.labs()
        known = f" (running: {', '.join(running)})" if running else ""
        raise UsageError(f"no lab {name!r} is running{known}")
    left = _remove_locked(records, name)
    records.tidy()
    return left


def remove_all(machine: Machine | None = None) -> Iterator[tuple[str, list[str]]]:
    """Remove every lab and what killed commands left; yield each lab with what ``remove`` returns.

    Raises:
      NetlabError: when a lab cannot be removed, after all others were removed.
    """
    records = Records(machine or this_host())
    if not records.machine.enter(start=False):
        return
    failures: list[NetlabError] = []
    for name in records.labs():
        try:
            yield name, _remove_locked(records, name)
        except NetlabError as error:
            failures.append(error)
    records.tidy()
    if failures:
        raise failures[0]


def names(machine: Machine | None = None) -> list[str]:
    """Return the names of all labs, half-built ones included, sorted."""
    records = Records(machine or this_host())
    if not records.machine.enter(start=False):
        return []
    sweep(records)
    return records.labs()


def sweep(records: Records) -> None:
    """Remove temporary labs whose process is gone, and the records of an earlier boot."""
    for name in records.labs():
        if records.stale(name):
            # A record that cannot be removed does not disturb other labs.
            with contextlib.suppress(NetlabError), records.locked(name):
                if records.stale(name):
                    records.remove(name)
    temporary_labs.sweep(records, lambda name: _remove_locked(records, name))


def _remove_unwritten(records: Records, name: str) -> None:
    """Remove the folder and the lock that a command left if it was killed before it wrote the record."""
    if any(os.path.lexists(path) for path in records.store.files_of(name)):
        with records.locked(name):
            if not records.exists(name):
                records.remove(name)
        records.tidy()


def _remove_locked(records: Records, name: str) -> list[str]:
    with records.locked(name):
        return remove_everything(name, records.machine)


def remove_everything(name: str, machine: Machine | None = None) -> list[str]:
    """Remove a lab whose lock the caller holds; return the namespaces with its prefix that stay.

    They stay where neither the lab's record nor its list of namespaces can be read, as a name proves nothing.
    """
    records = Records(machine or this_host())
    spaces = records.namespaces_of(name)
    with records.machine.uninterrupted():
        if not records.stale(name):
            _end_on_host(records, name)
            _detach(records, name)
            delete_interfaces(records.machine, spaces.names)
            _delete_tunnel(records.machine, name)
            records.machine.remove(spaces.names)
        _remove_outside_files(records, name)
        records.remove(name)
    return [] if spaces.known else records.machine.pinned(namespace_list.prefix(name))


def _end_on_host(records: Records, name: str) -> None:
    """End the lab's programs in the host's network namespace: a control plane."""
    if (records.store.folder(name) / "programs").is_dir():
        from netlab.lab import programs

        programs.end_on_host(records.machine, name)


def _remove_outside_files(records: Records, name: str) -> None:
    """Remove the lab's files outside of its folder: a kubeconfig."""
    if (records.store.folder(name) / _OUTSIDE_FILES).is_file():
        from netlab.lab import outside_files

        outside_files.remove(records.machine, name)


def _delete_tunnel(machine: Machine, name: str) -> None:
    """Delete the tunnel to other machines now; the kernel would do so some time after its namespace is gone.

    Until then no other lab of this machine could have its number or its port.
    """
    place = underlay_namespace(name)
    # The namespace goes whatever fails.
    with contextlib.suppress(NetlabError):
        if machine.exists(place):
            for link in (Link(TUNNEL, "vxlan"), Link(WIREGUARD, "wireguard")):
                if machine.has_link(place, link.name):
                    machine.apply([Change("delete", place, link)])


def _detach(records: Records, name: str) -> None:
    """Detach the pods that plugins attached; their namespaces go whatever fails."""
    if (records.store.folder(name) / "plugins").is_dir():
        from netlab.lab.plugin_links import PluginLinks

        links = PluginLinks(records.machine, name)
        try:
            links.detach(links.known().values())
        except (NetlabError, OSError) as error:
            notices.notice(f"warning: {error}")
