.PHONY: help demo test test-faults test-samples test-fast verify-services verify-profiles verify-diff test-ingress test-cni test-vm test-vagrant coverage test-crash crash fuzz lint check bench bench-compare bench-peers race dist lock setup clean test-docs docs test-browser test-capture test-control-plane judges test-machines test-action test-lessons man verify-suggest verify-cluster-policies verify-cilium verify-apiserver
.DEFAULT_GOAL := help

# More options for pytest: make test PYTEST_ARGS='-k ruleset'. Tests wait for the kernel and for programs a third of
# their time, so three processes use two processors.
PYTEST_ARGS ?= -n 3

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | expand -t 16

demo:  ## build the example shop, prove its policies with packets, explain one denied pair
	@scripts/run runtime scripts/demo

# How many samples the tests draw that draw some: a quarter (fast), half, or all (full); see tests/sizes.py.
SAMPLES ?= fast

test:  ## all tests, then all scenarios and invariants; as root, since the kernel tests make network namespaces
	@scripts/run dev python -m pytest --hypothesis-profile=$(SAMPLES) $(PYTEST_ARGS)
	@scripts/run dev netlab test scenarios/ examples/invariants --packets

test-samples:  ## the tests that draw samples, with all of them, where make test draws a quarter
	@scripts/run dev python -m pytest --hypothesis-profile=full -m samples $(PYTEST_ARGS)

test-faults:  ## faults that are put into netlab: whether the cases of the judges find each; as root
	@NETLAB_FAULTS=1 scripts/run dev python -m pytest --hypothesis-profile=$(SAMPLES) -m faults $(PYTEST_ARGS)

test-fast:  ## the tests that need no kernel, as any user
	@scripts/run dev python -m pytest -m "not kernel" $(PYTEST_ARGS)

# How many: make verify-services CLUSTERS=1000
CLUSTERS ?= 200

verify-services:  ## packets through every door of random clusters with Services, and judges on smaller ones; as root
	@NETLAB_CLUSTERS=$(CLUSTERS) scripts/run dev python -m pytest $(PYTEST_ARGS) tests/services/test_random_clusters.py
	@scripts/run dev netlab conformance 'random/*' --services --random $(CLUSTERS)

verify-suggest:  ## netlab suggest on random clusters: every pair has the verdict that it must have, with no more rules
	@NETLAB_CLUSTERS=$(CLUSTERS) scripts/run dev python -m pytest $(PYTEST_ARGS) tests/suggest/test_keep.py tests/suggest/test_observed_tables.py

# How many for each: make verify-profiles SETS=1000
SETS ?= 100

verify-profiles:  ## evaluator, ruleset and packets on random policy sets under every profile, wiring and setting; as root
	@NETLAB_SETS=$(SETS) scripts/run dev python -m pytest $(PYTEST_ARGS) -k random tests/profiles/test_random_sets.py \
		tests/wiring_choices/test_random_sets.py tests/settings/test_verdicts.py

verify-cilium:  ## evaluator, ruleset, packets and a naive model on random sets of Cilium's policies; as root
	@NETLAB_SETS=$(SETS) scripts/run dev python -m pytest $(PYTEST_ARGS) tests/policy/test_cilium_sets.py

# How many sets without packets and with them: make verify-cluster-policies POLICY_SETS=5000 PACKET_SETS=500
POLICY_SETS ?= 1000
PACKET_SETS ?= 100

verify-cluster-policies:  ## cluster-wide policies: all cases and random sets by every judge and by a naive model; as root
	@NETLAB_SETS=$(POLICY_SETS) scripts/run dev python -m pytest $(PYTEST_ARGS) -k random_sets tests/conformance/test_cluster_policies.py
	@scripts/run dev netlab conformance --feature cluster-network-policy --judges evaluator,tracer --services 'random/*' --random $(POLICY_SETS)
	@scripts/run dev netlab conformance --feature cluster-network-policy --random $(PACKET_SETS)

# How many pairs of inputs: make verify-diff DIFFS=5000
DIFFS ?= 500

verify-diff:  ## netlab diff on random pairs of inputs: equal to pair by pair, and without its cause each change is gone
	@NETLAB_DIFFS=$(DIFFS) scripts/run dev python -m pytest $(PYTEST_ARGS) tests/policy/test_cluster_diff.py tests/policy/test_causes.py

test-ingress:  ## the tests of the ingress controller, with each nginx that netlab can use; as root, network at first
	@scripts/run dev scripts/test-ingress

test-docs:  ## type every command of the README and of docs/, with labs; as root, network at first
	@scripts/run dev scripts/test-docs

docs:  ## build the site of the documentation in site/, and check its links; network at first
	@scripts/run dev scripts/docs

test-cni:  ## the tests of mode cni with the reference plugins; as root, network at first
	@scripts/run dev scripts/test-cni

# Other options for its pytest: make test-browser BROWSER_ARGS='-k keyboard'
BROWSER_ARGS ?=

test-browser:  ## the tests of HTML reports in Chromium; network at first
	@scripts/run dev scripts/test-browser $(BROWSER_ARGS)

# Other options for its pytest: make test-control-plane CONTROL_PLANE_ARGS='-k forbidden'
CONTROL_PLANE_ARGS ?=

test-control-plane:  ## the tests with a real control plane, built once in half an hour; as root, network at first
	@scripts/run dev scripts/test-control-plane $(CONTROL_PLANE_ARGS)

