"""Numbers and structures of rtnetlink, as pyroute2 has them.

Written by ``python -m netlab.kernel.pyroute2_numbers``, which says where each comes from; not edited by hand.
"""

SOL_NETLINK = 270
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
NLM_F_REQUEST = 1
NLM_F_MULTI = 2
NLM_F_ACK = 4
NLM_F_DUMP = 768
NLM_F_DUMP_INTR = 16
NLM_F_REPLACE = 256
NLM_F_EXCL = 512
NLM_F_CREATE = 1024
NLM_F_APPEND = 2048
NLM_F_CAPPED = 256
NLM_F_ACK_TLVS = 512
NLMSG_ERROR = 2
NLMSG_DONE = 3
RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_NEWADDR = 20
RTM_DELADDR = 21
RTM_GETADDR = 22
RTM_NEWROUTE = 24
RTM_DELROUTE = 25
RTM_GETROUTE = 26
RTM_NEWNEIGH = 28
RTM_DELNEIGH = 29
RTM_GETNEIGH = 30
ARPHRD_LOOPBACK = 772
IFF_UP = 1
IFA_F_NODAD = 2
IFA_F_PERMANENT = 128
NUD_NOARP = 64
NUD_PERMANENT = 128
NTF_SELF = 2
RTNH_F_ONLINK = 4
RT_SCOPE_UNIVERSE = 0
RT_SCOPE_LINK = 253
RTN_UNICAST = 1
RTPROT_KERNEL = 2
RTPROT_STATIC = 4

NLMSGERR_ATTR_MSG = 1
IFLA_ADDRESS = 1
IFLA_IFNAME = 3
IFLA_MTU = 4
IFLA_LINK = 5
IFLA_MASTER = 10
IFLA_OPERSTATE = 16
IFLA_LINKINFO = 18
IFLA_AF_SPEC = 26
IFLA_GROUP = 27
IFLA_NET_NS_FD = 28
IFLA_NUM_TX_QUEUES = 31
IFLA_NUM_RX_QUEUES = 32
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2
IFLA_INFO_SLAVE_KIND = 4
IFLA_INFO_SLAVE_DATA = 5
IFLA_BRPORT_STATE = 1
IFLA_BRPORT_MODE = 4
VETH_INFO_PEER = 1
IFLA_VXLAN_LINK = 3
IFLA_INET6_CONF = 2
IFA_ADDRESS = 1
IFA_LOCAL = 2
IFA_FLAGS = 8
RTA_DST = 1
RTA_OIF = 4
RTA_GATEWAY = 5
RTA_PREFSRC = 7
RTA_METRICS = 8
RTAX_MTU = 2
NDA_DST = 1
NDA_LLADDR = 2

# States of a link (IFLA_OPERSTATE), by name.
OPER_UNKNOWN = 0
OPER_UP = 6

# Headers, and what a message begins with, as struct formats in native byte order.
NLMSGHDR = "=IHHII"
NLATTR = "=HH"
NLMSGERR = "=i"
IFINFOMSG = "=BxHiII"
IFADDRMSG = "=BBBBI"
RTMSG = "=BBBBBBBBI"
NDMSG = "=BxxxiHBB"

# Where a link's own settings stand among those of its family, counted from 0.
IPV4_FORWARDING = 0
IPV6_FORWARDING = 0
IPV6_DISABLE_IPV6 = 26

# The options that netlab sets of each kind of link: the attribute's number, and how its value is packed.
LINK_OPTIONS = {
    "bridge": {
        "forward_delay": (1, "uint32"),
        "stp_state": (5, "uint32"),
        "mcast_snooping": (23, "uint8"),
    },
    "vxlan": {
        "id": (1, "uint32"),
        "local": (4, "ip4addr"),
        "learning": (7, "uint8"),
        "dstport": (15, "be16"),
        "local6": (17, "ip6addr"),
    },
    "macvlan": {
        "mode": (1, "uint32"),
    },
    "ipip": {
        "local": (2, "ip4addr"),
    },
}
