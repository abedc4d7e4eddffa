"""``netlab-cni``: a CNI plugin that makes a container a pod of a running lab (CNI specification 1.1.0)."""
