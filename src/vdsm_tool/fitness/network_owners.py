# SPDX-License-Identifier: GPL-2.0-or-later
"""Who else sets up vdsm's NICs: NetworkManager, systemd-networkd, ifupdown, DHCP clients.

Two owners of a NIC undo each other's work. Files say what each of them owns: NetworkManager(8)
keeps the state of devices below /run, and so does networkd; ifupdown has interfaces(5). While vdsm
has no networks yet, every NIC is one that it may be given.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from vdsm_contract.paths import STATE_DIR
from vdsm_tool.finding import Finding, fail, ok, warn
from vdsm_tool.host import Host

_CLASS_NET: Final = "/sys/class/net"
_CONFIGURATIONS: Final = ("staging/netconf", "persistence/netconf")
_PAGE: Final = "see docs/networks.md"

_NM_DEVICES: Final = "/run/NetworkManager/devices"
_NM_MANAGED: Final = re.compile(r"^managed=(true|1)$", re.MULTILINE)

_NETWORKD_LINKS: Final = "/run/systemd/netif/links"
_NETWORKD_STATE: Final = re.compile(r"^ADMIN_STATE=(\S+)$", re.MULTILINE)
_NETWORKD_IDLE: Final = frozenset({"unmanaged", "pending", "initialized", "linger"})
_NETWORKD_CONF: Final = (
    "/usr/lib/systemd/networkd.conf",
    "/etc/systemd/networkd.conf",
    "/usr/lib/systemd/networkd.conf.d/*.conf",
    "/run/systemd/networkd.conf.d/*.conf",
    "/etc/systemd/networkd.conf.d/*.conf",
)
_FOREIGN: Final = ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
_NO: Final = frozenset({"no", "false", "off", "0", "n", "f"})

_IFUP: Final = ("/usr/sbin/ifup", "/sbin/ifup")
_INTERFACES: Final = "/etc/network/interfaces"
_STANZA: Final = re.compile(r"^\s*iface\s+(\S+)\s+inet6?\s+(\S+)", re.MULTILINE)
_IDLE_METHODS: Final = frozenset({"manual", "loopback"})

_DHCP_CLIENTS: Final = frozenset({"dhclient", "dhcpcd", "udhcpc"})
_ALL_DEVICES: Final = frozenset({"[manager]", "[master]"})
"""What dhcpcd(8) calls itself when it was not told for which devices."""
_OUR_CLIENT: Final = "vdsm-dhcp@"
_OTHERS_CLIENTS: Final = ("/NetworkManager.service", "/networking.service", "/ifup@")
"""Units whose clients are told of with them."""
_COMM_LENGTH: Final = 15
"""The kernel keeps that much of a process' name (proc_pid_comm(5))."""


@dataclass(frozen=True)
class _Nics:
    """The NICs that vdsm uses (`configured`), or may be given."""

    names: frozenset[str]
    configured: bool


def network_manager(host: Host) -> Finding:
    """Return whether NetworkManager leaves vdsm's NICs alone."""
    if not _runs(host, "NetworkManager"):
        return ok("NetworkManager", "does not run")
    nics = _nics(host)
    owned = [nic for nic in nics.names if _NM_MANAGED.search(_state(host, _NM_DEVICES, nic))]
    way_out = (
        "In /etc/NetworkManager/conf.d/vdsm.conf, section [keyfile]: "
        f"unmanaged-devices={_joined(owned, 'interface-name:', ';')}; then `systemctl reload "
        f"NetworkManager`; {_PAGE}."
    )
    return _judge("NetworkManager", nics, owned, way_out)


def networkd(host: Host) -> Finding:
    """Return whether systemd-networkd leaves vdsm's NICs alone."""
    if not _runs(host, "systemd-networkd"):
        return ok("networkd", "does not run")
    nics = _nics(host)
    owned = []
    for nic in nics.names:
        state = _NETWORKD_STATE.search(_state(host, _NETWORKD_LINKS, nic))
        if state is not None and state[1] not in _NETWORKD_IDLE:
            owned.append(nic)
    way_out = (
        f"In /etc/systemd/network/00-vdsm.network: [Match] Name={_joined(owned, '', ' ')}, [Link] "
        f"Unmanaged=yes; then `networkctl reload`; {_PAGE}."
    )
    return _judge("networkd", nics, owned, way_out)


def networkd_routes(host: Host) -> Finding:
    """Return whether systemd-networkd leaves the routes and rules of others alone."""
    name = "networkd routes"
    if not _runs(host, "systemd-networkd"):
        return ok(name, "it does not run")
    told = dict.fromkeys(_FOREIGN, "")
    for file in _networkd_configuration(host):
        for line in file.read_text(errors="replace").splitlines():
            key, _, value = (part.strip() for part in line.partition("="))
            if key in told:
                told[key] = value.lower()
    missing = [key for key, value in told.items() if value not in _NO]
    if missing:
        return warn(
            name,
            "it removes rules of source routing when it sets up a link",
            "In /etc/systemd/networkd.conf.d/vdsm.conf, section [Network]: "
            f"{_joined(missing, '', '=no, ')}=no; then restart it; {_PAGE}.",
        )
    return ok(name, "those of others stay")


