# SPDX-License-Identifier: GPL-2.0-or-later
"""Carry out the operations of a change, in their order.

Requests that do not wait for each other go to the kernel together. It goes on after one that it
refused, so that of a change that failed, later operations may have been done: whoever undoes it
reads the kernel again.
"""

import errno
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from supervdsm.network.apply import messages, steps
from supervdsm.network.apply.device_files import DeviceFiles
from supervdsm.network.apply.steps import DhcpClients, Step, Tools
from supervdsm.network.kernel.socket import NetlinkSocket, Refusal
from supervdsm.network.plan.operations import CreateDevice, DeleteDevice, Operation
from vdsm_contract import paths
from vdsm_contract.errors import ServiceFailed

BATCH: Final = 100
"""Operations that go to the kernel at once: NetlinkSocket sends so many requests with one system
call, which nothing interrupts."""

_LINE: Final = 1000
"""Characters of a log line with operations, more or less."""

_log: Final = logging.getLogger(__name__)


class OperationFailed(Exception):
    """An operation was not carried out; those before it were, some after it may have been."""

    def __init__(self, operation: Operation, number: int, reason: str) -> None:
        super().__init__(operation, number, reason)
        self.operation = operation
        self.errno = number
        self.reason = reason

    def __str__(self) -> str:
        return f"Failed to {self.operation}: {self.reason}"


class Executor:
    """Changes the network of the namespace that the calling thread is in.

    `sysfs` must be mounted in that namespace; `proc` is procfs and `host_root` the host's root
    tree. At most `batch` operations go to the kernel at once, and for each that is known to be
    done, `after` is called with how many are.
    """

    def __init__(
        self,
        *,
        dhcp: DhcpClients,
        host_root: Path = paths.HOST_ROOT,
        proc: Path = Path("/proc"),
        sysfs: Path = Path("/sys"),
        batch: int = BATCH,
        after: Callable[[int], None] = lambda _: None,
    ) -> None:
        if not 1 <= batch <= BATCH:
            raise ValueError(f"batch must be from 1 to {BATCH}")
        self._dhcp = dhcp
        self._host_root = host_root
        self._proc = proc
        self._sysfs = sysfs
        self._batch = batch
        self._after = after

    def apply(self, operations: Sequence[Operation]) -> None:
        """Carry out all operations. Raises OperationFailed; OSError when there is no netlink."""
        if not operations:
            return
        with NetlinkSocket() as netlink, DeviceFiles(self._proc, self._sysfs) as files:
            run = _Run(netlink, self._batch, self._after)
            tools = Tools(netlink, run.index, files, self._dhcp, self._host_root)
            for part in _parts(operations, self._batch):
                if isinstance(part, list):
                    run.delete_together(part)
                else:
                    run.add(part, tools)
            run.flush()


class _Run:
    """One call of `apply`: what waits to be sent, and the devices that are known."""

    def __init__(self, netlink: NetlinkSocket, batch: int, after: Callable[[int], None]) -> None:
        self._netlink = netlink
        self._batch = batch
        self._after = after
        self._pending: list[tuple[Operation, Step]] = []
        self._moving: set[str] = set()
        """Devices that pending operations make or remove."""
        self._indexes: dict[str, int] = {}
        self._done = 0

    def index(self, name: str) -> int:
        """Return a device's index, as it is when all before is done."""
        if name in self._moving:
            self.flush()
        found = self._indexes.get(name)
        if found is None:
            found = self._indexes[name] = steps.index_of(name)
        return found

    def add(self, operation: Operation, tools: Tools) -> None:
        """Carry out an operation, perhaps later."""
        try:
            step = steps.step(operation, tools)
        except OSError as error:
            self.flush()
            raise _failed(operation, error) from error
        match operation:
            case CreateDevice(device):
                self._moving.add(device.name)
                self._indexes.pop(device.name, None)
            case DeleteDevice(name):
                self._moving.add(name)
                # A device may take others with it: a bond its VLANs.
                self._indexes.clear()
        self._pending.append((operation, step))
        if step.effect is not None or len(self._pending) >= self._batch:
            self.flush()

    def flush(self) -> None:
        """Carry out what is pending."""
        pending, self._pending = self._pending, []
        self._moving.clear()
        if not pending:
            return
        requests = [request for _, step in pending for request in step.requests]
        results = iter(self._send(requests, pending[0][0]))
        done: list[Operation] = []
        try:
            for operation, step in pending:
                for refusal in islice(results, len(step.requests)):
                    if refusal is not None and refusal.errno not in step.fine:
                        raise OperationFailed(operation, refusal.errno, refusal.reason)
                if step.effect is not None:
                    _call(operation, step.effect)
                done.append(operation)
                self._count()
        finally:
            _tell(done)

    def delete_together(self, part: Sequence[DeleteDevice]) -> None:
        """Remove devices with one request: the kernel waits for its readers once for each request.

        They are moved to a group of their own, and that is removed. All of it is one system call:
        a process that is killed leaves no device in the group. Its number is random, so that
        nobody else's device is in it.
        """
        self.flush()
        self._indexes.clear()
        names = [one.name for one in part]
        group = secrets.randbits(31) | 1
        requests = [messages.set_group(name, group) for name in names]
        results = self._send([*requests, messages.delete_group(group)], part[0])
        if any(refusal is not None and refusal.errno != errno.ENODEV for refusal in results):
            # Not all devices can be removed so, or not at all: see which one.
            self._send([messages.set_group(name, 0) for name in names], part[0])
            self._pending = [(one, steps.deletion(one.name)) for one in part]
            self.flush()
            return
        _tell(part)
        for _ in names:
            self._count()

    def _send(self, requests: Sequence[bytes], first: Operation) -> list[Refusal | None]:
        if not requests:
            return []
        try:
            return self._netlink.send_batch(requests)
        except OSError as error:
            raise _failed(first, error) from error

    def _count(self) -> None:
        self._done += 1
        self._after(self._done)


def _tell(done: Sequence[Operation]) -> None:
    """Log what was done, many operations in a line: a change may have thousands."""
    words = [str(operation) for operation in done]
    while words:
        line = [words.pop(0)]
        while words and sum(map(len, line)) + len(words[0]) < _LINE:
            line.append(words.pop(0))
        _log.info("done: %s", "; ".join(line))


def _parts(operations: Sequence[Operation], batch: int) -> Iterator[Operation | list[DeleteDevice]]:
    """Give the operations in their order, deletions that follow each other as lists."""
    deletions: list[DeleteDevice] = []
    for operation in operations:
        if isinstance(operation, DeleteDevice):
            deletions.append(operation)
            if len(deletions) < batch:
                continue
        if deletions:
            yield deletions if len(deletions) > 1 else deletions[0]
            deletions = []
        if not isinstance(operation, DeleteDevice):
            yield operation
    if deletions:
        yield deletions if len(deletions) > 1 else deletions[0]


def _call(operation: Operation, effect: Callable[[], None]) -> None:
    try:
        effect()
    except (OSError, ServiceFailed) as error:
        raise _failed(operation, error) from error


def _failed(operation: Operation, error: OSError | ServiceFailed) -> OperationFailed:
    if isinstance(error, ServiceFailed):
        return OperationFailed(operation, 0, str(error))
    reason = error.strerror or str(error)
    return OperationFailed(operation, error.errno or 0, reason)
