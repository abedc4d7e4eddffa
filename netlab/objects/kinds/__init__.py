"""The API kinds that netlab reads. Each has a file with its value ``KIND``, and a line here."""

from importlib import import_module

from netlab.objects.kind import register

# In the order of commands and messages.
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
    "endpointslice",
    "endpoints",
    "ingress",
    "ingressclass",
    "secret",
    "networkpolicy",
    "topology",
    "scenario",
    "podlabels",
    "ignoredkind",
    "systemobjects",
)

for _file in _FILES:
    register(import_module(f"{__name__}.{_file}").KIND)
