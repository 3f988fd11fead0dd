# SPDX-License-Identifier: GPL-2.0-or-later
"""Host.*: is it there, what is it, how does it do."""

from __future__ import annotations

import logging

import msgspec

from vdsm.host.caps import Capabilities
from vdsm.host.stats import Statistics, Vms
from vdsm.jobs import JobType
from vdsm.jsonrpc.errors import JSON, Code, VdsmError
from vdsm.jsonrpc.registry import Call, Handler, Params
from vdsm.services import Services
from vdsm_contract.errors import HardwareUnavailable, KernelSettingFailed
from vdsm_contract.types import KsmTuning

_LEVELS = {
    "CRITICAL": logging.CRITICAL,
    "CRIT": logging.CRITICAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "WARN": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}

log = logging.getLogger(__name__)


class Host:
    """The verbs of Host."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._caps = Capabilities(services.supervdsm, services.tree, services.config)
        self._stats = Statistics(
            services.supervdsm, services.tree, services.sampler, services.storage.monitors.stats
        )

    def table(self) -> dict[str, Handler]:
        """The verbs that read the host or ask supervdsm."""
        return {
            "Host.getCapabilities": self.get_capabilities,
            "Host.getHardwareInfo": self.get_hardware_info,
            "Host.getNetworkCapabilities": self.get_network_capabilities,
            "Host.getNetworkStatistics": self.get_network_statistics,
            "Host.getStats": self.get_stats,
            "Host.setKsmTune": self.set_ksm_tune,
        }

    def local_table(self) -> dict[str, Handler]:
        """The verbs that wait for nobody: they answer while supervdsm does not."""
        return {
            "Host.confirmConnectivity": self.confirm_connectivity,
            "Host.echo": self.echo,
            "Host.getAllVmStats": self.get_vms,
            "Host.getJobs": self.get_jobs,
            "Host.getVMFullList": self.get_vms,
            "Host.getVMList": self.get_vms,
            "Host.ping": self.confirm_connectivity,
            "Host.ping2": self.confirm_connectivity,
            "Host.setLogLevel": self.set_log_level,
        }

    def confirm_connectivity(self, _call: Call, _params: Params) -> JSON:
        """Records that a client can reach this host; ping and ping2 do the same."""
        self._services.clients.seen()
        return None

    def echo(self, _call: Call, params: Params) -> JSON:
        """Gives the message back."""
        return params["message"]

    def get_capabilities(self, call: Call, _params: Params) -> JSON:
        """oVirt's VdsmCapabilities."""
        return self._caps.read(local=call.local.host, client=call.client.host)

    def get_network_capabilities(self, _call: Call, _params: Params) -> JSON:
        """oVirt's VdsmNetworkCapabilities."""
        return self._caps.network()

    def get_hardware_info(self, _call: Call, _params: Params) -> JSON:
        """What DMI tells of the machine. Code 57 when it tells nothing at all."""
        return self._caps.hardware()

    def get_stats(self, _call: Call, _params: Params) -> JSON:
        """oVirt's HostStats."""
        return self._stats.read(Vms())

    def get_network_statistics(self, _call: Call, _params: Params) -> JSON:
        """oVirt's HostNetworkStatistics."""
        return self._stats.network()

    def get_vms(self, _call: Call, _params: Params) -> JSON:
        """The VMs, in whatever detail: this vdsm cannot run any yet, so that there are none."""
        return []

    def get_jobs(self, _call: Call, params: Params) -> JSON:
        """The jobs, of one type or with certain ids only. -32602 for an unknown type."""
        wanted = params.get("job_type")
        try:
            job_type = None if wanted is None else JobType(wanted)
        except ValueError:
            names = ", ".join(each.value for each in JobType)
            raise VdsmError(Code.INVALID_PARAMS, f"job_type: expected one of {names}") from None
        ids = params.get("job_ids")
        if ids is not None and not isinstance(ids, list):
            raise VdsmError(Code.INVALID_PARAMS, "job_ids: expected an array")
        return self._services.jobs.info(
            job_type, None if ids is None else {one for one in ids if isinstance(one, str)}
        )

    def set_ksm_tune(self, _call: Call, params: Params) -> JSON:
        """Sets KSM; what is left out stays. Code 71 when the kernel refuses, -32602 for a value
        that supervdsm does not let through."""
        try:
            tuning = msgspec.convert(params.get("tuningParams"), KsmTuning)
        except msgspec.ValidationError as error:
            raise VdsmError(Code.INVALID_PARAMS, f"tuningParams: {error}") from None
        try:
            self._services.supervdsm.host.ksm_tune(tuning)
        except (KernelSettingFailed, HardwareUnavailable) as error:
            raise VdsmError(Code.KSM_UPDATE_FAILED, str(error)) from error
        return None

    def set_log_level(self, _call: Call, params: Params) -> JSON:
        """Sets the level of one logger, or of the root. -32602 for a level or logger that there is
        not; a logger is never made, or a client could make them without end."""
        level, name = params.get("level"), params.get("name") or ""
        if not isinstance(level, str) or level not in _LEVELS:
            raise VdsmError(
                Code.INVALID_PARAMS, f"level: expected one of {', '.join(sorted(_LEVELS))}"
            )
        if not isinstance(name, str) or (name and name not in logging.root.manager.loggerDict):
            raise VdsmError(Code.INVALID_PARAMS, f"name: there is no logger {name!r:.100}")
        logging.getLogger(name or None).setLevel(_LEVELS[level])
        log.info("Log level of %s set to %s", name or "the root logger", level)
        return None
