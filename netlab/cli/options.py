"""Options that several commands share. Each has one name and one meaning."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from netlab.cli.command_group import TYPED
from netlab.cli.failures import be_verbose
from netlab.cli.option import option
from netlab.errors import InputError, UsageError
from netlab.report import formats

if TYPE_CHECKING:
    from netlab.report.again import CommandLine

_F = TypeVar("_F", bound=Callable[..., Any])
_OUTPUT = f"{__name__}.output"
_REPORTS = f"{__name__}.reports"
_PROFILE = f"{__name__}.profile"
_WHAT_IF = f"{__name__}.what_if"


def completed(what: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """Return a function of ``netlab.cli.completion`` for ``shell_complete``; it is imported when it is called."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        from netlab.cli import completion

        found: list[Any] = getattr(completion, what)(ctx, parameter, incomplete)
        return found

    return complete


files = option(
    "-f",
    "--filename",
    "files",
    multiple=True,
    metavar="FILE|DIR|-",
    shell_complete=completed("files"),
    help="Read objects from here; repeatable. A directory is read recursively, - is standard input. REV:PATH is a file"
    " or directory of a git revision, lab:NAME a running lab, cluster:CONTEXT a live cluster of your kubeconfig.",
)


def _profile(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    ctx.meta[_PROFILE] = value or ""


profile = option(
    "--as",
    "profile",
    metavar="NAME|FILE",
    expose_value=False,
    callback=_profile,
    shell_complete=completed("profiles"),
    help="Wire the lab, and read its policies, as this CNI does: a profile of `netlab profiles`, or a file with one.",
)


def wanted_profile() -> str:
    """Return what ``--as`` names, "" without it."""
    context = click.get_current_context(silent=True)
    return "" if context is None else context.meta.get(_PROFILE, "")


def _assume(ctx: click.Context, parameter: click.Parameter, value: Sequence[Any]) -> None:
    ctx.meta.setdefault(_WHAT_IF, {})[parameter.name] = value


def what_if(command: _F) -> _F:
    """Add the options that change the input for one question: ``--with``, ``--without`` and ``--label``.

    ``netlab.cli.inputs`` applies them to everything that it reads, so a command gets no argument.
    """
    for add in (_label, _without, _with):
        command = add(command)
    return command


_with = option(
    "--with",
    "with",
    multiple=True,
    metavar="FILE|DIR",
    expose_value=False,
    callback=_assume,
    shell_complete=completed("files"),
    help="Ask what would be with these objects too; repeatable. An object of the same kind and name is replaced.",
)
_without = option(
    "--without",
    "without",
    multiple=True,
    metavar="KIND/[NAMESPACE/]NAME",
    expose_value=False,
    callback=_assume,
    help="Ask what would be without this object; repeatable. Objects are removed before --with adds any.",
)
_label = option(
    "--label",
    "label",
    nargs=2,
    multiple=True,
    metavar="NAMESPACE/POD|namespace:NAME KEY=VALUE|KEY-",
    expose_value=False,
    callback=_assume,
    help="Ask what would be if a pod or a namespace had this label, or did not have it; repeatable.",
)


def assumed(option: str) -> Sequence[Any]:
    """Return the values of an option of ``what_if`` by its name, () without it."""
    context = click.get_current_context(silent=True)
    return () if context is None else context.meta.get(_WHAT_IF, {}).get(option, ())


strict = option("--strict", is_flag=True, help="Refuse kinds that netlab does not read; do not skip them.")
yes = option("--yes", is_flag=True, help="Build a lab of more than 5,000 pods.")
ignore = option(
    "--ignore",
    "ignore",
    multiple=True,
    metavar="KIND[.GROUP]",
    help="Leave out policies of this kind, which netlab does not read; repeatable.",
)


# The names of ``netlab.kernel.machine.KERNELS``. To import that module takes longer than to print a command's help.
KERNELS = ("fast", "pyroute2")
kernel = option(
    "--kernel",
    "kernel",
    type=click.Choice(KERNELS),
    default=KERNELS[0],
    show_default=True,
    envvar="NETLAB_KERNEL",
    help="How links are made: by netlab's own netlink messages, or by pyroute2, which is slower.",
)


def lab_name(text: str) -> str:
    """Return the name of a lab as an option or argument has it; raises UsageError for an invalid name."""
    from netlab.objects.names import LabName

    return LabName(text)


def or_empty(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """Return "" where no lab was named; ``lab_name`` has refused an empty name."""
    return value or ""


def _etcd(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    # A process may call several commands. Without etcd the module is not imported for this alone.
    if value or "netlab.machines.labs" in sys.modules:
        from netlab.machines import labs

        labs.use_etcd(value or "")


etcd = option(
    "--etcd",
    "etcd",
    metavar="URL[,URL]",
    envvar="NETLAB_ETCD",
    is_eager=True,
    expose_value=False,
    callback=_etcd,
    help="The etcd of labs on many machines; see `netlab agent`.  [default: labs of this host]",
)


def lab_option(help_text: str) -> Callable[[_F], _F]:
    """Return ``--lab`` with a help text, and ``--etcd``."""
    lab = option(
        *("--lab", "lab"),
        metavar="NAME",
        envvar="NETLAB_LAB",
        type=lab_name,
        callback=or_empty,
        shell_complete=completed("labs"),
        help=help_text,
    )
    return lambda command: lab(etcd(command))


def lab_is_typed() -> bool:
    """Say whether ``--lab`` is on the command line; NETLAB_LAB is a default and does not count."""
    context = click.get_current_context(silent=True)
    return context is not None and context.get_parameter_source("lab") is ParameterSource.COMMANDLINE


def check_one_input(files: Sequence[str]) -> None:
    """Raise UsageError where a command line has both ``-f`` and ``--lab``: each names the objects to read."""
    if files and lab_is_typed():
        raise UsageError("-f reads files and --lab names a running lab: leave one out")


lab = lab_option("The running lab.  [default: the only one, or the one named default]")
lab_without_files = lab_option("Without -f, the running lab.  [default: the only one, or the one named default]")
lab_to_get = lab_option(
    "The running lab; by default the only one, or the one named default. `get labs` lists all labs, or only this one."
)
namespace = option(
    "-n",
    "--namespace",
    metavar="NAMESPACE",
    envvar="NETLAB_NAMESPACE",
    default="default",
    show_default=True,
    help="The namespace of names that have none.",
)
ports = option(
    "--port",
    "ports",
    multiple=True,
    metavar="PORT/PROTO",
    help="Ask for this port of every destination: 80, 53/UDP or ICMP; repeatable. By default, ask for the"
    " containerPorts that the destination declares, or TCP 80 where it declares none.",
)
family = option("--family", type=click.Choice(["4", "6"]), help="Only IPv4, or only IPv6.  [default: both]")
nodes = option("--nodes", is_flag=True, help="Add pairs with nodes.")
self_pairs = option("--self", "self_pairs", is_flag=True, help="Add pairs of a pod with itself.")
system = option(
    "--system", "system", is_flag=True, help="Add the pods that netlab adds: cluster DNS, and the ingress controller."
)
services = option(
    "--services", "services", is_flag=True, help="Add every port of every Service with a cluster IP as destination."
)


class _Formats(click.Choice[str]):
    """The formats of a class of results, read when the command is called."""

    def __init__(self, result: type) -> None:
        self._result = result
        self.case_sensitive = True

    @property
    def choices(self) -> tuple[str, ...]:  # type: ignore[override]
        return formats.printed(self._result)


def output(result: type) -> Callable[[_F], _F]:
    """Return ``-o`` with the formats of a class of results; the first is the default."""
    return option(
        "-o",
        "--output",
        type=_Formats(result),
        default=formats.printed(result)[0],
        show_default=True,
        callback=_output,
        help="The format of the output.",
    )


def _output(ctx: click.Context, parameter: click.Parameter, value: str) -> str:
    ctx.meta[_OUTPUT] = value
    return value


def reports(result: type) -> Callable[[_F], _F]:
    """Return an option ``--FORMAT FILE`` for each format of a class of results that is written to a file."""

    def add(command: _F) -> _F:
        for name in reversed(formats.filed(result)):
            what = f"Also write {formats.FORMATS[name].file} to this file."
            file = click.Path(dir_okay=False)
            command = option(f"--{name}", type=file, metavar="FILE", expose_value=False, callback=_report, help=what)(
                command
            )
        return command

    return add


def _report(ctx: click.Context, parameter: click.Parameter, file: str | None) -> None:
    if file is None:
        return
    name = str(parameter.name)
    keep_manifests(file, f"--{name}")
    found: list[tuple[str, str]] = ctx.meta.setdefault(_REPORTS, [])
    for other, taken in found:
        if os.path.realpath(taken) == os.path.realpath(file) and not file.startswith("/dev/"):
            raise UsageError(f"--{other} and --{name} name one file, {file}")
    found.append((name, file))


def keep_manifests(file: str, option: str, kind: str = "InvariantsProof") -> None:
    """Raise UsageError where a report or a picture would replace a file that may be a manifest.

    A file of ``kind``, which netlab wrote before, is replaced.
    """
    if file.lower().endswith((".yaml", ".yml", ".json")) and os.path.lexists(file) and not _is_own(file, kind):
        raise UsageError(f"{option} {file}: this file exists and may be a manifest, which is not replaced")


def _is_own(file: str, kind: str) -> bool:
    """Say whether a file is one of a kind that netlab writes."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return f'"kind": "{kind}"' in opened.read(200) if os.path.isfile(file) else False
    except OSError:
        return False


def wanted_reports() -> list[tuple[str, str]]:
    """Return the formats and files of the command's ``reports``; raises UsageError for a path that is no file."""
    found: list[tuple[str, str]] = click.get_current_context().meta.get(_REPORTS, [])
    if not found:
        return []
    from netlab.kernel import output as kernel_output

    for name, file in found:
        kernel_output.check(file, f"--{name}")
    return found


def report_problems(error: InputError) -> None:
    """Write the problems of an input as the short reports that the command was asked for.

    What reads such a report, as a comment under a pull request, says so too when the input is wrong.
    """
    meta = click.get_current_context().meta
    short = {name for name, one in formats.FORMATS.items() if one.view == "comment"}
    files = [(name, file) for name, file in meta.get(_REPORTS, []) if name in short]
    if not files and meta.get(_OUTPUT) not in short:
        return
    from netlab.cli import rendering
    from netlab.report.problems import Problems

    errors = sum(one.severity == "error" for one in error.problems)
    found = Problems(error.problems, f"{errors} error{'' if errors == 1 else 's'}: nothing was built", again())
    rendering.write(found, files)
    if meta.get(_OUTPUT) in short:
        rendering.render(found, meta[_OUTPUT])


def again() -> CommandLine:
    """Return the command as it was typed, without its options about output."""
    from netlab.report.again import CommandLine

    context = click.get_current_context()
    output_options = {"-o", "--output", *(f"--{name}" for name in formats.FORMATS)}
    words, left_out = ["netlab"], False
    for word in context.meta.get(TYPED, ()):
        name, equals, _ = word.partition("=")
        attached = word.startswith("-o") and word != "-o"
        if not left_out and name not in output_options and not attached:
            words.append(word)
        left_out = not left_out and name in output_options and not equals
    given = context.params
    read = [option for file in given.get("files", ()) for option in ("-f", file)]
    read += ["--as", wanted_profile()] if wanted_profile() else []
    read += [word for name in ("without", "with") for value in assumed(name) for word in (f"--{name}", value)]
    read += [word for pod, change in assumed("label") for word in ("--label", pod, change)]
    read += ["--strict"] if given.get("strict") else []
    read += [option for kind in given.get("ignore", ()) for option in ("--ignore", kind)]
    read += ["--lab", given["lab"]] if given.get("lab") else []
    if not any(map(assumed, ("without", "with", "label"))):
        return CommandLine(words, read)
    from netlab.cli.what_if import wanted_changes

    return CommandLine(words, read, str(wanted_changes()))


def _verbose(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    be_verbose(wanted)


verbose = option(
    "-v", "--verbose", is_flag=True, is_eager=True, expose_value=False, callback=_verbose, help="Show more detail."
)


def pairs(command: _F) -> _F:
    """Add the options that select pairs and ports."""
    for add in (services, system, self_pairs, nodes, family, ports):
        command = add(command)
    return command
