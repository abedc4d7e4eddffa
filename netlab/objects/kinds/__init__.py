"""The API kinds that netlab reads. Each has a file with its value ``KIND``, and a line here."""

from netlab.objects.kind import Later, register_later

# In the order of commands and messages: name, version, and False if users do not write the kind. The file of a kind is
# loaded when an input or a command names it.
_FILES: dict[str, tuple[str, str] | tuple[str, str, bool]] = {
    "namespace": ("Namespace", "v1"),
    "node": ("Node", "v1"),
    "pod": ("Pod", "v1"),
    "deployment": ("Deployment", "apps/v1"),
    "replicaset": ("ReplicaSet", "apps/v1"),
    "replicationcontroller": ("ReplicationController", "v1"),
    "statefulset": ("StatefulSet", "apps/v1"),
    "daemonset": ("DaemonSet", "apps/v1"),
    "job": ("Job", "batch/v1"),
    "cronjob": ("CronJob", "batch/v1"),
    "service": ("Service", "v1"),
    "endpointslice": ("EndpointSlice", "discovery.k8s.io/v1"),
    "endpoints": ("Endpoints", "v1"),
    "ingress": ("Ingress", "networking.k8s.io/v1"),
    "ingressclass": ("IngressClass", "networking.k8s.io/v1"),
    "secret": ("Secret", "v1"),
    "networkpolicy": ("NetworkPolicy", "networking.k8s.io/v1"),
    "clusternetworkpolicy": ("ClusterNetworkPolicy", "policy.networking.k8s.io/v1beta1"),
    "adminnetworkpolicy": ("AdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    "baselineadminnetworkpolicy": ("BaselineAdminNetworkPolicy", "policy.networking.k8s.io/v1alpha1"),
    "topology": ("Topology", "netlab/v1alpha1"),
    "profile": ("Profile", "netlab/v1alpha1"),
    "scenario": ("Scenario", "netlab/v1alpha1"),
    "invariants": ("Invariants", "netlab/v1alpha1"),
    "lesson": ("Lesson", "netlab/v1alpha1"),
    "podlabels": ("PodLabels", "netlab/v1alpha1", False),
    "ignoredkind": ("IgnoredKind", "netlab/v1alpha1", False),
    "systemobjects": ("SystemObjects", "netlab/v1alpha1", False),
    "stoppednode": ("StoppedNode", "netlab/v1alpha1", False),
    "workloadpods": ("WorkloadPods", "netlab/v1alpha1", False),
}

for _file, (_name, _version, *_rest) in _FILES.items():
    register_later(Later(_name, _version, f"{__name__}.{_file}", *_rest))
