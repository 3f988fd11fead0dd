# SPDX-License-Identifier: GPL-2.0-or-later
"""sanlock's module and daemon in memory, with the answers of sanlock 3.9.5; the vm ring has the
real one. `Storage` is what hosts share, `FakeSanlock` is one host's."""

import errno
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vdsm.storage.locks.binding import Disks, HostRecord, ResourceRecord

HOSTID_BUSY = -262
IDLIVE = -243
NO_LEASE = -223
WRONG_NAME = -227

_SECTOR = 512
_BLOCK_AT = 2002 * _SECTOR
"""Where sanlock keeps the block that a resource has for its users."""


class SanlockException(Exception):
    """errno or sanlock's own number, what failed, why."""


@dataclass
class Storage:
    """Lockspaces: path to {host id: host}; resources: (path, offset) to [name, version, owner]."""

    hosts: dict[str, dict[int, str]] = field(default_factory=dict)
    resources: dict[tuple[str, int], list[Any]] = field(default_factory=dict)


class FakeSanlock:
    SanlockException = SanlockException

    def __init__(self, storage: Storage, name: str) -> None:
        self.storage = storage
        self.name = name
        self.joined: dict[bytes, tuple[int, str]] = {}
        self.pending: dict[bytes, bool | None] = {}
        """What inq_lockspace says for a while instead of the truth."""
        self.inquiries = 0
        self.connections: dict[int, socket.socket] = {}
        self.added: list[dict[str, Any]] = []
        self.blocks: dict[bytes, bytearray] = {}
        """The blocks of the resources that are held with one, by name; written on release."""

    def die(self) -> None:
        """Close all connections, as a daemon that was killed."""
        for theirs in self.connections.values():
            theirs.close()

    def write_lockspace(
        self, lockspace: bytes, path: str, /, *, iotimeout: int, align: int, sector: int
    ) -> None:
        if not Path(path).exists():
            raise SanlockException(
                errno.ENODEV, "Sanlock lockspace write failure", "No such device"
            )
        self.storage.hosts[path] = {}
        self.added.append({"iotimeout": iotimeout, "align": align, "sector": sector})

    def write_resource(
        self,
        lockspace: bytes,
        resource: bytes,
        disks: Disks,
        /,
        *,
        align: int,
        sector: int,
        clear: bool = False,
    ) -> None:
        [disk] = disks
        if not Path(disk[0]).exists():
            raise SanlockException(errno.ENODEV, "Sanlock resource write failure", "No such device")
        with open(disk[0], "r+b") as file:
            file.seek(disk[1])
            file.write(bytes(align))
        self.storage.resources[disk] = [resource, 0, None]
        if clear:
            del self.storage.resources[disk]

    def add_lockspace(
        self, lockspace: bytes, host_id: int, path: str, /, *, iotimeout: int, wait: bool
    ) -> None:
        assert not wait, "a call that nothing can bound"
        assert iotimeout > 0
        if self.pending.get(lockspace, True) is None:
            raise SanlockException(errno.EINPROGRESS, "add", "Operation now in progress")
        if lockspace in self.joined:
            code = errno.EEXIST if self.joined[lockspace][0] == host_id else errno.EINVAL
            raise SanlockException(code, "Sanlock lockspace add failure", os.strerror(code))
        hosts = self.storage.hosts.setdefault(path, {})
        if hosts.get(host_id, self.name) == self.name:
            hosts[host_id] = self.name
            self.joined[lockspace] = (host_id, path)

    def inq_lockspace(self, lockspace: bytes, host_id: int, path: str, /) -> bool | None:
        self.inquiries += 1
        if lockspace in self.pending:
            state = self.pending[lockspace]
            if self.inquiries >= 3:
                del self.pending[lockspace]
            return state
        return self.joined.get(lockspace) == (host_id, path)

    def rem_lockspace(
        self, lockspace: bytes, host_id: int, path: str, /, *, wait: bool, unused: bool
    ) -> None:
        if lockspace not in self.joined:
            raise SanlockException(errno.ENOENT, "remove", "No such file or directory")
        del self.joined[lockspace]
        del self.storage.hosts[path][host_id]
        if not wait:
            self.inquiries = 0
            self.pending[lockspace] = True

    def register(self) -> int:
        ours, theirs = socket.socketpair()
        fd = ours.detach()
        self.connections[fd] = theirs
        return fd

    def acquire(
        self, lockspace: bytes, resource: bytes, disks: Disks, /, *, slkfd: int, lvb: bool = False
    ) -> None:
        [disk] = disks
        found = self.storage.resources.get(disk)
        if found is None:
            raise SanlockException(
                NO_LEASE, "Sanlock resource not acquired", "Lease does not exist"
            )
        if found[0] != resource:
            raise SanlockException(WRONG_NAME, "Sanlock resource not acquired", "name is incorrect")
        if found[2] == self.name:
            raise SanlockException(errno.EEXIST, "Sanlock resource not acquired", "File exists")
        if found[2] is not None:
            raise SanlockException(IDLIVE, "Sanlock resource not acquired", "owned by a live host")
        found[1:] = [found[1] + 1, self.name]
        if lvb:
            with open(disk[0], "rb") as file:
                file.seek(disk[1] + _BLOCK_AT)
                self.blocks[resource] = bytearray(file.read(_SECTOR))

    def release(self, lockspace: bytes, resource: bytes, disks: Disks, /, *, slkfd: int) -> None:
        [disk] = disks
        self.storage.resources[disk][2] = None
        block = self.blocks.pop(resource, None)
        if block is not None:
            with open(disk[0], "r+b") as file:
                file.seek(disk[1] + _BLOCK_AT)
                file.write(block)

    def get_lvb(self, lockspace: bytes, resource: bytes, disks: Disks, size: int, /) -> bytes:
        if resource not in self.blocks:
            raise SanlockException(errno.ENOENT, "Unable to get lvb", "No such file or directory")
        return bytes(self.blocks[resource][:size])

    def set_lvb(self, lockspace: bytes, resource: bytes, disks: Disks, data: bytes, /) -> None:
        if resource not in self.blocks:
            raise SanlockException(errno.ENOENT, "Unable to set lvb", "No such file or directory")
        if len(data) > _SECTOR:
            raise SanlockException(errno.E2BIG, "Unable to set lvb", "Argument list too long")
        self.blocks[resource][: len(data)] = data

    def read_resource(
        self, path: str, offset: int, /, *, align: int, sector: int
    ) -> ResourceRecord:
        if (path, offset) not in self.storage.resources:
            raise SanlockException(NO_LEASE, "Sanlock resource read failure", "does not exist")
        name, version, _ = self.storage.resources[path, offset]
        return {"lockspace": b"", "resource": name, "version": version}

    def read_resource_owners(
        self, lockspace: bytes, resource: bytes, disks: Disks, /, *, align: int, sector: int
    ) -> list[HostRecord]:
        [disk] = disks
        owner = self.storage.resources[disk][2]
        hosts = self.storage.hosts
        ids = [n for every in hosts.values() for n, name in every.items() if name == owner]
        return [
            {"host_id": n, "generation": 1, "timestamp": 1, "io_timeout": 0, "flags": 0}
            for n in ids
        ]