# One judge, and its options: make judges JUDGE=e2e JUDGE_ARGS='--focus Netpol'; all of them: e2e cyclonus cluster-policies
JUDGE ?= cluster-policies
JUDGE_ARGS ?= --write

judges:  ## an unmodified suite against a control plane, and docs/conformance.md from it; as root, network at first
	@scripts/run dev scripts/judges $(JUDGE) $(JUDGE_ARGS)

# How many objects of each kind, and which ones: make verify-apiserver OBJECTS=10000 SEED=7
OBJECTS ?= 2000
SEED ?= 0

verify-apiserver:  ## netlab check and a real API server on random objects of each kind; network at first
	@NETLAB_OBJECTS=$(OBJECTS) NETLAB_SEED=$(SEED) scripts/run dev scripts/test-control-plane -k test_check

# Other options for its pytest: make test-machines MACHINES_ARGS='-k watch'
MACHINES_ARGS ?=

test-machines:  ## the tests of stores and labs on many machines with a real etcd; network at first
	@scripts/run dev scripts/test-machines $(MACHINES_ARGS)

test-capture:  ## the tests of captures with tcpdump and tshark; as root, network at first
	@scripts/run dev scripts/test-capture

test-action:  ## the action in a simulated job, hooks, containers, completion and man pages; as root, network at first
	@scripts/run dev scripts/test-action

test-lessons:  ## every lesson of netlab learn: its commands, right and wrong answers, a typical mistake; as root
	@# Their labs are named learn, as a learner's is: so they are in namespaces of their own, with an empty /run.
	@NETLAB_TEST_LESSONS=1 scripts/run dev unshare --mount --net sh -c \
		'mount -t tmpfs tmpfs /run && exec python -m pytest -n 0 -m learn tests/learn'

# Other tests there: make test-vm VM_ARGS='-x tests/lab'
VM_ARGS ?=

test-vm:  ## scenarios, kernel tests and link kinds on Debian's own kernel, in a virtual machine; once as root
	@scripts/run dev scripts/vm $(VM_ARGS)

test-vagrant:  ## provision a fresh Debian as the Vagrantfile does, twice, in a virtual machine; once as root
	@scripts/run dev scripts/vm --provision
	@! command -v vagrant >/dev/null || vagrant validate --ignore-provider

# The least percentage that passes; of a part: make coverage COVERAGE_FLOOR=0 PYTEST_ARGS='-n 2 tests/policy'
COVERAGE_FLOOR ?=

coverage:  ## list the lines of netlab that no test runs; as root
	@scripts/run dev coverage erase
	@# Coverage runs code of its own when a process exits, and these tests signal processes at any moment.
	@# Where etcd is installed, the tests with etcd count too.
	@NETLAB_MACHINES=1 scripts/run dev coverage run -m pytest --ignore=tests/conformance/test_workers.py --hypothesis-profile=full $(PYTEST_ARGS)
	@scripts/run dev coverage combine --quiet
	@scripts/run dev coverage report $(if $(COVERAGE_FLOOR),--fail-under=$(COVERAGE_FLOOR))

test-crash:  ## interrupt commands at some of their system calls, and check what is left; as root, network at first
	@scripts/run dev scripts/test-crash

# What to play: make crash CRASH_ARGS='--rootless --errors'
CRASH_ARGS ?=

crash:  ## interrupt commands at every system call, and check what is left; as root, an hour
	@scripts/run dev python tests/crash/rounds.py $(CRASH_ARGS)

# How long to fuzz: make fuzz FUZZ_SECONDS=3600
FUZZ_SECONDS ?= 60

fuzz:  ## draw wrong input of every kind in a sandbox, as root; what breaks a promise is added to tests/fuzz/corpus
	@scripts/run dev python -m tests.fuzz --seconds $(FUZZ_SECONDS)

lint:  ## ruff and mypy
	@scripts/run dev ruff check
	@scripts/run dev ruff format --check
	@scripts/run dev mypy

check: lint test  ## lint and test

bench:  ## measure the main operations on this machine
	@scripts/run dev python -m benchmarks

# Which revision to compare with, and which benchmarks: make bench-compare BASE=v0.1.0 BENCH=bringup
BASE ?= HEAD
BENCH ?=

bench-compare:  ## compare the working tree with BASE=rev, in paired rounds
	@scripts/run dev python -m benchmarks.compare $(BASE) $(BENCH)

# Options of `python -m benchmarks`: make bench-peers PEERS_ARGS='-o json'
PEERS_ARGS ?=

bench-peers:  ## measure netlab beside np-guard, cyclonus, mininet, the CNI reference plugins and ip, on one input
	@scripts/run dev scripts/bench-peers $(PEERS_ARGS)

race:  ## 200 rounds of commands that read a lab beside commands that change it; as root, an hour
	@NETLAB_ROUNDS=200 scripts/run dev python -m pytest -o faulthandler_timeout=0 tests/lab/test_beside_changes.py

dist:  ## build the wheel and the sdist in dist/, install and run both elsewhere, with all tests of the sdist
	@scripts/run dev scripts/dist $(PYTEST_ARGS)

man:  ## write the man pages from the commands' help
	@scripts/run dev python -m netlab.cli.man_pages man

lock:  ## pin the dependencies of pyproject.toml in requirements/
	@scripts/lock

setup:  ## install system packages and make the virtual environment; print where it is
	@scripts/setup

clean:  ## remove the virtual environment, dist/, site/ and what Python left
	rm -rf .venv dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
