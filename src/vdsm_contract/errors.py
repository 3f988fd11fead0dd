# SPDX-License-Identifier: GPL-2.0-or-later
"""The closed set of errors that supervdsm answers with, and the few that only a caller can see.

An error on the wire is a varlink error: a name and typed fields, never a class path, never a
traceback. Each class here is one such error; its dataclass fields are the fields on the wire.
`code` is the number that oVirt's API gives to the failure (upstream-vdsm 4), used by vdsm for its
own callers.
"""

from dataclasses import dataclass
from typing import ClassVar

SERVICE = "org.ovirt.supervdsm.service"
NETWORK = "org.ovirt.supervdsm.network"
STORAGE = "org.ovirt.supervdsm.storage"
HOST = "org.ovirt.supervdsm.host"


class ContractError(Exception):
    """Base of everything that a call through the contract may raise."""

    code: ClassVar[int] = 100

    def __str__(self) -> str:
        """Return one sentence for a person."""
        return self.__class__.__name__

    def api_code(self) -> int:
        """Return the number that a client of oVirt's API gets."""
        return self.code


class VerbError(ContractError):
    """Base of the errors that travel on the wire. `name` is the varlink error name."""

    name: ClassVar[str]


# --- errors of every verb -----------------------------------------------------------------------


@dataclass(eq=False)
class InvalidArgument(VerbError):
    """An argument is of a wrong type or is not allowed; nothing was changed.

    `field` is the path of the argument in the call, such as `networks.ovirtmgmt.vlan`.
    """

    name: ClassVar[str] = f"{SERVICE}.InvalidArgument"
    code: ClassVar[int] = -32602
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


@dataclass(eq=False)
class Busy(VerbError):
    """Another call holds the lock that this one needs; nothing was changed."""

    name: ClassVar[str] = f"{SERVICE}.Busy"
    code: ClassVar[int] = 40
    lock: str

    def __str__(self) -> str:
        return f"Another call holds the lock {self.lock!r}: try again when it has ended"


@dataclass(eq=False)
class TimedOut(VerbError):
    """The verb did not end within its limit (in seconds); its outcome is unknown."""

    name: ClassVar[str] = f"{SERVICE}.TimedOut"
    limit: float

    def __str__(self) -> str:
        return f"The call did not end within {self.limit:g} s; its outcome is unknown"


@dataclass(eq=False)
class Unexpected(VerbError):
    """The verb failed in a way that nobody declared; `id` finds the traceback in the journal."""

    name: ClassVar[str] = f"{SERVICE}.Unexpected"
    code: ClassVar[int] = -32603
    id: str

    def __str__(self) -> str:
        return f"supervdsm failed unexpectedly and restarts; find {self.id} in its journal"


# --- errors of a connection ---------------------------------------------------------------------


@dataclass(eq=False)
class VersionMismatch(VerbError):
    """The two sides speak different contracts: one of them must be replaced."""

    name: ClassVar[str] = f"{SERVICE}.VersionMismatch"
    server: str
    client: str

    def __str__(self) -> str:
        return (
            f"supervdsm speaks contract {self.server}, vdsm speaks {self.client}: "
            "run both images from one release"
        )


@dataclass(eq=False)
class HelloRequired(VerbError):
    """A call came before Hello; the connection is closed."""

    name: ClassVar[str] = f"{SERVICE}.HelloRequired"

    def __str__(self) -> str:
        return "The first call of a connection must be Hello"


@dataclass(eq=False)
class PeerRefused(VerbError):
    """This process may not talk to supervdsm; the connection is closed."""

    name: ClassVar[str] = f"{SERVICE}.PeerRefused"
    reason: str

    def __str__(self) -> str:
        return f"supervdsm refuses this process: {self.reason}"


@dataclass(eq=False)
class TooManyConnections(VerbError):
    """The peer's uid holds as many connections as it may; this one is closed."""

    name: ClassVar[str] = f"{SERVICE}.TooManyConnections"
    limit: int

    def __str__(self) -> str:
        return f"supervdsm accepts at most {self.limit} connections from this uid"


@dataclass(eq=False)
class BadMessage(VerbError):
    """The message is too large, too slow, or not a varlink call; the connection is closed."""

    name: ClassVar[str] = f"{SERVICE}.BadMessage"
    reason: str

    def __str__(self) -> str:
        return f"Not a varlink call: {self.reason}"


# --- errors of one room -------------------------------------------------------------------------


@dataclass(eq=False)
class MountFailed(VerbError):
    """mount(8), mount.nfs(8) or the kernel refused; nothing is mounted on the target."""

    name: ClassVar[str] = f"{STORAGE}.MountFailed"
    code: ClassVar[int] = 477
    spec: str
    target: str
    status: int
    stderr: str

    def __str__(self) -> str:
        return f"Failed to mount {self.spec} on {self.target}: {self.stderr or self.status}"


@dataclass(eq=False)
class UmountFailed(VerbError):
    """The kernel refused to unmount; the mount is as it was."""

    name: ClassVar[str] = f"{STORAGE}.UmountFailed"
    code: ClassVar[int] = 477
    target: str
    errno: int
    reason: str

    def __str__(self) -> str:
        return f"Failed to unmount {self.target}: {self.reason}"


