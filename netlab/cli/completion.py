"""What a shell offers where a command line needs a lab, a pod, a kind, a profile or a file.

A shell calls netlab for each press of the key. So nothing here imports the kernel or decodes a lab: names come from the
first line of the lab's record, which has the placement of its pods.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import BashComplete, CompletionItem

from netlab.errors import NetlabError
from netlab.patterns import pattern

if TYPE_CHECKING:
    import click

    from netlab.store.etcd import EtcdStore

# Names of strangers go into a command line: only those that a shell takes as they are.
_WORD = pattern(r"[A-Za-z0-9][A-Za-z0-9_./:@-]*")
_CLUSTER = "cluster:"
_LAB = pattern("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_RECORD = "record.json"
# Bytes of a record's first line, of the files that -f names, and names: more are not worth the wait.
_MOST_OF_HEAD = 8_000_000
_MOST_OF_FILES = 1_000_000
_MOST_OFFERED = 1_000
# Seconds that a shell waits for etcd.
_PATIENCE = 1.0


def _offered(words: Iterable[str], incomplete: str) -> list[CompletionItem[str]]:
    """Return words that begin with what is typed."""
    found = sorted({word for word in words if word.startswith(incomplete) and _WORD.fullmatch(word)})
    return [CompletionItem(word) for word in found[:_MOST_OFFERED]]


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Let the shell offer files and folders, or after ``cluster:`` the contexts of the kubeconfig."""
    if incomplete.startswith(_CLUSTER):
        return _offered((f"{_CLUSTER}{name}" for name in _contexts()), incomplete)
    return [CompletionItem(incomplete, type="file")]


