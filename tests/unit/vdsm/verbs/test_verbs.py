# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs as a client calls them: checked by the schema, run, and encoded."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import pytest

from unit.vdsm.fakes import FakeSupervdsm
from unit.vdsm.verbs.caller import Client
from vdsm.jobs import JobExists, Jobs, JobStatus, JobType
from vdsm.jsonrpc import schema
from vdsm.jsonrpc.errors import JSON, VdsmError
from vdsm.jsonrpc.events import Events
from vdsm.services import Services
from vdsm.verbs import build_table
from vdsm_contract.config import Config
from vdsm_contract.errors import (
    HardwareUnavailable,
    InvalidArgument,
    KernelSettingFailed,
    SupervdsmUnavailable,
)
from vdsm_contract.types import KsmTuning

JOB = "11111111-2222-3333-4444-555555555555"
POOL = "00000000-0000-0000-0000-000000000000"


def test_every_verb_is_in_the_api(client: Client) -> None:
    assert set(client.table) <= set(schema.load().verbs)


def test_building_the_table_touches_nothing(tmp_path: Path) -> None:
    supervdsm = FakeSupervdsm(tmp_path)
    build_table(Services(Config(), supervdsm, Events()))
    assert supervdsm.fake_host.hardware_calls == 0
    assert supervdsm.fake_storage.calls == []


def test_each_ping_counts_as_a_client_that_was_seen(client: Client) -> None:
    assert client.services.clients.last is None
    for verb in ("ping", "ping2", "confirmConnectivity"):
        before = client.services.clients.last or 0.0
        assert client.call(f"Host.{verb}") is True
        assert (client.services.clients.last or 0.0) > before, verb


def test_echo(client: Client) -> None:
    assert client.call("Host.echo", message="żółw\0") == "żółw\0"


def test_capabilities_know_the_connection(client: Client) -> None:
    caps = client.call("Host.getCapabilities")
    assert isinstance(caps, dict)
    assert (caps["lastClientIface"], caps["lastClient"]) == ("ovirtmgmt", "203.0.113.9")


def test_network_verbs(client: Client) -> None:
    caps = client.call("Host.getNetworkCapabilities")
    assert isinstance(caps, dict)
    assert caps["netConfigDirty"] == "False"
    assert isinstance(caps["nics"], dict)
    assert "permhwaddr" not in json.dumps(caps["nics"]), "what is not set is left out"
    assert client.call("Host.getNetworkStatistics")


def test_statistics(client: Client) -> None:
    stats = client.call("Host.getStats")
    assert isinstance(stats, dict)
    assert stats["vmCount"] == 0


def test_no_supervdsm_is_an_error_of_its_own(client: Client) -> None:
    client.supervdsm.fake_network.error = SupervdsmUnavailable("refused")
    for verb in ("getCapabilities", "getStats", "getNetworkCapabilities", "getNetworkStatistics"):
        assert client.code(f"Host.{verb}") == 40


def test_hardware_info(client: Client) -> None:
    client.supervdsm.fake_host.hardware_error = HardwareUnavailable("no DMI")
    assert client.code("Host.getHardwareInfo") == 57
    client.supervdsm.fake_host.hardware_error = None
    assert client.call("Host.getHardwareInfo") == {
        "systemUUID": "4c4c4544-0000-1111-2222-333344445555"
    }


def test_ksm_tuning(client: Client) -> None:
    host = client.supervdsm.fake_host
    assert client.call("Host.setKsmTune", tuningParams={"run": 1, "pages_to_scan": "64"}) is True
    assert host.tuned == [KsmTuning(run=1, pages_to_scan=64)]
    host.error = KernelSettingFailed("/sys/kernel/mm/ksm/run", 22, "Invalid argument")
    assert client.code("Host.setKsmTune", tuningParams={"run": 1}) == 71
    host.error = InvalidArgument("tuning.run", "must be 0, 1 or 2")
    assert client.code("Host.setKsmTune", tuningParams={"run": 7}) == -32602
    assert client.code("Host.setKsmTune", tuningParams={"run": "on"}) == -32602
    assert client.code("Host.setKsmTune", tuningParams={"walk": 1}) == -32602
    assert len(host.tuned) == 1


