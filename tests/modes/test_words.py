"""Code reads traits of modes: outside of the modules that define them, no mode's name is in quotes."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from netlab import modes

_ROOT = Path(modes.__file__).parents[1]
# The rooms that define modes, and those that speak of the kernel's own kinds of links, nft's families and plugins.
_DEFINE = ("modes/", "kernel/", "cni/")
# Words of pictures: kinds of boxes, and pods that nothing isolates.
_OF_PICTURES = ("bridge", "host", "none")
# Words that mean something else: where, which, how often.
_OTHERS = {
    ("cli/commands/control_plane.py", "none"): 1,  # no pod may run programs of this host
    ("control_plane/settings.py", "none"): 1,
    ("control_plane/nodes/container_spec.py", "none"): 1,
    ("control_plane/nodes/container_spec.py", "host"): 1,  # the annotation for programs of this host
    ("control_plane/nodes/volumes.py", "none"): 1,  # no file
    ("programs/agnhost/dial.py", "host"): 1,  # a parameter of a URL
    ("control_plane/nodes/pod_status.py", "none"): 1,  # no image
    ("control_plane/nodes/readiness.py", "host"): 1,  # of a URL
    ("lab/programs.py", "host"): 1,  # the host's network namespace
    ("cli/flow_arguments.py", "host"): 1,  # a parameter's name
    ("cluster/cluster_policies_read.py", "none"): 1,  # no kind is read
    ("cluster/node_sources.py", "bridge"): 1,  # a node's bridge has an address of it
    ("cli/commands/agent.py", "none"): 1,  # no program of other machines
    ("machines/packet_targets.py", "bridge"): 1,  # a family of nftables
    ("machines/program_targets.py", "none"): 1,
    ("cli/inputs.py", "none"): 1,  # nothing enforces policies
    ("plugin/request.py", "cni"): 1,  # a key of a network configuration
    ("conformance/product.py", "none"): 1,  # a stage without policies
    ("control_plane/nodes/hooks.py", "host"): 1,  # of a URL
    ("dataplane/bridge.py", "bridge"): 1,  # a kind of link, as in all of dataplane
    ("dataplane/graph.py", "macvlan"): 1,
    ("dataplane/macvlan.py", "macvlan"): 1,
    ("dataplane/plan.py", "macvlan"): 4,
    ("dataplane/wanted.py", "bridge"): 1,
    ("dataplane/names.py", "host"): 2,  # an outside host
    ("lab/plugin_links.py", "bridge"): 3,  # a kind of link, a plugin, and a field of it
    ("lab/missing_links.py", "macvlan"): 1,  # a kind of link
    ("lab/trace.py", "bridge"): 2,  # nft's family
    ("objects/kinds/ingress.py", "host"): 1,  # of a URL
    ("objects/invariants.py", "host"): 1,  # an outside host
    ("objects/cilium_reader.py", "host"): 2,  # an entity of Cilium
    ("objects/invariant_ends.py", "host"): 1,
    ("policy/rule_ends.py", "host"): 2,
    ("policy/rule_judge.py", "none"): 1,  # no port
    ("policy/suggest/hostnames.py", "host"): 4,  # of a URL, and in names of variables
    ("objects/topology.py", "none"): 2,  # nothing enforces policies; no kind is read
    ("policy/by_settings.py", "none"): 1,
    ("policy/explain.py", "none"): 1,  # no labels
    ("policy/service_text.py", "none"): 1,  # no endpoint
    ("policy/warnings.py", "none"): 1,  # nothing enforces policies
    ("programs/echo.py", "host"): 2,  # a header, and a field of an answer
    ("report/comments.py", "none"): 1,  # pods that nothing isolates
    ("report/cluster_report.py", "none"): 1,  # pods that nothing isolates
    ("report/groups.py", "none"): 1,  # no destination
    ("report/exposure_document.py", "none"): 1,  # addresses that no pod has
    ("report/isolation.py", "none"): 3,
    ("report/profiles.py", "none"): 1,
    ("ruleset/fragments/policy.py", "none"): 2,
    ("ruleset/fragments/antispoof.py", "bridge"): 1,  # nft's family
    ("ruleset/fragments/antispoof.py", "routed"): 2,  # a prefix of sets
    ("testing/tracer.py", "bridge"): 3,  # nft's family
    ("testing/statements.py", "none"): 1,  # a register's value
    ("testing/nft_text.py", "none"): 1,  # a classid
    ("programs/ingress_rules.py", "none"): 1,  # a list of ports
    ("programs/explain_url.py", "none"): 1,  # a list of names
}

# A file without this text has nothing that the tests look for.
_MODES = "|".join(mode.name for mode in modes.every())
_WORDS = re.compile(rf"""["']({_MODES})["']|\.(mode|attachment)\b|\.(attachment|transport|traits)\.name\b""")


@cache
def _parts() -> list[tuple[str, ast.Constant | ast.Compare]]:
    """Return the constants and comparisons of all files: both tests read them, and to parse all takes seconds."""
    return [
        (name, part)
        for name, tree in _trees()
        for part in ast.walk(tree)
        if isinstance(part, (ast.Constant, ast.Compare))
    ]


def _trees() -> Iterator[tuple[str, ast.AST]]:
    for file in sorted(_ROOT.rglob("*.py")):
        name = file.relative_to(_ROOT).as_posix()
        text = file.read_text(encoding="utf-8")
        # To parse all files takes seconds.
        if not name.startswith(_DEFINE) and _WORDS.search(text):
            yield name, ast.parse(text)


def test_no_mode_is_named_in_quotes_outside_of_its_definition() -> None:
    """A condition on a mode reads a trait of it, so a new mode needs no edit elsewhere."""
    names = {mode.name for mode in modes.every()}
    found = Counter(
        (file, part.value)
        for file, part in _parts()
        if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value in names
    )

    assert {} == {
        (file, word): count
        for (file, word), count in found.items()
        if count > _OTHERS.get((file, word), 0) and not (file.startswith("pictures/") and word in _OF_PICTURES)
    }


def test_nothing_compares_the_name_of_a_mode_an_attachment_or_a_transport() -> None:
    """Names are used to look up, to print and to pass on only."""
    found = [
        f"{file}:{compared.lineno}"
        for file, compared in _parts()
        if isinstance(compared, ast.Compare)
        for side in (compared.left, *compared.comparators)
        if isinstance(side, ast.Attribute) and _names_a_mode(side)
    ]

    assert [] == found


def _names_a_mode(side: ast.Attribute) -> bool:
    if side.attr == "name":
        return isinstance(side.value, ast.Attribute) and side.value.attr in ("attachment", "transport", "traits")
    return side.attr in ("mode", "attachment")
