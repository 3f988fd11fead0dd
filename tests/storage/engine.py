# SPDX-License-Identifier: GPL-2.0-or-later
"""What an engine does with the storage of a host, call by call.

`Engine` knows no transport and no test: it is given a function that makes a call, such as
`storage.client.through(machine)` for `vdsm-client` in a test machine.
"""

import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

BLANK = "00000000-0000-0000-0000-000000000000"
RAW, COW = 5, 4
PREALLOCATED, SPARSE = 1, 2
LOCALFS, NFS, POSIXFS = 4, 1, 6
DATA = 1
LEASES = {
    "lockRenewalIntervalSec": 5,
    "leaseTimeSec": 60,
    "ioOpTimeoutSec": 10,
    "leaseRetries": 3,
}

Call = Callable[[str, dict[str, Any]], Any]


class Refused(Exception):
    """The call, or the task that it started, ended with an error."""

    def __init__(self, verb: str, code: int, message: str) -> None:
        super().__init__(f"{verb}: {message} ({code})")
        self.verb, self.code, self.message = verb, code, message


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Engine:
    """One host as an engine sees it, and one storage domain on it."""

    call: Call
    kind: int
    connection: dict[str, Any]
    host_id: int = 1
    pool: str = field(default_factory=new_id)
    domain: str = field(default_factory=new_id)
    connection_id: str = field(default_factory=new_id)
    patience_s: float = 120.0
    poll_s: float = 0.2

    # --- from nothing to an SPM -------------------------------------------------------------------

    def connect_server(self) -> None:
        connection = {"id": self.connection_id, **self.connection}
        [answer] = self.call("StoragePool.connectStorageServer", self._server(connection))
        assert answer["status"] == 0, answer

    def disconnect_server(self) -> None:
        connection = {"id": self.connection_id, **self.connection}
        [answer] = self.call("StoragePool.disconnectStorageServer", self._server(connection))
        assert answer["status"] == 0, answer

    def _server(self, connection: dict[str, Any]) -> dict[str, Any]:
        return {
            "storagepoolID": BLANK,
            "domainType": self.kind,
            "connectionParams": [connection],
        }

    def create_domain(self, version: int = 5, **more: Any) -> None:
        path = self.connection["connection"]
        self.call(
            "StorageDomain.create",
            {
                "storagedomainID": self.domain,
                "domainType": self.kind,
                "typeArgs": {"remotePath": path},
                "name": "data",
                "domainClass": DATA,
                "version": version,
                **more,
            },
        )

    def create_pool(self) -> None:
        """A new pool, whose master is the domain; the domain is attached by that."""
        self.call(
            "StoragePool.create",
            {
                "storagepoolID": self.pool,
                "name": "default",
                "masterSdUUID": self.domain,
                "masterVersion": 1,
                "domainList": [self.domain],
                **LEASES,
            },
        )

    def connect_pool(self, status: str = "active") -> None:
        self.call(
            "StoragePool.connect",
            {
                "storagepoolID": self.pool,
                "hostID": self.host_id,
                "scsiKey": self.pool,
                "masterSdUUID": self.domain,
                "masterVersion": 1,
                "domainDict": {self.domain: status},
            },
        )

    def disconnect_pool(self) -> None:
        self.call(
            "StoragePool.disconnect",
            {"storagepoolID": self.pool, "hostID": self.host_id, "scsiKey": self.pool},
        )

    def spm_start(self) -> None:
        """Becomes SPM, by what the engine read of the former one. Raises Refused."""
        status = self.spm_status()
        task = self.call(
            "StoragePool.spmStart",
            {
                "storagepoolID": self.pool,
                "prevID": status["spmId"],
                "prevLver": str(status["spmLver"]),
                "enableScsiFencing": "false",
                "maxHostID": 250,
                "domVersion": "5",
            },
        )
        self.end(task)

    def spm_status(self) -> dict[str, Any]:
        status = self.call("StoragePool.getSpmStatus", {"storagepoolID": self.pool})
        assert isinstance(status, dict)
        return status

    def spm_stop(self) -> None:
        self.call("StoragePool.spmStop", {"storagepoolID": self.pool})

    def activate(self) -> None:
        self.call(
            "StorageDomain.activate", {"storagedomainID": self.domain, "storagepoolID": self.pool}
        )

    def begin(self) -> None:
        """Everything from the connection to a host that is SPM of a pool with one domain."""
        self.connect_server()
        self.create_domain()
        self.create_pool()
        self.connect_pool()
        self.spm_start()
        self.activate()

    def resume(self) -> None:
        """What an engine does when vdsm has been restarted: the host becomes SPM again."""
        self.connect_server()
        self.connect_pool()
        self.spm_start()

    def finish(self) -> None:
        """Gives up the pool, formats the domain, and leaves nothing mounted."""
        self.spm_stop()
        self.disconnect_pool()
        with suppress(Refused):
            self.call(
                "StorageDomain.detach",
                {"storagedomainID": self.domain, "storagepoolID": self.pool, "force": True},
            )
        self.call("StorageDomain.format", {"storagedomainID": self.domain, "autoDetach": True})
        self.disconnect_server()

    # --- tasks ------------------------------------------------------------------------------------

    def task(self, verb: str, **params: Any) -> str:
        """Starts a task on the SPM; its id."""
        return str(self.call(verb, {"storagepoolID": self.pool, **params}))

    def end(self, task: str) -> None:
        """Waits for a task as an engine does, and clears it. Raises Refused with its error."""
        deadline = time.monotonic() + self.patience_s
        while True:
            status = self.call("Task.getStatus", {"taskID": task})
            if status["taskState"] == "finished":
                break
            assert time.monotonic() < deadline, f"task {task} does not end: {status}"
            time.sleep(self.poll_s)
        self.call("Task.clear", {"taskID": task})
        if status["taskResult"] != "success" or int(status["code"]):
            raise Refused(f"task {task}", int(status["code"]), status["message"])

    def do(self, verb: str, **params: Any) -> None:
        """Starts a task on the domain and waits for its end."""
        self.end(self.task(verb, storagedomainID=self.domain, **params))

    # --- disks ------------------------------------------------------------------------------------

    def create_volume(
        self,
        image: str,
        volume: str,
        *,
        size: int = 1 << 20,
        form: int = RAW,
        allocation: int = SPARSE,
        parent: tuple[str, str] = (BLANK, BLANK),
    ) -> None:
        """`parent` is (image, volume)."""
        self.do("Volume.create", **self.new_volume(image, volume, size, form, allocation, parent))

    @staticmethod
    def new_volume(
        image: str,
        volume: str,
        size: int = 1 << 20,
        form: int = RAW,
        allocation: int = SPARSE,
        parent: tuple[str, str] = (BLANK, BLANK),
    ) -> dict[str, Any]:
        """The parameters of Volume.create but for the domain and the pool."""
        return {
            "imageID": image,
            "volumeID": volume,
            "size": str(size),
            "volFormat": form,
            "preallocate": allocation,
            "diskType": "DATA",
            "desc": "",
            "srcImgUUID": parent[0],
            "srcVolUUID": parent[1],
        }

    def of_volume(self, verb: str, image: str, volume: str, **more: Any) -> Any:
        """A call about one volume, such as Volume.getInfo or Image.prepare."""
        return self.call(
            verb,
            {
                "storagepoolID": self.pool,
                "storagedomainID": self.domain,
                "imageID": image,
                "volumeID": volume,
                **more,
            },
        )

    def volumes(self, image: str) -> list[str]:
        found = self.call(
            "StorageDomain.getVolumes",
            {"storagepoolID": self.pool, "storagedomainID": self.domain, "imageID": image},
        )
        assert isinstance(found, list)
        return found

    def images(self) -> list[str]:
        found = self.call("StorageDomain.getImages", {"storagedomainID": self.domain})
        assert isinstance(found, list)
        return found
