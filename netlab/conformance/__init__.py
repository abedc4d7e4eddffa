"""The conformance suite: what NetworkPolicy means, as cases, judged by the evaluator, the ruleset and real packets."""
