"""The page ``docs/cnis.md``: what each CNI answers to each probe.

``python -m netlab.cli.cnis`` prints it by the evaluator, ``--measured`` by packets, as root. A column that this kernel
cannot build is then the evaluator's, and a line says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from netlab import profiles
from netlab.cli import terminal
from netlab.conformance.cni_probes import Probe
from netlab.conformance.cnis import COLUMNS, answer, table

HEAD = """\
# CNIs

One input, eight CNIs, Calico in two variants: what differs. `python -m netlab.cli.cnis --measured > docs/cnis.md`
writes this page from packets, as root; without `--measured` it comes from the evaluator. Tests hold that both agree.
`netlab profiles NAME` prints each choice of a CNI with its source. `netlab compare -f FILE` compares your own objects.

Every probe has two nodes, an outside host and few pods, and at most one NetworkPolicy
(`netlab/conformance/cni_probes.py`). The profiles hold for the versions that they name. No cluster with these CNIs was
measured: the cells follow from documentation, source code and issues. A cell with `?` rests on a GUESS.

Two CNIs enforce no policy here, and still differ. Docker joins no nodes, and drops packets from outside of a bridge to
ports that are not published: so another node and an outside host do not reach a pod (5, 6, 12, 16, 17). Romana reads
policies only in namespaces with an old annotation, which these probes do not have.
"""


def page(answers: Callable[[Probe, str], str] = answer) -> Iterator[str]:
    """Yield the lines of the page."""
    yield HEAD
    yield from table(answers)
    yield "\n## The profiles\n"
    for name in COLUMNS:
        one = profiles.named(name)
        yield f"- `{name}`: {one.system}, {one.versions or 'no version stated'}. {one.about}".rstrip()


def _measured() -> Callable[[Probe, str], str]:
    """Return the answers by packets; a profile that this kernel cannot build has the evaluator's, which is said."""
    from netlab.conformance.cnis_by_packets import measured
    from netlab.lab.missing_links import MissingLinksError

    known: dict[tuple[str, str], str] = {}
    for name in COLUMNS:
        try:
            known |= {(number, name): text for number, text in measured(name).items()}
        except MissingLinksError as error:
            terminal.say(f"{name}: not measured: needs module {error.module}")
    return lambda probe, name: known.get((probe.number, name)) or answer(probe, name)


if __name__ == "__main__":
    terminal.emit("\n".join(page(_measured() if "--measured" in sys.argv[1:] else answer)).split("\n"))
