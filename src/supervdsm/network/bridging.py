# SPDX-License-Identifier: GPL-2.0-or-later
"""The options of a bridge: the one table of their names in sysfs and their netlink attributes.

Source: net/bridge/br_sysfs_br.c, br_netlink.c, <linux/if_link.h>. Both give the same numbers: times
are in hundredths of a second (USER_HZ). No I/O.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


class Type(enum.Enum):
    """How an option's netlink attribute carries it."""

    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    BE16 = "u16, big-endian"
    MAC = "6 bytes"


@dataclass(frozen=True, slots=True)
class Option:
    """An option. `name` is its file below sysfs' `bridge`, `attribute` its IFLA_BR_*."""

    name: str
    attribute: int
    type: Type
    time: bool = False
    """The kernel keeps it as a number of its clock's ticks: what is read may be one less than what
    was set (12501 becomes 12500 where it ticks 250 times a second)."""


# In the order in which the kernel takes them from one netlink message.
_TABLE: Final = (
    Option("forward_delay", 1, Type.U32, time=True),
    Option("hello_time", 2, Type.U32, time=True),
    Option("max_age", 3, Type.U32, time=True),
    Option("ageing_time", 4, Type.U32, time=True),
    Option("stp_state", 5, Type.U32),
    Option("priority", 6, Type.U16),
    Option("vlan_filtering", 7, Type.U8),
    Option("vlan_protocol", 8, Type.BE16),
    Option("default_pvid", 39, Type.U16),
    Option("vlan_stats_enabled", 41, Type.U8),
    Option("vlan_stats_per_port", 45, Type.U8),
    Option("group_fwd_mask", 9, Type.U16),
    Option("group_addr", 20, Type.MAC),
    Option("multicast_router", 22, Type.U8),
    Option("multicast_snooping", 23, Type.U8),
    Option("multicast_query_use_ifaddr", 24, Type.U8),
    Option("multicast_querier", 25, Type.U8),
    Option("hash_elasticity", 26, Type.U32),
    Option("hash_max", 27, Type.U32),
    Option("multicast_last_member_count", 28, Type.U32),
    Option("multicast_startup_query_count", 29, Type.U32),
    Option("multicast_last_member_interval", 30, Type.U64, time=True),
    Option("multicast_membership_interval", 31, Type.U64, time=True),
    Option("multicast_querier_interval", 32, Type.U64, time=True),
    Option("multicast_query_interval", 33, Type.U64, time=True),
    Option("multicast_query_response_interval", 34, Type.U64, time=True),
    Option("multicast_startup_query_interval", 35, Type.U64, time=True),
    Option("multicast_stats_enabled", 42, Type.U8),
    Option("multicast_igmp_version", 43, Type.U8),
    Option("multicast_mld_version", 44, Type.U8),
    Option("nf_call_iptables", 36, Type.U8),
    Option("nf_call_ip6tables", 37, Type.U8),
    Option("nf_call_arptables", 38, Type.U8),
)

OPTIONS: Final[Mapping[str, Option]] = {option.name: option for option in _TABLE}
"""The options by name. One without an attribute of its own (`no_linklocal_learn`, `flush`) is not
here and goes by sysfs."""
