"""NetworkPolicy as nftables: identities and classes, the ruleset of every node, and the step between two rulesets."""

from netlab.ruleset.compile import Compiler, compile_rulesets
from netlab.ruleset.difference import Transaction, difference, differences, replacing
from netlab.ruleset.elements import Element, Set
from netlab.ruleset.fragment import Port
from netlab.ruleset.nftables import Ruleset
from netlab.ruleset.tables import Table

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
