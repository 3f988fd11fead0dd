# SPDX-License-Identifier: GPL-2.0-or-later
"""The types of arguments and results. Field names are oVirt's own, as the engine reads them.

Shapes: upstream-vdsm 3.7 (`network_caps`) and 3.8 (`network_stats`), vdsm-api-names (the rest).
A field that may be left out is UNSET then, and does not appear in the answer.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class HelloReply(Struct, frozen=True):
    """Who answers: the contract that it speaks and the release that it is."""

    contract: str
    release: str


class HealthReport(Struct, frozen=True):
    """What supervdsm says of itself. Times are in seconds."""

    contract: str
    release: str
    pid: int
    uptime: float
    draining: bool
    connections: int
    inFlight: int
    calls: int
    failures: int
    overdue: list[str]
    """Calls in flight that are beyond their limit, as `method flow-id`."""


# --- network ------------------------------------------------------------------------------------


class QosCurve(Struct, frozen=True, omit_defaults=True):
    """A service curve of HFSC: rate `m1` for `d` microseconds, then `m2` (bits per second)."""

    m2: int
    m1: int = 0
    d: int = 0


class QosClass(Struct, frozen=True, omit_defaults=True):
    """The three curves of an HFSC class: link share (a weight, without a unit), upper limit, real
    time.
    """

    ls: QosCurve
    ul: QosCurve | UnsetType = UNSET
    rt: QosCurve | UnsetType = UNSET


class HostQos(Struct, frozen=True):
    """Outbound traffic shaping of a network."""

    out: QosClass


class DeviceQos(Struct, frozen=True):
    """Traffic shaping found on a device; `vlan` is -1 for traffic without a tag."""

    hostQos: HostQos
    vlan: int


class Addressing(Struct, kw_only=True):
    """What every device and network says of its addresses.

    `addr` is the primary IPv4 address or empty; `gateway` is empty and `ipv6gateway` is `::` when
    there is none. `mtu` is a decimal string, as the engine expects it.
    """

    addr: str
    netmask: str
    ipv4addrs: list[str]
    """CIDR notation."""
    ipv6addrs: list[str]
    """CIDR notation; link-local addresses are left out."""
    ipv6autoconf: bool
    gateway: str
    ipv6gateway: str
    ipv4defaultroute: bool
    mtu: str
    dhcpv4: bool
    dhcpv6: bool


class Nic(Addressing, kw_only=True):
    """A network interface card. `speed` is in Mbit/s, 0 when it is down or unknown."""

    hwaddr: str
    speed: int
    permhwaddr: str | UnsetType = UNSET
    ad_aggregator_id: str | UnsetType = UNSET
    qos: list[DeviceQos] | UnsetType = UNSET


class Bond(Addressing, kw_only=True):
    """A bond. `opts` holds the options that differ from the mode's defaults, and always the
    mode."""

    hwaddr: str
    slaves: list[str]
    active_slave: str
    opts: dict[str, str]
    switch: str
    speed: int
    ad_aggregator_id: str | UnsetType = UNSET
    ad_partner_mac: str | UnsetType = UNSET
    qos: list[DeviceQos] | UnsetType = UNSET


class Bridge(Addressing, kw_only=True):
    """A bridge. `opts` holds every file of its sysfs directory `bridge`."""

    ports: list[str]
    stp: Literal["on", "off"]
    opts: dict[str, str]


class Vlan(Addressing, kw_only=True):
    """A VLAN device on top of `iface`."""

    iface: str
    vlanid: int


class NetworkInfo(Addressing, kw_only=True):
    """A network that vdsm has set up, as it runs on its device now."""

    iface: str
    bridged: bool
    southbound: str
    switch: str
    vlanid: int | UnsetType = UNSET
    hostQos: HostQos | UnsetType = UNSET
    ports: list[str] | UnsetType = UNSET
    stp: Literal["on", "off"] | UnsetType = UNSET
    interface: str | UnsetType = UNSET


class NetworkCapabilities(Struct):
    """All networks and devices of the host, by name."""

    networks: dict[str, NetworkInfo]
    bondings: dict[str, Bond]
    bridges: dict[str, Bridge]
    nics: dict[str, Nic]
    vlans: dict[str, Vlan]
    nameservers: list[str]
    supportsIPv6: bool


class InterfaceStats(Struct):
    """Counters of a device, as decimal strings; `sampleTime` is seconds since the epoch."""

    name: str
    state: Literal["up", "down"]
    rx: str
    tx: str
    rxErrors: str
    txErrors: str
    rxDropped: str
    txDropped: str
    speed: str
    """Mbit/s; `1000` when the device does not say."""
    duplex: str
    sampleTime: float


class NetworkStatistics(Struct):
    """Counters of all devices, and the packets dropped by all of them together."""

    network: dict[str, InterfaceStats]
    rxDropped: int
    txDropped: int


class NetworkPlan(Struct):
    """What SetupNetworks would do, one sentence for each operation, in their order."""

    operations: list[str]


class ReducedBond(Struct, frozen=True):
    """A bond that came back without some of its NICs: these are not there."""

    bond: str
    missing: list[str]


class RestoreReport(Struct):
    """What RestoreNetworks did. `skipped` is True when this boot has restored already.

    `dropped` maps the networks and bonds that could not be restored to the reason.
    """

    skipped: bool
    restored: list[str]
    dropped: dict[str, str]
    reduced: list[ReducedBond]


class LinkChange(Struct, frozen=True):
    """A device of a network went up or down. `time` is in seconds since the epoch."""

    device: str
    kind: Literal["nic", "bond", "vlan"]
    state: Literal["up", "down"]
    networks: list[str]
    time: float


class LinkChanges(Struct):
    """Changes after the cursor that was asked for. `cursor` is what to ask for next.

    `lost` is True when changes between the two were forgotten, or supervdsm is another one since.
    """

    cursor: str
    changes: list[LinkChange]
    lost: bool


class LldpTlv(Struct, frozen=True, omit_defaults=True):
    """A type-length-value of an LLDP frame, in oVirt's words; `type` is IEEE 802.1AB's number.

    `oui` and `subtype` are those of an organizationally specific one (type 127); numbers, too.
    """

    type: int
    name: str
    properties: dict[str, str]
    oui: int | UnsetType = UNSET
    subtype: int | UnsetType = UNSET


class LldpNeighbour(Struct, frozen=True):
    """What a NIC heard. `enabled` tells whether LLDP runs on the NIC."""

    enabled: bool
    tlvs: list[LldpTlv]


class LldpInfo(Struct):
    """By the name of the NIC."""

    nics: dict[str, LldpNeighbour]


# --- host ---------------------------------------------------------------------------------------


class HardwareInfo(Struct, omit_defaults=True):
    """What DMI tells of the machine. A field that the firmware leaves empty is left out."""

    systemProductName: str | UnsetType = UNSET
    systemUUID: str | UnsetType = UNSET
    systemManufacturer: str | UnsetType = UNSET
    systemVersion: str | UnsetType = UNSET
    systemFamily: str | UnsetType = UNSET
    systemSerialNumber: str | UnsetType = UNSET


class SanlockLease(Struct, frozen=True, omit_defaults=True):
    """A lease as it is on the disk. Offset in bytes; `own` is the host id and `gen` the generation
    of its last owner, which holds it while `timestamp` is not 0; `lver` counts the owners of a
    resource, and a host's lease of its id (whose `resource` is the host's name) has none.
    """

    offset: int
    lockspace: str
    resource: str
    timestamp: int
    own: int
    gen: int
    lver: int | UnsetType = UNSET


class SanlockDump(Struct, frozen=True):
    """The leases of a part of a file, in their order."""

    leases: list[SanlockLease]


class MountUsers(Struct, frozen=True):
    """The processes that use a mount, as the host counts them."""

    pids: list[int]


class CpuVulnerabilities(Struct):
    """The kernel's word on each CPU vulnerability, by its name in capitals, such as MELTDOWN."""

    vulnerabilities: dict[str, str]


class KsmTuning(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Settings of kernel same-page merging; what is left out stays as it is."""

    run: int | UnsetType = UNSET
    merge_across_nodes: int | UnsetType = UNSET
    sleep_millisecs: int | UnsetType = UNSET
    pages_to_scan: int | UnsetType = UNSET


class HugepagesAllocated(Struct):
    """How many huge pages were really added to the pool; negative when it shrank."""

    allocated: int


class QemuConfMatch(Struct):
    """Whether qemu.conf has the asked value."""

    contains: bool
