"""A user's program: it uses every public name with its types. ``make lint`` checks it with ``mypy --strict``.

``tests/api/test_pages.py`` compares it with ``netlab.__all__``. It is not run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scapy.layers.inet import IP, TCP

import netlab


def verdicts(paths: Sequence[str]) -> dict[tuple[str, str], str]:
    """Return the expected verdict of each pair."""
    objects: netlab.Objects
    problems: list[netlab.Problem]
    objects, problems = netlab.load(paths, strict=True)
    cluster: netlab.Cluster = netlab.resolve(objects)
    found: dict[tuple[str, str], str] = {}
    flow: netlab.Flow
    for flow in netlab.every_pair(cluster, ports=[("TCP", 80)], nodes=True):
        decision: netlab.Decision = netlab.evaluate(cluster, flow)
        found[flow.source.ref, flow.target] = decision.verdict
    return found | {(problem.file, str(problem.line)): problem.message for problem in problems}


def texts(cluster: netlab.Cluster, source: str, service: str) -> Iterable[str]:
    """Yield what decides about a pod and a Service, and the rulesets."""
    endpoint: netlab.Pod | netlab.Node | netlab.Host = netlab.find(cluster, source)
    found: netlab.Service = netlab.find_service(cluster, service)
    explanation: netlab.Explanation = netlab.explain(cluster, netlab.service_flow(endpoint, found, "TCP", 80, 4))
    yield str(explanation)
    yield from (str(warning) for warning in netlab.warnings(cluster))
    rulesets: dict[str, netlab.Ruleset] = netlab.rulesets(cluster)
    yield from (ruleset.text() for ruleset in rulesets.values())
    yield str(netlab.reachability(cluster).number_of_edges())


def changed(lab: netlab.Lab, documents: Sequence[netlab.Document]) -> float:
    """Change a lab in three ways; return the seconds that it took."""
    changes: list[netlab.Changes] = [
        lab.apply(documents),
        lab.label([netlab.LabelChange("pod", "shop/web-0", {"app": None})]),
        lab.delete([netlab.ObjectRef("NetworkPolicy", "db", "shop")]),
    ]
    return sum(change.seconds for change in changes)


def measured(lab: netlab.Lab, flow: netlab.Flow) -> list[str]:
    """Return what packets say, the rules that one met, and what a program printed."""
    measurements: list[netlab.Measurement] = list(lab.probe([flow]))
    trace: netlab.Trace = lab.trace(flow)
    steps: tuple[netlab.TraceStep, ...] = trace.steps
    place: netlab.Place = lab.locate("shop/web")
    result: netlab.ProcessResult = lab.run(place, ["true"], seconds=1)
    return [*(one.verdict for one in measurements), *(step.rule for step in steps), result.stdout]


def crafted(lab: netlab.Lab, address: str) -> int:
    """Send a packet of one's own, and return how many came."""
    sniffer: netlab.Sniffer
    with lab.sniff(["shop/db", lab.find("node:node-1")], "tcp", count=2, seconds=1.5) as sniffer:
        sent: int = lab.send("shop/web", IP(dst=address) / TCP(dport=80), count=2, interval=0.1)
    return sent - len(sniffer.packets) - sniffer.drops


def failures(scenario: netlab.Scenario) -> list[netlab.Failure | netlab.ProgramFailure]:
    """Return what went wrong in a scenario."""
    result: netlab.ScenarioResult = netlab.run(scenario)
    steps: tuple[netlab.StepResult, ...] = result.steps
    return [failure for step in steps for failure in step.failures]


def main(paths: Sequence[str]) -> int:
    """Build a lab for a moment; return the exit code that the command line would have."""
    try:
        objects, _ = netlab.load(paths)
        with netlab.temporary(objects) as lab:
            return len(lab.drift())
    except netlab.InputError as error:
        return len(error.problems) and error.exit_code
    except netlab.DamagedRecord as error:
        return len(error.why)
    except netlab.UsageError as error:
        return error.exit_code
    except netlab.HostError as error:
        return len(error.fix)
    except (netlab.AlreadyExists, netlab.NotFound) as error:
        return error.errno
    except netlab.KernelError as error:
        return len(error.operation)
    except netlab.NetlabError as error:
        return error.exit_code
