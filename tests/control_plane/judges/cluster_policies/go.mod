// The conformance suite of cluster-wide policies, for `make judges`; go.sum pins all that it is built of.
module netlab.example/judge-cluster-policies

go 1.26.6

require sigs.k8s.io/network-policy-api v0.3.0 // indirect
