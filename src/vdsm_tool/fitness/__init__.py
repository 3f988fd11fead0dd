# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether a host is fit for the pair: one module for each area, one function for each finding."""

from collections.abc import Callable
from typing import Final

from vdsm_tool.finding import Finding
from vdsm_tool.fitness import containers, host_ids, kernel, network_owners, places
from vdsm_tool.host import Host

CHECKS: Final[tuple[Callable[[Host], Finding], ...]] = (
    containers.systemd,
    containers.podman,
    containers.quadlet,
    containers.control_groups,
    containers.package_installation,
    kernel.calls,
    kernel.peer_pidfd,
    kernel.overlay,
    kernel.bridge,
    kernel.bonding,
    kernel.vlan,
    kernel.nfs,
    kernel.kvm,
    host_ids.vdsm_user,
    host_ids.kvm_group,
    places.propagation,
    places.port,
    places.certificates,
    places.clock,
    network_owners.network_manager,
    network_owners.networkd,
    network_owners.networkd_routes,
    network_owners.ifupdown,
    network_owners.dhcp_clients,
)
"""All checks, in the order that they are shown."""
