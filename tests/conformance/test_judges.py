"""What is kept of judges: results, reasons, and the page that is written from both."""

from __future__ import annotations

import re
import socket

import pytest
from control_plane.judges import cluster_policies, cyclonus, e2e, page, verdicts
from control_plane.judges.cluster import OVERLAY, ROUTED
from control_plane.judges.outside import relay
from control_plane.judges.verdicts import CANNOT, FAILED, PASSED, Case, Reason, Run

SECONDS = 10.0

WHY = [Reason("e2e", FAILED, "netlab has no cloud", ("LoadBalancer",)), Reason("e2e", CANNOT, "no SSH", ("ssh",))]


def test_a_failure_with_a_reason_is_no_complaint():
    """Nor is a case that passes without one."""
    outcomes = {"a LoadBalancer": FAILED, "over ssh": "skips itself", "a Service": PASSED}

    assert [] == verdicts.complaints(outcomes, WHY, whole=True)


def test_a_failure_without_a_reason_is_a_complaint():
    """A reader must learn why each case does not pass."""
    assert ["fails, and reasons.yaml does not say why: a Service"] == verdicts.complaints(
        {"a Service": FAILED}, WHY, whole=False
    )


def test_a_reason_of_a_case_that_passes_is_a_complaint():
    """It is out of date."""
    assert ["passes, so its reason no longer applies: a LoadBalancer (netlab has no cloud)"] == verdicts.complaints(
        {"a LoadBalancer": PASSED}, WHY, whole=False
    )


def test_a_reason_without_a_case_is_a_complaint_when_all_cases_ran():
    """Its case may have another name now."""
    found = verdicts.complaints({"a LoadBalancer": FAILED}, WHY, whole=True)

    assert ["no such case: ssh (no SSH)"] == found
    assert [] == verdicts.complaints({"a LoadBalancer": FAILED}, WHY, whole=False)


def test_results_are_kept_by_the_names_of_their_cases(tmp_path):
    """Sorted, so that the same results are the same file."""
    verdicts.keep("e2e", Run("c1", "2026-01-01", {"b: 1": FAILED, "a": PASSED}), tmp_path, whole=True)

    assert ["a", "b: 1"] == list(verdicts.kept("e2e", tmp_path))
    assert [Run("c1", "2026-01-01", {"a": PASSED, "b: 1": FAILED})] == verdicts.runs("e2e", tmp_path)
    assert {} == verdicts.kept("another", tmp_path)


def test_results_of_a_part_replace_those_of_its_cases_only(tmp_path):
    """The others stay, with the commit that they are of. A run without cases that count is gone."""
    first, second = Run("c1", "2026-01-01", {"a": FAILED, "b": PASSED}), Run("c2", "2026-01-02", {"a": PASSED})
    for one in (first, second):
        verdicts.keep("e2e", one, tmp_path, whole=False)

    assert [first._replace(cases={"b": PASSED}), second] == verdicts.runs("e2e", tmp_path)
    verdicts.keep("e2e", Run("c3", "2026-01-03", {"b": FAILED}), tmp_path, whole=False)
    assert ["c2", "c3"] == [one.commit for one in verdicts.runs("e2e", tmp_path)]


def test_results_of_several_parts_with_one_commit_are_one_run(tmp_path):
    """Its day is that of the last part."""
    for date, cases in (("2026-01-01", {"a": FAILED, "b": PASSED}), ("2026-01-02", {"a": PASSED})):
        verdicts.keep("e2e", Run("c1", date, cases), tmp_path, whole=False)

    assert [Run("c1", "2026-01-02", {"a": PASSED, "b": PASSED})] == verdicts.runs("e2e", tmp_path)


def test_results_of_a_whole_judge_replace_all(tmp_path):
    """A case that it no longer has is gone."""
    verdicts.keep("e2e", Run("c1", "2026-01-01", {"a": PASSED}), tmp_path, whole=False)
    verdicts.keep("e2e", Run("c2", "2026-01-02", {"b": PASSED}), tmp_path, whole=True)

    assert {"b": PASSED} == verdicts.kept("e2e", tmp_path)


def test_each_spec_runs_in_one_cluster():
    """A few need six nodes, or the addresses of nodes in packets between them."""
    names = ["DNS works", "Traffic Distribution when using PreferClose", "should only target nodes with endpoints"]

    assert [("cluster", OVERLAY, names[:1]), ("routed", ROUTED, names[1:])] == e2e.by_cluster(names)
    assert [("cluster", OVERLAY, names[:1])] == e2e.by_cluster(names[:1])