def test_log_level(client: Client) -> None:
    logger, root = logging.getLogger("vdsm.verbs.host"), logging.getLogger()
    before, root_before = logger.level, root.level
    try:
        assert client.call("Host.setLogLevel", level="DEBUG", name="vdsm.verbs.host") is True
        assert logger.level == logging.DEBUG
        assert client.call("Host.setLogLevel", level="WARN") is True
        assert root.level == logging.WARNING
    finally:
        logger.setLevel(before)
        root.setLevel(root_before)
    assert client.code("Host.setLogLevel", level="LOUD") == -32602
    assert client.code("Host.setLogLevel", level="INFO", name="no.such\nlogger") == -32602
    assert "no.such\nlogger" not in logging.root.manager.loggerDict


@pytest.mark.parametrize(
    ("verb", "params"),
    [
        ("getVMList", {}),
        ("getVMList", {"fullStatus": "true", "vmList": [JOB], "onlyUUID": False}),
        ("getVMFullList", {"vmList": []}),
        ("getAllVmStats", {}),
    ],
)
def test_there_are_no_vms(client: Client, verb: str, params: dict[str, JSON]) -> None:
    assert client.call(f"Host.{verb}", **params) == []


@dataclass
class Copy:
    """A job that copies a disk."""

    id: str = JOB
    job_type: JobType = JobType.STORAGE
    status: JobStatus = JobStatus.FAILED
    description: str = "copy_data"
    progress: int | None = 40
    error: tuple[int, str] | None = (201, "Volume does not exist")


def test_jobs_by_type_and_id(client: Client) -> None:
    assert client.call("Host.getJobs") == {}
    client.services.jobs.add(Copy())
    info = {
        "id": JOB,
        "job_type": "storage",
        "status": "failed",
        "description": "copy_data",
        "progress": 40,
        "error": {"code": 201, "message": "Volume does not exist"},
    }
    assert client.call("Host.getJobs") == {JOB: info}
    assert client.call("Host.getJobs", job_type="storage", job_ids=[JOB]) == {JOB: info}
    assert client.call("Host.getJobs", job_type="v2v") == {}
    assert client.call("Host.getJobs", job_ids=[]) == {}
    assert client.call("Host.getJobs", job_ids=[POOL]) == {}
    assert client.code("Host.getJobs", job_type="other") == -32602


def test_a_job_is_registered_once() -> None:
    jobs = Jobs()
    jobs.add(Copy(progress=None, error=None))
    with pytest.raises(JobExists):
        jobs.add(Copy())
    assert jobs.info()[JOB] == {
        "id": JOB,
        "job_type": "storage",
        "status": "failed",
        "description": "copy_data",
    }
    jobs.remove(JOB)
    assert jobs.info() == {}
    with pytest.raises(KeyError):
        jobs.remove(JOB)


def _storage(client: Client, verb: str, kind: JSON, *connections: JSON) -> JSON:
    params: list[JSON] = [{"id": JOB, "connection": one} for one in connections]
    return client.call(
        f"StoragePool.{verb}", storagepoolID=POOL, domainType=kind, connectionParams=params
    )


def test_storage_statuses_name_their_connections(client: Client) -> None:
    # The mount point is the host's own /rhev: supervdsm of the test refuses before it is used.
    assert _storage(client, "connectStorageServer", "NFS", "server:/a/..", "") == [
        {"id": JOB, "status": 1000},
        {"id": JOB, "status": 1000},
    ]
    assert _storage(client, "disconnectStorageServer", 1, "..") == [{"id": JOB, "status": 1000}]
    assert client.supervdsm.fake_storage.calls == []


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ISCSI", 44),
        (2, 44),
        ("7", 44),
        ("CIFS", 44),
        ("UNKNOWN", -32602),
        ("nfs", -32602),
        (9, -32602),
        (None, -32602),
    ],
)
def test_storage_that_is_not_connected_here(client: Client, kind: JSON, code: int) -> None:
    for verb in ("connectStorageServer", "disconnectStorageServer"):
        with pytest.raises(VdsmError) as raised:
            _storage(client, verb, kind, "server:/a")
        assert raised.value.code == code


@pytest.mark.parametrize("connection", [None, 7, ["server:/a"], {"path": "/a"}])
def test_a_connection_that_is_no_text(client: Client, connection: JSON) -> None:
    with pytest.raises(VdsmError) as raised:
        _storage(client, "connectStorageServer", "NFS", connection)
    assert raised.value.code == -32602