@dataclass(eq=False)
class AccessDenied(VerbError):
    """The user or its groups may not use the path as asked. `missing` names the permissions."""

    name: ClassVar[str] = f"{STORAGE}.AccessDenied"
    user: str
    path: str
    missing: str

    def __str__(self) -> str:
        return f"User {self.user} has no {self.missing} access to {self.path}"


@dataclass(eq=False)
class SanlockDumpFailed(VerbError):
    """sanlock could not read leases, or what it found there is none."""

    name: ClassVar[str] = f"{STORAGE}.SanlockDumpFailed"
    path: str
    status: int
    stderr: str

    def __str__(self) -> str:
        return f"Failed to read the leases in {self.path}: {self.stderr or self.status}"


@dataclass(eq=False)
class KernelSettingFailed(VerbError):
    """The kernel refused a value in sysfs; `path` names the file."""

    name: ClassVar[str] = f"{HOST}.KernelSettingFailed"
    path: str
    errno: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(eq=False)
class HardwareUnavailable(VerbError):
    """The host offers no such information or facility."""

    name: ClassVar[str] = f"{HOST}.HardwareUnavailable"
    code: ClassVar[int] = 57
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(eq=False)
class NetlinkFailed(VerbError):
    """The kernel refused a netlink request."""

    name: ClassVar[str] = f"{NETWORK}.NetlinkFailed"
    code: ClassVar[int] = -32603
    errno: int
    reason: str

    def __str__(self) -> str:
        return f"netlink: {self.reason}"


@dataclass(eq=False)
class NetworkConfigError(VerbError):
    """The network request is wrong or could not be carried out; the network is as it was.

    `errCode` is oVirt's number (upstream-vdsm 3.3); `field` is the path in the request, such as
    `networks.ovirtmgmt.vlan`, empty when no one field is to blame.
    """

    name: ClassVar[str] = f"{NETWORK}.NetworkConfigError"
    errCode: int  # noqa: N815 - oVirt's name
    field: str
    reason: str

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}" if self.field else self.reason

    def api_code(self) -> int:
        return self.errCode


@dataclass(eq=False)
class NetworkChangeFailed(VerbError):
    """The kernel refused an operation, or did not come to the wanted state.

    `rolledBack` tells whether the state before is back; when it is not, `reason` says what differs
    and the next start of supervdsm tries again.
    """

    name: ClassVar[str] = f"{NETWORK}.NetworkChangeFailed"
    code: ClassVar[int] = -32603
    operation: str
    errno: int
    reason: str
    rolledBack: bool  # noqa: N815

    def __str__(self) -> str:
        end = "the network is as it was" if self.rolledBack else "the network is NOT as it was"
        return f"Failed to {self.operation}: {self.reason}; {end}"


@dataclass(eq=False)
class HookFailed(VerbError):
    """A hook failed; `hook` is its path. Before a change: nothing was changed."""

    name: ClassVar[str] = f"{NETWORK}.HookFailed"
    code: ClassVar[int] = 78
    hook: str
    status: int
    stderr: str

    def __str__(self) -> str:
        return f"Hook {self.hook} failed with status {self.status}: {self.stderr}"


@dataclass(eq=False)
class DeviceUnavailable(VerbError):
    """There is no such device, or it cannot do what was asked; nothing was changed."""

    name: ClassVar[str] = f"{NETWORK}.DeviceUnavailable"
    code: ClassVar[int] = 100
    device: str
    reason: str

    def __str__(self) -> str:
        return f"{self.device}: {self.reason}"


@dataclass(eq=False)
class ServiceFailed(VerbError):
    """A daemon beside supervdsm (DHCP, LLDP) does not do its part; `unit` is its unit."""

    name: ClassVar[str] = f"{NETWORK}.ServiceFailed"
    code: ClassVar[int] = 100
    unit: str
    reason: str

    def __str__(self) -> str:
        return f"{self.unit}: {self.reason}"


# --- what only the caller's side can see --------------------------------------------------------


class SupervdsmDied(ContractError):
    """supervdsm went away after it may have received the call: the outcome is unknown."""

    def __str__(self) -> str:
        return "supervdsm died during the call; its outcome is unknown, and it was not made again"


class SupervdsmTimeout(ContractError):
    """supervdsm did not answer a call that it received; the outcome is unknown."""

    def __str__(self) -> str:
        return "supervdsm did not answer in time; the outcome of the call is unknown"


class SupervdsmUnavailable(ContractError):
    """supervdsm could not be reached in time; the call was not made."""

    code: ClassVar[int] = 40

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"supervdsm cannot be reached ({self.reason}); the call was not made"


class ProtocolError(ContractError):
    """supervdsm answered with something that the contract does not contain."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"supervdsm broke the contract: {self.reason}"


def _subclasses(cls: type[VerbError]) -> list[type[VerbError]]:
    return [cls, *(sub for child in cls.__subclasses__() for sub in _subclasses(child))]


BY_NAME: dict[str, type[VerbError]] = {
    error.name: error for error in _subclasses(VerbError) if error is not VerbError
}
"""Every error of the wire by its varlink name."""

COMMON: tuple[type[VerbError], ...] = (InvalidArgument, Busy, TimedOut)
"""What any verb may answer without declaring it."""
