"""``netlab label``: change labels of one pod or one namespace."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netlab.cli import inputs, kind_names, options, terminal
from netlab.cli.change_summary import print_changes
from netlab.errors import UsageError


@click.command("label")
@click.argument("kind", metavar="pod|namespace")
@click.argument("name", metavar="NAME", shell_complete=options.completed("endpoints"))
@click.argument("labels", metavar="KEY=VALUE|KEY-...", nargs=-1, required=True)
@options.lab
@options.namespace
@options.verbose
def label_command(kind: str, name: str, labels: Sequence[str], lab: str, namespace: str) -> None:
    """Set labels of a pod (NAMESPACE/NAME) or a namespace in the running lab; KEY- removes one.

    The change is in force when the command returns.
    """
    from netlab.cluster import Pod
    from netlab.machines.labs import labs
    from netlab.objects.core_v1 import NAMESPACE_LABEL
    from netlab.objects.kinds.namespace import KIND as NAMESPACE
    from netlab.objects.kinds.pod import KIND as POD
    from netlab.objects.scenarios import LabelChange

    changed = parse_labels(labels)
    of_namespace = kind_names.kind_of(kind, POD.name, NAMESPACE.name, plural=False) == NAMESPACE.name
    running = labs().open(lab)
    if of_namespace:
        if changed.get(NAMESPACE_LABEL, name) != name:
            terminal.say(f"Warning: {NAMESPACE_LABEL} stays {name}: a cluster's API server sets it")
        change = LabelChange("namespace", name, changed)
    else:
        pod = running.find(name, namespace)
        if not isinstance(pod, Pod):
            raise UsageError(f"{name} is not a pod")
        change = LabelChange("pod", pod.ref, changed)
    running.check_no_control_plane()
    changes = running.label([change])
    inputs.print_unenforced(running.cluster)
    # kubectl's words.
    done = "unlabeled" if all(value is None for value in changed.values()) else "labeled"
    verb = "unchanged" if all(verb == "unchanged" for _, verb in changes.objects) else done
    print_changes(running.name, changes, [(f"{change.kind}/{change.name}", verb)])


def parse_labels(texts: Sequence[str]) -> dict[str, str | None]:
    """Return labels by key, None for one to remove; raises UsageError with every error."""
    from netlab.objects import names

    found: dict[str, str | None] = {}
    wrong: list[str] = []
    for text in texts:
        key, equals, value = text.partition("=")
        removed = not equals and text.endswith("-")
        if not equals and not removed:
            wrong.append(f"{text!r}: write KEY=VALUE to set a label, KEY- to remove it")
            continue
        key = key.removesuffix("-") if removed else key
        if key in found:
            wrong.append(f"{text!r}: label {key!r} is given twice")
        wrong += [f"{text!r}: {message}" for message in names.label_key(key)]
        wrong += [f"{text!r}: {message}" for message in ([] if removed else names.label_value(value))]
        found[key] = None if removed else value
    if wrong:
        raise UsageError(*wrong)
    return found
