"""The reason of a row has the decision, and says if no control could arrive."""

from __future__ import annotations

import pytest
from builders import cluster, flow, pod

from netlab.policy.evaluate import evaluate
from netlab.probe import Measurement
from netlab.scenario.compare import reason_of

BUILT = cluster(pod("x/a"), pod("x/b"), pod("x/alone", network="none"))


@pytest.mark.parametrize(
    ("destination", "verdict", "seen", "words"),
    [
        ("x/b", "allow", "arrived and answered: TCP RST", "no policy selects either side"),
        ("x/b", "inconclusive", "control lost", "control lost"),
        (
            "x/alone",
            "deny",
            "not sent: x/alone has a loopback interface only",
            "not sent: x/alone has a loopback interface only",
        ),
        (
            "x/alone",
            "deny",
            "not sent: no route from source",
            "not sent: no route from source; x/alone has a loopback interface only",
        ),
        (
            "x/alone",
            "deny",
            "no path: apart",
            "no path: apart; x/alone has a loopback interface only",
        ),
    ],
)
def test_the_observation_is_kept_if_no_control_could_arrive(destination, verdict, seen, words):
    asked = flow(BUILT, "x/a", destination)

    assert words == reason_of(evaluate(BUILT, asked), Measurement(asked, verdict, seen))
