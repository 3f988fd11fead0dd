# SPDX-License-Identifier: GPL-2.0-or-later
"""What supervdsm says of itself, asked over its varlink socket as every caller does."""

from pathlib import Path

from vdsm_contract.errors import ContractError, PeerRefused, VersionMismatch
from vdsm_contract.paths import SUPERVDSM_SOCKET
from vdsm_contract.proxy import Supervdsm
from vdsm_contract.types import HealthReport
from vdsm_contract.version import CONTRACT_VERSION
from vdsm_tool.finding import Finding, fail, ok, unknown, warn

_NAME = "supervdsm"


def read(path: Path = SUPERVDSM_SOCKET, *, contract: str = CONTRACT_VERSION) -> HealthReport:
    """Return supervdsm's report; `contract` is what it is to speak. Raises ContractError."""
    proxy = Supervdsm(path, contract=contract)
    try:
        return proxy.service.health()
    finally:
        proxy.close()


def ask(path: Path = SUPERVDSM_SOCKET) -> tuple[HealthReport | None, Finding]:
    """Return supervdsm's report, None when there is none, and whether it is well."""
    if not path.is_socket():
        way_out = "`systemctl start supervdsm.socket`; inside a container, mount /run."
        return None, fail(_NAME, f"there is no socket {path}", way_out)
    try:
        report = read(path)
    except VersionMismatch as error:
        way_out = "Run vdsm-tool from the image that supervdsm runs."
        return None, fail(_NAME, str(error), way_out)
    except PeerRefused as error:
        return None, unknown(_NAME, str(error), "Run vdsm-tool as root.")
    except ContractError as error:
        way_out = "`journalctl --boot --unit=supervdsm.service --lines=50`."
        return None, fail(_NAME, str(error), way_out)
    return report, judge(report)


def judge(report: HealthReport) -> Finding:
    """Return whether the report is a good one."""
    if report.overdue:
        return fail(
            _NAME,
            f"calls beyond their limit: {', '.join(report.overdue)}",
            "What they wait for: `journalctl --unit=supervdsm.service --grep=FLOW-ID`.",
        )
    if report.draining:
        return warn(
            _NAME, "it is stopping", "The next instance serves new calls; ask again in a moment."
        )
    return ok(
        _NAME,
        f"release {report.release}, contract {report.contract}: {report.calls} calls, "
        f"{report.failures} failed, {report.inFlight} in flight, {report.connections} connections",
    )
