# SPDX-License-Identifier: GPL-2.0-or-later
"""The DHCP clients: dhcpcd(8) for one device each, in a unit that supervdsm starts and stops.

A client belongs to systemd, not to us: it keeps its lease while supervdsm is down, and comes back
by itself after a crash. What it shall do stands in its wish (`wishes.py`); what it was told, in its
lease (`leases.py`). `dhcp_client.py` and `dhcp_hook.py` are what runs inside of the unit.
"""

import hashlib
import hmac
import logging
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from supervdsm.common import host_file
from supervdsm.network.plan.state import Dhcp
from supervdsm.network.services.host_systemd import HostSystemd
from supervdsm.network.services.leases import Leases
from supervdsm.network.services.wishes import Wish, Wishes, instance_name
from supervdsm.network.transaction import durable
from vdsm_contract import paths
from vdsm_contract.errors import ServiceFailed

_log = logging.getLogger(__name__)

STATE: Final = paths.STATE_DIR / "dhcp"
"""dhcpcd's own directory (/var/lib/dhcpcd in the clients' containers): leases and the DUID."""

_POLL_SECONDS: Final = 0.1
_DUID_TYPE_UUID: Final = "00:04"
"""RFC 6355."""
_DUID_KEY: Final = b"vdsm DHCP unique identifier"


class Launcher(Protocol):
    """What runs the clients, by their instance names."""

    def restart(self, instance: str) -> None:
        """Start a client, anew when it runs. Raises ServiceFailed when it fails at once."""

    def stop(self, instance: str) -> None:
        """End a client. Raises ServiceFailed."""

    def started(self) -> Collection[str]:
        """Return the clients that run. Raises ServiceFailed."""


class Units:
    """Runs each client in a unit `vdsm-dhcp@INSTANCE.service` of the host."""

    _PREFIX: Final = "vdsm-dhcp@"
    _SUFFIX: Final = ".service"

    def __init__(self, systemd: HostSystemd | None = None) -> None:
        self._systemd = systemd or HostSystemd()

    def restart(self, instance: str) -> None:
        """See `Launcher`."""
        self._systemd.restart(self._unit(instance), f"vdsm-dhcp-{instance}")

    def stop(self, instance: str) -> None:
        """See `Launcher`."""
        self._systemd.stop(self._unit(instance))

    def started(self) -> Collection[str]:
        """See `Launcher`."""
        found = self._systemd.started(self._unit("*"))
        return [unit.removeprefix(self._PREFIX).removesuffix(self._SUFFIX) for unit in found]

    def _unit(self, instance: str) -> str:
        return f"{self._PREFIX}{instance}{self._SUFFIX}"


class DhcpClients:
    """The DHCP clients of this host.

    `state` is dhcpcd's directory, `proc` is procfs and `host_root` the host's root tree.
    """

    def __init__(
        self,
        launcher: Launcher | None = None,
        wishes: Wishes | None = None,
        leases: Leases | None = None,
        state: Path = STATE,
        proc: Path = Path("/proc"),
        host_root: Path = paths.HOST_ROOT,
    ) -> None:
        self._launcher = launcher or Units()
        self.wishes = wishes or Wishes()
        self.leases = leases or Leases()
        self._state = state
        self._proc = proc
        self._host_root = host_root

    def running(self) -> dict[str, Dhcp]:
        """Return what the clients that run shall do, by device.

        One that should have ended already is told to do nothing. Without a client this costs the
        reading of a directory. Raises ServiceFailed.
        """
        wishes = self.wishes.all()
        if not wishes:
            return {}
        started = set(self._launcher.started())
        return {wish.device: wish.dhcp for instance, wish in wishes.items() if instance in started}

    def start(self, device: str, dhcp: Dhcp) -> None:
        """Start the client of `device`, unless it runs with this wish. Does not wait for a lease.

        One that runs with another wish is started anew, and keeps its addresses meanwhile where it
        is to have them. Raises ServiceFailed when it ends at once, and OSError.
        """
        instance = instance_name(device)
        before = self.running().get(device)
        if before == dhcp:
            return
        if before is not None and (before.ipv4 > dhcp.ipv4 or before.ipv6 > dhcp.ipv6):
            self.stop(device)
            before = None
        if before is None:
            self.leases.forget(instance)
        self._give_identity()
        self._promote_secondaries(device)
        self.wishes.write(instance, Wish(device, dhcp))
        try:
            self._launcher.restart(instance)
        except ServiceFailed:
            with suppress(ServiceFailed):
                self._end(instance)
            raise

    def stop(self, device: str) -> None:
        """End the client of `device`, if it has one: it gives its leases back and takes their
        addresses and routes away. Raises ServiceFailed and OSError.
        """
        instance = instance_name(device)
        if instance in self.wishes.all():
            self._end(instance)
            self._restore_link_local(device)

    def bound(self, device: str) -> bool:
        """Tell whether the client of `device` has all the leases that it shall get. Raises
        OSError.
        """
        wish = self.wishes.all().get(instance_name(device))
        return wish is not None and self._is_bound(wish)

    def wait(self, limit: float) -> list[str]:
        """Wait until all clients have their leases, `limit` seconds at most; return the devices of
        those that have not. Raises OSError.

        For a boot: what needs the network starts after us.
        """
        end = time.monotonic() + limit
        while waiting := [
            wish.device for wish in self.wishes.all().values() if not self._is_bound(wish)
        ]:
            if time.monotonic() > end:
                break
            time.sleep(_POLL_SECONDS)
        return waiting

    def _is_bound(self, wish: Wish) -> bool:
        told = self.leases.read(instance_name(wish.device))
        return bool(
            (told.ipv4.address or not wish.dhcp.ipv4) and (told.ipv6.address or not wish.dhcp.ipv6)
        )

    def _end(self, instance: str) -> None:
        self.wishes.leave(instance)
        self._launcher.stop(instance)
        self.leases.forget(instance)
        self.wishes.forget(instance)

    def _give_identity(self) -> None:
        """Make the DHCPv6 identity of this host, unless it has one.

        dhcpcd would take the firmware's UUID, which whole series of boards share. Ours comes from
        machine-id(5), by a keyed hash as that page asks, and is the same for all clients however
        many start at once.
        """
        path = self._state / "duid"
        if path.exists():
            return
        try:
            machine_id = host_file.read_text(self._host_root, "/etc/machine-id").strip()
        except OSError as error:
            _log.warning("This host's DUID is left to dhcpcd: %s", error)
            return
        self._state.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hmac.digest(_DUID_KEY, machine_id.encode(), hashlib.sha256)[:16]
        # The clients write here, too: no link of theirs is followed.
        durable.replace(path, f"{_DUID_TYPE_UUID}:{digest.hex(':')}\n".encode())

    def _promote_secondaries(self, device: str) -> None:
        """Set what dhcpcd insists on, and could not set in its container: when an address goes, the
        next one of its subnet stays.
        """
        path = self._proc / "sys/net/ipv4/conf" / device / "promote_secondaries"
        if path.exists() and path.read_text().strip() == "0":
            path.write_text("1")

    def _restore_link_local(self, device: str) -> None:
        """Let the kernel make link-local addresses again: dhcpcd turns that off for DHCPv6, and
        leaves it so.
        """
        conf = self._proc / "sys/net/ipv6/conf"
        try:
            default = (conf / "default/addr_gen_mode").read_text()
            if (conf / device / "addr_gen_mode").read_text() != default:
                (conf / device / "addr_gen_mode").write_text(default)
        except FileNotFoundError:
            return  # The device is gone, or there is no IPv6.
