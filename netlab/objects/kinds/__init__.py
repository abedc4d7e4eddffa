"""The API kinds that netlab reads: a file each, which has the kind as ``KIND``, and a line each here."""

from importlib import import_module

from netlab.objects.kind import register

# In the order in which commands and messages name them.
_FILES = (
    "namespace",
    "node",
    "pod",
    "deployment",
    "replicaset",
    "replicationcontroller",
    "statefulset",
    "daemonset",
    "job",
    "cronjob",
    "service",
    "networkpolicy",
    "topology",
    "scenario",
    "podlabels",
    "ignoredkind",
)

for _file in _FILES:
    register(import_module(f"{__name__}.{_file}").KIND)
