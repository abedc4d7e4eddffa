"""The tests of the API's own conformance suite for ClusterNetworkPolicy v0.3.0, as text; ``upstream`` reads it.

A line ``TEST MANIFEST`` begins a test, with the policies of its manifest. The lines below are its steps, in order.
Probes are ``SOURCE>DESTINATION PORT VERDICT``: G, S, H, R and F are namespaces, each with the pods 0 and 1; a port is
t, u or s (TCP, UDP, SCTP) and a number; ``+`` connects, ``-`` does not. The other steps change something for the rest
of the test; they are about the first policy of the manifest:

- ``swap DIRECTION ONE OTHER``: exchange two rules.
- ``ports DIRECTION RULE NAME``: the rule has this named port only. ``action DIRECTION RULE ACTION``.
- ``prepend ACTION POD…``: a new first egress rule for the addresses of pods.
- ``priority NUMBER``: of the second policy. ``delete``: the NetworkPolicy.
- ``namespace NAMESPACE HOUSE``, ``role POD ROLE``: change a label; without a role the label is removed.

``!`` marks steps that the suite for v1alpha1 does not have.

Source: network-policy-api v0.3.0, ``conformance/tests``.
"""

TESTS = """\
Admin:EgressNamedPort egress-tcp
  ports egress 5 web
  G0>H1 t80+, G1>H1 t8080-
Admin:EgressNodePeers egress-selector
  G1>F1 t34345+
  G1>F1 u34347+
  G1>F1 t34346-, G1>F1 u34349-, G1>F1 s34351-
Admin:IngressNamedPort ingress-udp
  ports ingress 5 dns
  G0>H1 u53+, G1>H1 u5353-
Admin:EgressInlineCIDRPeers egress-inline-cidr
  G1>R0 t80-, G1>R0 u53-, G1>R0 s9003-, G1>H0 t80-, G1>H0 u53-, G1>H0 s9003-
  G1>S0 t80+, G1>S0 u53+, G1>S0 s9003+
  ! namespace S denied-namespace-label
  ! G1>S0 t80-, G1>S0 u53-, G1>S0 s9003-
  ! namespace S slytherin
  ! G1>S0 t80+, G1>S0 u53+, G1>S0 s9003+
  prepend Accept R0 H0
  G1>R0 t80+, G1>R0 u53+, G1>R0 s9003+, G1>H0 t80+, G1>H0 u53+, G1>H0 s9003+
  G1>R1 t80-, G1>R1 u53-, G1>R1 s9003-, G1>H1 t80-, G1>H1 u53-, G1>H1 s9003-
Admin:EgressSCTP egress-sctp
  R0>G0 s9003+, R1>G0 s9005+
  R0>H1 s9003+, R1>H1 s9005-
  swap egress 0 1
  R0>G1 s9003-, R1>G1 s9005-
  R0>S0 s9003-, R1>S0 s9005+
  swap egress 0 2
  R0>G1 s9003+, R1>G1 s9005+
  swap egress 3 4
  R0>S0 s9003+, R1>S0 s9005+
Admin:EgressTCP egress-tcp
  G0>R0 t80+, G1>R0 t8080+
  G0>H1 t8080+, G1>H1 t80-
  ! R0>G0 t80+, S0>G1 t80+
  swap egress 0 1
  G0>R1 t80-, G1>R1 t8080-
  G0>S0 t80-, G1>S0 t8080+
  swap egress 0 2
  G0>R0 t80+, G1>R0 t8080+
  swap egress 3 4
  G0>S0 t80+, G1>S0 t8080+
Admin:EgressUDP egress-udp
  H0>R0 u53+, H1>R0 u5353+
  H0>G1 u53+, H1>G1 u5353-
  swap egress 0 1
  H0>R1 u53-, H1>R1 u5353-
  H0>S0 u5353-, H1>S0 u53+
  swap egress 0 2
  H0>R1 u5353+, H1>R1 u53+
  swap egress 3 4
  H0>S0 u5353+, H1>S0 u53+
Admin:Gress gress
  G0>R0 t80+, G1>R0 u53+, G0>R0 s9003+, R0>G0 t80+, R1>G0 u53+, R1>G0 s9003+
  G0>H1 t8080+, G1>H1 t80-, G0>H1 u5353+, G1>H1 u53-, G0>H1 s9003+, G1>H1 s9005-
  H0>G1 t80+, H1>G1 t8080-, H0>G1 u5353+, H1>G1 u53-, H0>G1 s9003+, H1>G1 s9005-
  swap egress 0 1
  swap ingress 0 1
  G0>R1 t80-, G1>R1 u53-, G0>R1 s9003-, R0>G1 t80-, R1>G1 u53-, R1>G1 s9003-
  G0>S0 t80-, G1>S0 t8080+, G0>S0 u53-, G1>S0 u5353+, G0>S0 s9003-, G1>S0 s9005+
  S0>G0 t80-, S1>G0 t8080+, S0>G0 u53-, S1>G0 u5353+, S0>G0 s9003-, S1>G0 s9005+
  swap egress 0 2
  swap ingress 0 2
  G0>R0 t80+, G0>R0 u5353+, G0>R0 s9003+, R0>G0 t80+, R1>G0 u53+, R1>G0 s9003+
  swap egress 3 4
  swap ingress 3 4
  G0>S0 t80+, G1>S0 t8080+, G0>S0 u53+, G1>S0 u5353+, G0>S0 s9003+, G1>S0 s9005+
  S0>G0 t80+, S1>G0 t8080+, S0>G0 u53+, S1>G0 u5353+, S0>G0 s9003+, S1>G0 s9005+
Admin:IngressSCTP ingress-sctp
  G0>R0 s9003+, G1>R0 s9005+
  H0>R1 s9003+, H1>R1 s9005-
  swap ingress 0 1
  G0>R1 s9003-, G1>R1 s9005-
  S0>R0 s9003-, S1>R0 s9005+
  swap ingress 0 2
  G0>R1 s9003+, G1>R1 s9005+
  swap ingress 3 4
  S0>R0 s9003+, S1>R0 s9005+
Admin:IngressTCP ingress-tcp
  R0>G0 t80+, R1>G0 t8080+
  H0>G1 t80+, H1>G1 t8080-
  ! G0>R0 t80+, G1>S0 t80+
  swap ingress 0 1
  R0>G1 t80-, R1>G1 t8080-
  S0>G0 t80-, S1>G0 t8080+
  swap ingress 0 2
  R0>G0 t80+, R1>G0 t8080+
  swap ingress 3 4
  S0>G0 t80+, S1>G0 t8080+
Admin:IngressUDP ingress-udp
  R0>H0 u53+, R1>H0 u5353+
  G0>H1 u53+, G1>H1 u5353-
  swap ingress 0 1
  R0>H1 u53-, R1>H1 u5353-
  S0>H0 u5353-, S1>H0 u53+
  swap ingress 0 2
  R0>H1 u5353+, R1>H1 u53+
  swap ingress 3 4
  S0>H0 u5353+, S1>H0 u53+
Admin:Integration anp-np-banp
  S0>G0 t80-, S1>G0 t8080-
  G0>S0 t80-, G1>S0 t8080-
  action ingress 0 Pass
  S0>G0 t80+, S1>G0 t8080+
  action egress 0 Pass
  G0>S0 t80+, G1>S0 t8080+
  delete
  S0>G0 t80-, S1>G0 t8080-
  G0>S0 t80-, G1>S0 t8080-
Admin:PodSelector pod-selector
  G0>R0 t8080-, G0>R0 t80+, G1>R1 t80-
  S1>G1 t80-, S0>G0 t80+
  role H0 blocked
  H0>G0 t80-, H1>G0 t80+
  role H0
  H0>G0 t80+
  role H1 blocked
  H1>G0 t80-
  role H1
  S0>R1 t80+
  role R0 restricted
  R0>S0 t80-, R1>S0 t80+
  role R0
  R0>S0 t80+
  role R1 restricted
  R1>S0 t80-
Admin:PortRange port-range
  G0>R0 t80+, G0>R0 t8080+, G1>R0 u53-, G0>H0 u53+, G0>H0 u5353+, G1>H0 t80-
  G0>S0 s9003+, G0>S0 s9005+, G1>S0 t80-
  R0>G0 t80+, R0>G0 t8080+, R1>G0 u53-, H0>G0 u53+, H0>G0 u5353+, H1>G0 t80-
  S0>G0 s9003+, S0>G0 s9005+, S1>G0 t80-
Admin:PriorityField priority-field
  S0>G0 t80-, S1>G0 t8080-
  G0>S0 t80-, G1>S0 t8080-
  priority 40
  S0>G0 t80+, S1>G0 t8080+, G0>S0 t80+, G1>S0 t8080+
Admin:SamePriority same-priority
  S0>G0 t80-, G0>S0 t80-, H0>G0 t80-, G1>H0 t80-, S1>H0 t8080-, H1>S0 t8080-
  S0>G0 t8080+, G0>S0 t8080+, S1>H0 t80+, H0>S0 t80+
  R0>G0 t80+, G1>R0 t80+
Baseline:EgressNamedPort egress-udp
  ports egress 3 dns
  H0>G1 u53+, H1>G1 u5353-
Baseline:EgressNodePeers egress-selector
  G0>F1 t34345+, G1>F1 t34346+
  G1>F1 u34349-, G1>F1 s34351-
Baseline:IngressNamedPort ingress-tcp
  ports ingress 3 web
  H0>G1 t80+, H1>G1 t8080-
Baseline:EgressInlineCIDRPeers egress-inline-cidr
  G1>R0 t80-, G1>R0 u53-, G1>R0 s9003-, G1>H0 t80-, G1>H0 u53-, G1>H0 s9003-
  G1>S0 t80+, G1>S0 u53+, G1>S0 s9003+
  ! namespace S denied-namespace-label
  ! G1>S0 t80-, G1>S0 u53-, G1>S0 s9003-
  ! namespace S slytherin
  ! G1>S0 t80+, G1>S0 u53+, G1>S0 s9003+
  prepend Accept R0 H0
  G1>R0 t80+, G1>R0 u53+, G1>R0 s9003+, G1>H0 t80+, G1>H0 u53+, G1>H0 s9003+
  G1>R1 t80-, G1>R1 u53-, G1>R1 s9003-, G1>H1 t80-, G1>H1 u53-, G1>H1 s9003-
Baseline:EgressSCTP egress-sctp
  R0>G0 s9003+, R1>G0 s9005+
  R0>H1 s9003+, R1>H1 s9005-
  swap egress 0 1
  R0>G1 s9003-, R1>G1 s9005-
  R0>S0 s9003-, R1>S0 s9005+
Baseline:EgressTCP egress-tcp
  G0>R0 t80+, G1>R0 t8080+
  G0>H1 t8080+, G1>H1 t80-
  ! R0>G0 t80+, S0>G1 t80+
  swap egress 0 1
  G0>R1 t80-, G1>R1 t8080-
  G0>S0 t80-, G1>S0 t8080+
Baseline:EgressUDP egress-udp
  H0>R0 u53+, H1>R0 u5353+
  H0>G1 u53+, H1>G1 u5353-
  swap egress 0 1
  H0>R1 u53-, H1>R1 u5353-
  H0>S0 u5353-, H1>S0 u53+
Baseline:Gress gress
  G0>R0 t80+, G1>R0 u53+, G0>R0 s9003+, R0>G0 t80+, R1>G0 u53+, R1>G0 s9003+
  G0>H1 t8080+, G1>H1 t80-, G0>H1 u5353+, G1>H1 u53-, G0>H1 s9003+, G1>H1 s9005-
  H0>G1 t80+, H1>G1 t8080-, H0>G1 u5353+, H1>G1 u53-, H0>G1 s9003+, H1>G1 s9005-
  swap egress 0 1
  swap ingress 0 1
  G0>R1 t80-, G1>R1 u53-, G0>R1 s9003-, R0>G1 t80-, R1>G1 u53-, R1>G1 s9003-
  G0>S0 t80-, G1>S0 t8080+, G0>S0 u53-, G1>S0 u5353+, G0>S0 s9003-, G1>S0 s9005+
  S0>G0 t80-, S1>G0 t8080+, S0>G0 u53-, S1>G0 u5353+, S0>G0 s9003-, S1>G0 s9005+
Baseline:IngressSCTP ingress-sctp
  G0>R0 s9003+, G1>R0 s9005+
  H0>R1 s9003+, H1>R1 s9005-
  swap ingress 0 1
  G0>R1 s9003-, G1>R1 s9005-
  S0>R0 s9003-, S1>R0 s9005+
Baseline:IngressTCP ingress-tcp
  R0>G0 t80+, R1>G0 t8080+
  H0>G1 t80+, H1>G1 t8080-
  ! G0>R0 t80+, G1>S0 t80+
  swap ingress 0 1
  R0>G1 t80-, R1>G1 t8080-
  S0>G0 t80-, S1>G0 t8080+
Baseline:IngressUDP ingress-udp
  R0>H0 u53+, R1>H0 u5353+
  G0>H1 u53+, G1>H1 u5353-
  swap ingress 0 1
  R0>H1 u53-, R1>H1 u5353-
  S0>H0 u5353-, S1>H0 u53+
Baseline:PodSelector pod-selector
  G0>R0 t8080-, G0>R0 t80+, G1>R1 t80-
  S1>G1 t80-, S0>G0 t80+
  role H0 blocked
  H0>G0 t80-, H1>G0 t80+
  role H0
  H0>G0 t80+
  role H1 blocked
  H1>G0 t80-
  role H1
  S0>R1 t80+
  role R0 restricted
  R0>S0 t80-, R1>S0 t80+
  role R0
  R0>S0 t80+
  role R1 restricted
  R1>S0 t80-
Baseline:PortRange port-range
  G0>R0 t80+, G0>R0 t8080+, G1>R0 u53-, G0>H0 u53+, G0>H0 u5353+, G1>H0 t80-
  G0>S0 s9003+, G0>S0 s9005+, G1>S0 t80-
  R0>G0 t80+, R0>G0 t8080+, R1>G0 u53-, H0>G0 u53+, H0>G0 u5353+, H1>G0 t80-
  S0>G0 s9003+, S0>G0 s9005+, S1>G0 t80-
Baseline:SamePriority same-priority
  S0>G1 t80-, G0>S1 t80-, H0>G1 t80-, G1>H1 t80-, S1>H1 t8080-, H1>S1 t8080-
  S0>G1 t8080+, G0>S1 t8080+, S1>H1 t80+, H0>S1 t80+
  R0>G1 t80+, G0>R1 t80+
"""
