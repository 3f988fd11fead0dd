# SPDX-License-Identifier: GPL-2.0-or-later
"""What the switches told the NICs by LLDP: asks lldpd(8), which hears it in a unit of its own.

lldpd hears all the time, since a switch speaks only every 30 s; it says nothing itself. Its client,
which believes it, runs as lldpd's own user.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from supervdsm.common import command
from supervdsm.network.services import lldp_tlvs
from supervdsm.network.services.lldp_tlvs import Heard
from vdsm_contract import paths
from vdsm_contract.errors import ServiceFailed
from vdsm_contract.types import LldpInfo, LldpNeighbour

UNIT: Final = "vdsm-lldpd.service"
SOCKET: Final = paths.RUN_DIR / "lldpd/socket"

_LLDP: Final = "LLDP"
"""Not one of the protocols that are like it."""


class Lldp:
    """The LLDP daemon behind `socket`; `lldpcli` is how to call its client."""

    def __init__(self, socket: Path = SOCKET, lldpcli: Sequence[str] = ("lldpcli",)) -> None:
        self._socket = socket
        self._client = (*lldpcli, "-u", str(socket), "-f", "json0")

    def info(self, devices: Sequence[str], nics: Collection[str]) -> LldpInfo:
        """Return what `devices` heard, or all of `nics` when there are none given. Of several
        neighbours of a NIC it is the first that counts. Raises ServiceFailed.
        """
        listening = {heard.name for heard in self._ask("show", "interfaces")}
        found: dict[str, LldpNeighbour] = {}
        for heard in self._ask("show", "neighbors", "details"):
            if heard.via == _LLDP:
                found.setdefault(heard.name, LldpNeighbour(True, lldp_tlvs.tlvs(heard)))
        return LldpInfo(
            {
                name: found.get(name, LldpNeighbour(name in listening, []))
                for name in devices or sorted(nics)
            }
        )

    def _ask(self, *words: str) -> list[Heard]:
        try:
            owner = self._socket.lstat()
            done = command.run(
                [*self._client, *words], user=owner.st_uid, group=owner.st_gid, extra_groups=()
            )
        except OSError as error:
            raise ServiceFailed(unit=UNIT, reason=str(error)) from error
        if done.status:
            reason = " ".join(done.stderr.split()) or f"lldpcli ended with {done.status}"
            raise ServiceFailed(unit=UNIT, reason=reason)
        try:
            return lldp_tlvs.decode(done.stdout)
        except ValueError as error:
            raise ServiceFailed(unit=UNIT, reason=f"lldpcli: {error}") from error
