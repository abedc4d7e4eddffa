"""The group of all commands. It imports a command's module when the command is called.

The short help of each command is here, so that ``netlab --help`` imports no command.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import click

from netlab.cli import terminal
from netlab.cli.failures import failure_code
from netlab.cli.option import option, with_help_option
from netlab.errors import InputError
from netlab.lab import notices

TYPED = f"{__name__}.typed"
"""The key of a context's ``meta`` that has the words of the command line."""

COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("check", "Read and validate objects; print every problem."),
    "lint": ("lint", "Find what is legal and probably not meant, by rules with ids."),
    "reach": ("reach", "Print the expected verdict for every pair."),
    "explain": ("explain", "Print the verdict of one pair, and the policy, rule and line that decided."),
    "diff": ("diff", "Print which connections a change opens and closes, and what caused each."),
    "exposure": ("exposure", "Print to what each group of pods is open, and what it can reach."),
    "selects": ("selects", "Print which pods a policy selects, or which policies select a pod."),
    "compare": ("compare", "Print the pairs whose verdicts differ between CNIs."),
    "suggest": ("suggest", "Print the NetworkPolicies that allow what is needed, and nothing else."),
    "graph": ("graph", "Draw the wiring, who reaches whom, or which policies select which pods."),
    "compile": ("compile", "Print the nftables ruleset that each node gets."),
    "verify": ("verify", "Compare packets with the expected verdicts, for every pair."),
    "test": ("test", "Run scenarios, each in a lab of its own; judge invariants."),
    "modes": ("modes", "Show by packets what reaches what in each network mode."),
    "conformance": ("conformance", "Compare evaluator, ruleset and packets on cases of NetworkPolicy."),
    "up": ("up", "Build the lab, or bring a running one to exactly this input."),
    "mirror": ("mirror", "Build the lab of a live cluster, and follow the cluster by watches."),
    "apply": ("apply", "Add or replace objects in the running lab."),
    "delete": ("apply", "Remove objects from the running lab."),
    "label": ("label", "Change labels of a pod or a namespace in the running lab."),
    "node": ("node", "Stop a node of the running lab, or start it again."),
    "pod": ("pod", "Kill pods of the running lab; their controllers replace them."),
    "impair": ("impair", "Delay, lose or limit packets on links of the running lab."),
    "get": ("get", "List labs, or objects of one: nodes, pods, services, networkpolicies and others."),
    "probe": ("probe", "Send packets and print verdicts."),
    "trace": ("trace", "Send one packet and print the rules and elements that decided."),
    "capture": ("capture", "Print the packets of pods, nodes and hosts, or write them to a pcap file."),
    "exec": ("execute", "Run a program inside a pod's network namespace."),
    "shell": ("execute", "Open a shell inside a pod's network namespace."),
    "down": ("down", "Remove a lab with everything that netlab made for it."),
    "agent": ("agent", "Give this machine to labs on many machines, through etcd."),
    "control-plane": ("control_plane", "Put a real Kubernetes control plane in front of a lab."),
    "init": ("init", "Write a first scenario, a workflow and a hook for a repository."),
    "completion": ("completion", "Print the script that completes commands, pods and options in a shell."),
    "schema": ("schema", "Print the JSON Schema of the kinds that netlab reads."),
    "learn": ("learn", "Learn Kubernetes networking in short lessons, which packets check."),
    "examples": ("examples", "List, print or copy the examples, topologies and scenarios that come with netlab."),
    "profiles": ("profiles", "List the CNIs that a lab can be wired as, or every choice of one."),
    "doctor": ("doctor", "Say what this host can and cannot do, and what to install or load."),
}

SECTIONS: dict[str, str] = {
    "check": "Questions to manifests",
    "verify": "Proofs with packets",
    "up": "A running lab",
    "init": "In your repository and shell",
    "learn": "To learn and to look up",
}
"""The headings of the help, by the first command below each."""


class Commands(click.Group):
    """A group whose commands are in modules of their own. Its ``main`` turns every error into an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"netlab.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_command")
        return with_help_option(command)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[Any]:
        """Return the names of commands; click would import each command for its help."""
        from click.shell_completion import CompletionItem

        found = [
            CompletionItem(name, help=short) for name, (_, short) in COMMANDS.items() if name.startswith(incomplete)
        ]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write(formatter, self.help)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        _write(formatter, self.epilog)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows: dict[str, list[tuple[str, str]]] = {}
        heading = "Commands"
        for name, (_, short) in COMMANDS.items():
            heading = SECTIONS.get(name, heading)
            rows.setdefault(heading, []).append((name, short))
        longest = max(map(len, COMMANDS))
        for heading, below in rows.items():
            with formatter.section(heading):
                formatter.write_dl([(name.ljust(longest), short) for name, short in below])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"No such command {args[0]!r}.{f' Did you mean {near[0]!r}?' if near else ''}")
        return super().resolve_command(ctx, args)

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        typed = tuple(args)
        with _pipes():
            context = super().make_context(info_name, args, *more, **extra)
        context.meta[TYPED] = typed
        return context

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with _pipes():
                return super().invoke(ctx)
        except InputError as error:
            from netlab.cli.options import report_problems

            report_problems(error)
            raise

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override]
        """Run a command and exit with its code; no traceback reaches a user."""
        arguments = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        terminal.prepare()
        if "_NETLAB_COMPLETE" in os.environ:
            from netlab.cli import completion

            completion.prepare()
        notices.print_with(terminal.say)
        if sys.stderr.isatty():
            notices.show_progress_with(terminal.show_progress)
        try:
            code = super().main(arguments, prog_name, **extra)
            sys.stdout.flush()
        except BaseException as error:
            code = failure_code(error)
            try:
                sys.stdout.flush()
            except OSError as lost:
                code = failure_code(lost)
        sys.exit(code if isinstance(code, int) else 0)


def _write(formatter: click.HelpFormatter, text: str | None) -> None:
    """Write a text without indentation as a paragraph of the help."""
    formatter.write_paragraph()
    with formatter.indentation():
        formatter.write_text(text or "")


@contextlib.contextmanager
def _pipes() -> Iterator[None]:
    """Exit with 141 if the reader of standard output is gone; click would exit with 1, as if a verdict differed."""
    try:
        yield
    except BrokenPipeError as error:
        raise SystemExit(failure_code(error)) from error


def _version(ctx: click.Context, parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import PackageNotFoundError, version

        try:
            terminal.emit([f"netlab {version('netlab')}"])
        except PackageNotFoundError:
            terminal.emit(["netlab (not installed)"])
        ctx.exit()


@click.group(
    cls=Commands,
    context_settings={
        "auto_envvar_prefix": "NETLAB",
        "help_option_names": ["-h", "--help"],
        "max_content_width": terminal.WIDEST_HELP,
    },
    epilog="Exit codes: 0 done, and all as expected; 1 a verdict differs, or a check found a problem in the policy set;"
    " 2 bad input or usage; 3 this host cannot do it; 70 a bug in netlab;"
    " 129, 130, 143 ended by SIGHUP, SIGINT or SIGTERM; 141 the reader of standard output has closed it.",
)
@option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
@option("--no-pager", is_flag=True, help="Print long tables at once; do not show them page by page.")
def cli(no_pager: bool) -> None:
    """Build a Kubernetes cluster's network on this host, and prove with packets what can talk to what."""


with_help_option(cli)