def labs(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the running labs that this user can see."""
    return _offered(_labs(), incomplete)


def endpoints(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return pods, nodes and outside hosts: of the files of -f, or of the running lab."""
    named = ctx.params.get("files") or ()
    found = _endpoints_of_files(named) if named else _endpoints_of_lab(ctx.params.get("lab") or "")
    words = list(found)
    namespace = ctx.params.get("namespace") or "default"
    # A name without a namespace is of that of -n.
    return _offered([*words, *(w.removeprefix(f"{namespace}/") for w in words)], incomplete)


def nodes(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the nodes of the running lab."""
    found = _endpoints_of_lab(ctx.params.get("lab") or "")
    return _offered((ref.removeprefix("node:") for ref in found if ref.startswith("node:")), incomplete)


def kinds(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the kinds that `get` lists, by kubectl's names."""
    from netlab.cli import kind_names

    return _offered((kind_names.names_of(kind)[0] for kind in kind_names.listed()), incomplete)


def deletable(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the kinds that `delete` takes, as its first argument."""
    from netlab.cli import kind_names

    if ctx.params.get(parameter.name or ""):
        return []
    return _offered((names[1] for kind in kind_names.deletable() if (names := kind_names.names_of(kind))), incomplete)


def described(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the kinds that have a schema."""
    from netlab.objects import schema

    return _offered((one.name.lower() for one in schema.described()), incomplete)


def examples(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the examples that come with netlab."""
    from netlab.cli import sample_files
    from netlab.errors import HostError

    try:
        return _offered(sample_files.names(), incomplete)
    except HostError:
        return []


def profiles(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the profiles of CNIs; files where a path is typed."""
    if "/" in incomplete or incomplete.startswith("."):
        return files(ctx, parameter, incomplete)
    from importlib.resources import files as resources

    data = resources("netlab.profiles") / "data"
    return _offered((one.name.removesuffix(".yaml") for one in data.iterdir()), incomplete)


def rules(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Return the rules of ``netlab lint``."""
    from netlab.policy.lint import ids

    return _offered(ids(), incomplete)


# --- the running labs -----------------------------------------------------------------------------------------------


def _directory() -> Path | None:
    """Return the directory of the records that this user's commands use, None if there is none."""
    if os.geteuid() == 0:
        return Path("/run/netlab")
    uid = os.getuid()
    for place in (Path(f"/run/user/{uid}/netlab"), Path(f"/tmp/netlab-{uid}")):  # noqa: S108 - its owner is checked
        try:
            if place.lstat().st_uid == uid:
                keeper = int((place / "keeper").read_text().split()[0])
                return Path(f"/proc/{keeper}/root/run/netlab")
        except (OSError, ValueError, IndexError):
            continue
    return None


def _store() -> EtcdStore | None:
    """Return the records of the etcd that the command line names, None for labs of this host; raises NetlabError."""
    from netlab.machines.labs import etcd

    place = etcd()
    if place is None:
        return None
    from netlab.store.etcd import EtcdStore

    return EtcdStore(replace(place.settings, patience=_PATIENCE, connect=_PATIENCE, answer=_PATIENCE))


def _labs() -> list[str]:
    try:
        if (store := _store()) is not None:
            return store.labs()
    except NetlabError:
        return []
    directory = _directory()
    try:
        names = os.listdir(directory) if directory is not None else []
        return sorted(one for one in names if _LAB.fullmatch(one) and os.path.lexists(f"{directory}/{one}/{_RECORD}"))
    except OSError:
        return []


def _endpoints_of_lab(lab: str) -> Iterator[str]:
    """Yield the endpoints of a lab, "" for the only lab or the one named default."""
    names = _labs()
    if not lab:
        lab = names[0] if len(names) == 1 else "default"
    if lab not in names:
        return
    try:
        if (store := _store()) is not None:
            yield from _endpoints_in_etcd(store, lab)
            return
    except NetlabError:
        return
    try:
        with open(f"{_directory()}/{lab}/{_RECORD}", "rb") as file:
            head = file.readline(_MOST_OF_HEAD)
            placement = json.loads(head + b"]}")["placement"]
            hosts = [line for line in file if b'"Topology"' in line]
    except (OSError, ValueError, KeyError, TypeError):
        return
    yield from placement
    yield from {f"node:{one[0]}" for one in placement.values()}
    for line in hosts:
        try:
            topology = json.loads(line.strip().rstrip(b",")).get("data", {})
            yield from (f"host:{one['name']}" for one in topology["spec"]["hosts"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue


def _endpoints_in_etcd(store: EtcdStore, lab: str) -> Iterator[str]:
    """Yield the endpoints of a lab on many machines, by the first lines of what etcd keeps of it."""
    kept = store.load(lab)
    try:
        machines, record, *_ = (kept.data if kept else b"").split(b"\n", 2)
        yield from json.loads(machines)["placed"]
        yield from json.loads(record + b"]}")["placement"]
    except (ValueError, KeyError, TypeError):
        return


# --- the files of a command line ------------------------------------------------------------------------------------


def _endpoints_of_files(named: Sequence[str]) -> Iterator[str]:
    """Yield the endpoints of files; none if they are large, as the shell waits."""
    from netlab.cluster import try_resolve
    from netlab.errors import NetlabError
    from netlab.objects import read_input

    if "-" in named or sum(map(_size, named)) > _MOST_OF_FILES:
        return
    try:
        found = read_input(named)
        cluster, _ = try_resolve(found.objects, unknown=found.unknown)
    except NetlabError:
        return
    yield from (name for name in cluster.by_ref)
    yield from cluster.by_workload


def _contexts() -> Iterator[str]:
    """Yield the contexts of the kubeconfig, without the package that reads a cluster."""
    from yaml import YAMLError, safe_load

    for path in (os.environ.get("KUBECONFIG") or "~/.kube/config").split(os.pathsep):
        try:
            with open(os.path.expanduser(path), encoding="utf-8") as file:
                value = safe_load(file.read(_MOST_OF_FILES))
            yield from (str(one["name"]) for one in value["contexts"])
        except (OSError, ValueError, YAMLError, KeyError, TypeError):
            continue


def _size(path: str) -> int:
    try:
        if not os.path.isdir(path):
            return os.stat(path).st_size if os.path.isfile(path) else _MOST_OF_FILES + 1
        return sum(entry.stat().st_size for entry in os.scandir(path) if entry.is_file())
    except OSError:
        return 0


# --- bash -----------------------------------------------------------------------------------------------------------


_BREAKS = (":", "@")


class Bash(BashComplete):
    """click's completion for bash, also of words with a colon or an at sign, such as ``node:NAME``.

    bash ends words at these (COMP_WORDBREAKS), and replaces only what stands after the last one.
    """

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the arguments before the cursor and the word at it, joined where bash ended them."""
        typed = os.environ["COMP_WORDS"].split("\n")
        words = typed[1 : int(os.environ["COMP_CWORD"]) + 1]
        joined: list[str] = []
        for at, word in enumerate(words):
            if at and (word.startswith(_BREAKS) or words[at - 1].endswith(_BREAKS)):
                joined[-1] += word
            else:
                joined.append(word)
        incomplete = joined.pop() if joined else ""
        self._before = incomplete[: max(map(incomplete.rfind, _BREAKS)) + 1]
        return joined, incomplete

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Return the part of a completion that bash inserts."""
        return f"{item.type},{item.value.removeprefix(self._before)}"


def prepare() -> None:
    """Use ``Bash`` for bash."""
    from click.shell_completion import add_completion_class

    add_completion_class(Bash)
