"""The API kinds that netlab reads. Each has a file with its value ``KIND``, and a line here."""

from importlib import import_module

from netlab.objects.kind import Later, register, register_later

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
    "clusternetworkpolicy",
    "adminnetworkpolicy",
    "baselineadminnetworkpolicy",
    "topology",
    "profile",
    "scenario",
    "invariants",
    "lesson",
    "podlabels",
    "ignoredkind",
    "systemobjects",
    "stoppednode",
    "workloadpods",
)

# Kinds that many inputs do not have: name, version, and False if users do not write them. Their files are loaded when
# an input or a command names them.
_LATER: dict[str, tuple[str, str] | tuple[str, str, bool]] = {
    "service": ("Service", "v1"),
    "endpointslice": ("EndpointSlice", "discovery.k8s.io/v1"),
    "endpoints": ("Endpoints", "v1"),
    "ingress": ("Ingress", "networking.k8s.io/v1"),
    "ingressclass": ("IngressClass", "networking.k8s.io/v1"),
    "secret": ("Secret", "v1"),
    "clusternetworkpolicy": ("ClusterNetworkPolicy", "policy.networking.k8s.io/v1beta1"),
    "adminnetworkpolicy": ("AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    "baselineadminnetworkpolicy": ("BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    "profile": ("Profile", "netlab/v1alpha1"),
    "invariants": ("Invariants", "netlab/v1alpha1"),
    "lesson": ("Lesson", "netlab/v1alpha1"),
    "stoppednode": ("StoppedNode", "netlab/v1alpha1", False),
    "workloadpods": ("WorkloadPods", "netlab/v1alpha1", False),
}

for _file in _FILES:
    _module = f"{__name__}.{_file}"
    if _file in _LATER:
        _name, _version, *_rest = _LATER[_file]
        register_later(Later(_name, _version, _module, *_rest))
    else:
        register(import_module(_module).KIND)