def test_a_relay_connects_both_ways_until_both_ends_have_ended():
    """What one end said last still comes to the other end."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as listener,
        relay(listener, server.getsockname()[1]),
        socket.create_connection(listener.getsockname(), SECONDS) as client,
    ):
        server.settimeout(SECONDS)
        accepted, _ = server.accept()
        with accepted:
            accepted.settimeout(SECONDS)
            client.sendall(b"asked")
            client.shutdown(socket.SHUT_WR)
            assert b"asked" == b"".join(iter(lambda: accepted.recv(100), b""))
            accepted.sendall(b"answered")
        assert b"answered" == b"".join(iter(lambda: client.recv(100), b""))


@pytest.mark.parametrize("judge", page.JUDGES)
def test_the_kept_results_and_reasons_agree(judge):
    """Each case that does not pass has a reason, and each reason has a case that does not pass."""
    outcomes = verdicts.kept(judge)

    assert [] == verdicts.complaints(outcomes, verdicts.reasons(judge), whole=True)


def test_the_page_is_written_from_the_results_that_are_kept():
    """`make judges` writes it."""
    assert page.PAGE.read_text() == page.text()


def test_an_entry_that_says_nothing_is_refused(tmp_path):
    """A reason has words, cases, and an outcome."""
    file = tmp_path / "reasons.yaml"
    file.write_text("[{judge: e2e, outcome: fails, why: '', cases: [a]}]")

    with pytest.raises(ValueError, match=r"reasons\.yaml"):
        verdicts.reasons("e2e", file)


def test_cases_of_cyclonus_have_numbers_as_some_have_the_same_name():
    """They are those of the whole list, whichever part of it runs."""
    text = "test #1: deny all\n - tags: ingress, x\ntest #2: deny all\n - tags: egress\n"

    assert [("001 deny all", {"ingress", "x"}), ("002 deny all", {"egress"})] == cyclonus.listed(text)


def test_a_case_of_cyclonus_passes_if_each_of_its_steps_is_right_at_the_last_try():
    """One that was broken off is left out."""
    log = (
        "starting test case #1\n0 wrong, 0 ignored, 81 correct\nfinished policy #1\n"
        "starting test case #2\n0 wrong, 0 ignored, 81 correct\n"
        "Discrepancy found:1 wrong, 0 ignored, 80 correct\nfinished policy #2\n"
        "starting test case #3\nfinished policy #3\nstarting test case #4\n0 wrong, 0 ignored, 81 correct\n"
    )
    names = ["a", "b", "c", "d"]

    assert [Case("a", PASSED), Case("b", FAILED), Case("c", FAILED)] == cyclonus.cases(log, names)


def test_each_case_of_cyclonus_is_in_one_small_part():
    """The parts run at once, and those of SCTP are one."""
    names = [(f"{number:03} case", {"ab"[number % 2], f"t{number // 10}"}) for number in range(100)]
    parts = cyclonus.parts([*names, ("101 case", {"sctp", "a"})])

    assert {1} == {sum(part.has(tags) for part in parts) for _, tags in names}
    assert max(sum(part.has(tags) for _, tags in names) for part in parts) <= 14
    assert [True] == [part.has({"sctp", "a"}) for part in parts if part.has({"sctp", "a"})]


def test_a_run_of_cyclonus_repeats_few_cases_that_are_known():
    """All others run. A part that has none of them is whole."""
    names = [("1 a", {"x", "a"}), ("2 b", {"x", "b"}), ("3 c", {"x", "a", "c"}), ("4 d", {"y"}), ("5 e", {"x", "d"})]
    part = cyclonus.Part(("x",), ("d",))
    narrowed = cyclonus.narrowed(part, names, {"2 b", "3 c", "4 d"})

    assert ["1 a"] == [name for name, tags in names if narrowed.has(tags)]
    assert part == cyclonus.narrowed(part, names, {"1 a", "2 b", "3 c"})


def test_tests_of_go_are_those_of_its_verbose_output():
    """Only whole tests count, not their parts."""
    log = (
        "--- FAIL: TestConformance (3.00s)\n    --- PASS: TestConformance/One (1.0s)\n"
        "        --- PASS: TestConformance/One/a_part (0.5s)\n    --- FAIL: TestConformance/Two (2.0s)\n"
    )

    assert [Case("One", PASSED), Case("Two", FAILED)] == cluster_policies.cases(log)


def test_the_parts_of_the_suite_of_cluster_wide_policies_have_each_test_once():
    """The last part has the tests that nobody knew of."""
    names = [f"Test{at}" for at in range(12)]
    *shares, (_, last) = cluster_policies.parts(names)
    run = [re.findall(r"Test\d+", words[0]) for _, words in shares]
    skipped = re.findall(r"Test\d+", last[1])

    assert all(words[0].startswith("-test.run=^TestConformance$/^(") for _, words in shares)
    assert last[1].startswith("-test.skip=^TestConformance$/^(")
    assert "-test.run=^TestConformance$" == last[0]
    assert sorted(skipped) == sorted(name for share in run for name in share)
    assert 2 == len(set(names) - set(skipped))


def test_a_suite_of_which_no_test_is_known_runs_in_one_part():
    """So it is the first time."""
    assert [("others", ["-test.run=^TestConformance$"])] == cluster_policies.parts(())