def ifupdown(host: Host) -> Finding:
    """Return whether ifupdown leaves vdsm's NICs alone."""
    if not any(host.path(program).exists() for program in _IFUP):
        return ok("ifupdown", "is not installed")
    nics = _nics(host)
    texts = [file.read_text(errors="replace") for file in _interfaces_files(host)]
    stanzas = [match for text in texts for match in _STANZA.finditer(text)]
    owned = {
        nic
        for match in stanzas
        if match[2] not in _IDLE_METHODS
        for nic in nics.names
        if re.fullmatch(rf"{re.escape(nic)}(:.*)?", match[1])
    }
    way_out = (
        f"In {_INTERFACES}: `iface {_joined(owned, '', ', ')} inet manual`, or no stanza; without "
        f"`ifdown`, so that the addresses stay until vdsm takes them over; {_PAGE}."
    )
    return _judge("ifupdown", nics, owned, way_out)


def dhcp_clients(host: Host) -> Finding:
    """Return whether no DHCP client but vdsm's own runs for its NICs."""
    nics = _nics(host)
    owned: set[str] = set()
    for command in _clients(host):
        words = set(re.split(r"[\s\0]+", command))
        owned |= nics.names if words & _ALL_DEVICES else nics.names & words
    way_out = f"Disable what starts it, and end it once vdsm has the NIC; {_PAGE}."
    return _judge("DHCP clients", nics, owned, way_out)


def _judge(name: str, nics: _Nics, owned: Iterable[str], way_out: str) -> Finding:
    found = sorted(owned)
    if not found:
        return ok(name, "leaves vdsm's NICs alone" if nics.configured else "owns no NIC")
    if nics.configured:
        return fail(name, f"also owns vdsm's {', '.join(found)}", way_out)
    return warn(name, f"owns {', '.join(found)}, which vdsm may be given", way_out)


def _joined(names: Iterable[str], prefix: str, separator: str) -> str:
    return separator.join(f"{prefix}{name}" for name in sorted(names))


def _runs(host: Host, program: str) -> bool:
    wanted = program[:_COMM_LENGTH]
    return any(comm == wanted for _, comm in _processes(host))


def _processes(host: Host) -> Iterator[tuple[Path, str]]:
    for directory in host.proc.iterdir():
        if not directory.name.isdigit():
            continue
        try:
            yield directory, (directory / "comm").read_text().strip()
        except OSError:
            continue  # it has ended


def _clients(host: Host) -> Iterator[str]:
    """Give the command line of each DHCP client that is not vdsm's or another owner's."""
    for directory, comm in _processes(host):
        if comm not in _DHCP_CLIENTS:
            continue
        try:
            unit = (directory / "cgroup").read_text()
            command = (directory / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if _OUR_CLIENT not in unit and not any(other in unit for other in _OTHERS_CLIENTS):
            yield command


def configured_nics(host: Host) -> frozenset[str]:
    """Return the NICs of the running configuration, or else of the persistent one."""
    for name in _CONFIGURATIONS:
        names = frozenset(_configured(_within(host, STATE_DIR / name)))
        if names:
            return names
    return frozenset()


def _nics(host: Host) -> _Nics:
    names = configured_nics(host)
    if names:
        return _Nics(names, configured=True)
    physical = (path.parent.name for path in host.path(_CLASS_NET).glob("*/device"))
    return _Nics(frozenset(physical), configured=False)


def _within(host: Host, path: Path) -> Path:
    """Follow a link as the host does: vdsm from packages writes absolute ones."""
    link = host.path(path)
    return host.path(path.parent / link.readlink()) if link.is_symlink() else link


def _configured(directory: Path) -> Iterator[str]:
    for kind, key in (("nets", "nic"), ("bonds", "nics")):
        for file in (directory / kind).glob("*"):
            try:
                value = json.loads(file.read_bytes()).get(key)
            except (ValueError, AttributeError):
                continue  # vdsm leaves it out, too, and says so
            names = value if isinstance(value, list) else [value]
            yield from (name for name in names if isinstance(name, str) and name)


def _state(host: Host, directory: str, nic: str) -> str:
    """Return what a daemon notes of a NIC in a file that is named after its index."""
    try:
        index = (host.path(_CLASS_NET) / nic / "ifindex").read_text().strip()
        return (host.path(directory) / index).read_text(errors="replace")
    except FileNotFoundError:
        return ""


def _networkd_configuration(host: Host) -> Iterator[Path]:
    for pattern in _NETWORKD_CONF:
        path = host.path(pattern)
        yield from sorted(file for file in path.parent.glob(path.name) if file.is_file())


def _interfaces_files(host: Host) -> Iterator[Path]:
    main = host.path(_INTERFACES)
    if main.is_file():
        yield main
    yield from sorted(file for file in host.path(f"{_INTERFACES}.d").glob("*") if file.is_file())
