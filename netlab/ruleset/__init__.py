"""NetworkPolicy as nftables: identities and classes, the ruleset of every node, and the step between two rulesets."""

from netlab.ruleset.antispoof import Port
from netlab.ruleset.compile import Compiler, compile_rulesets
from netlab.ruleset.difference import Transaction, difference, differences, replacing
from netlab.ruleset.elements import Element, Set, Table
from netlab.ruleset.nftables import Ruleset

__all__ = [
    "Compiler",
    "Element",
    "Port",
    "Ruleset",
    "Set",
    "Table",
    "Transaction",
    "compile_rulesets",
    "difference",
    "differences",
    "replacing",
]
