# SPDX-License-Identifier: GPL-2.0-or-later
"""The arguments of every verb of supervdsm: decoded, and checked by the real policy.

The first byte chooses the verb; the table is walked, and a verb without a row in `POLICIES` is an
error. What a verb would do is left out, what it would be allowed to do is looked at. Oracle:
refused with an error that the verb declares, short and in ASCII, and with nothing changed; or the
arguments are what a second opinion, written here, lets through as well.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import Any
from unittest import mock

import msgspec

from fuzz.target import require
from fuzz.targets import network_request
from supervdsm.host import hugepages, ksm, qemu_conf, setting
from supervdsm.network.apply import numvfs, rp_filter
from supervdsm.policy import paths as path_policy
from supervdsm.policy import sources, users
from supervdsm.policy.mount_options import FORCED, VfsType, mount_options, vfs_type
from supervdsm.server import audit
from supervdsm.server.dispatch import encode_error
from supervdsm.storage import sanlock_direct
from vdsm_contract import interfaces
from vdsm_contract.declare import Interface, Verb
from vdsm_contract.errors import COMMON, InvalidArgument, VerbError
from vdsm_contract.paths import DATA_CENTER

IS_JSON = True
PREFIX = 1
_NOWHERE = Path("/nonexistent/fuzz")
_OPTION = re.compile(r"[a-z0-9_]+(=[A-Za-z0-9._:-]+)?")
_SYSTEM = re.compile(
    r"/(etc|usr|proc|sys|dev|run|root|boot|bin|sbin|lib\w*|var/log|var/lib/vdsm)(/|$)"
)
_NR_HUGEPAGES = re.compile(
    r"/sys/(kernel/mm|devices/system/node/node\d+)/hugepages/[^/]+/nr_hugepages"
)

Arguments = Any


def _below(path: str) -> None:
    """Second opinion on a path below the data center."""
    pure = PurePosixPath(path)
    require(str(pure) == path, "{!r} is not written in the normal way", path)
    require(".." not in pure.parts and "." not in pure.parts, "{!r} leads elsewhere", path)
    require(DATA_CENTER in Path(path).parents, "{!r} is not below {}", path, DATA_CENTER)
    require(path.isprintable() and len(path.encode()) < 4096, "a path for no log")


def _mount(given: Arguments) -> None:
    path_policy.below(given.fs_file, DATA_CENTER, field="fsFile")
    vfs = vfs_type(given.vfs_type, given.fs_spec)
    options = mount_options(given.mnt_opts, vfs)
    if vfs in (VfsType.NFS, VfsType.NFS4):
        sources.nfs_export(given.fs_spec)
        require(given.fs_spec[0] not in "/-", "a source that is no server")
        require("/../" not in f"{given.fs_spec}/", "a source that leads elsewhere")
    elif vfs is VfsType.NONE:
        relative = sources.host_directory(given.fs_spec)
        require(not relative.startswith("/"), "an absolute path")
        require(".." not in relative.split("/"), "a source that leads elsewhere")
        require(not _SYSTEM.match(f"/{relative}"), "{!r} is the system's", relative)
    else:
        sources.device_path(given.fs_spec)
        require(given.fs_spec.startswith("/dev/"), "no device")
        require(".." not in given.fs_spec.split("/"), "a source that leads elsewhere")
    _below(given.fs_file)
    require(options[-3:] == FORCED, "a mount that is not nosuid, nodev, noexec at last")
    require(all(map(_OPTION.fullmatch, options)), "odd options {}", options)
    names = {option.partition("=")[0] for option in options}
    require(not names & {"suid", "dev", "exec", "loop", "remount", "user", "bg"}, "a way to root")


def _umount(given: Arguments) -> None:
    path_policy.below(given.fs_file, DATA_CENTER, field="fsFile")
    _below(given.fs_file)


def _access(given: Arguments) -> None:
    identity = users.identity(given.user, given.groups)
    path_policy.below(given.target_path, DATA_CENTER, field="targetPath")
    _below(given.target_path)
    require(0 not in (identity.uid, identity.gid, *identity.groups), "root")


def _dump(given: Arguments) -> None:
    path_policy.below(given.path, DATA_CENTER, field="path")
    size = sanlock_direct._checked(given.offset, given.size, given.block_size, given.alignment)
    _below(given.path)
    require(0 < size <= sanlock_direct.MAX_SIZE, "a size without end")
    require(given.offset >= 0 and size % given.alignment == 0, "half a lease")


def _ksm(given: Arguments) -> None:
    steps = ksm.steps(given.tuning)
    require(all(0 <= value < 2**32 for _, value in steps), "a number that is too large")
    require({name for name, _ in steps} <= set(given.tuning.__struct_fields__), "another file")


def _hugepages(given: Arguments) -> None:
    kept = {"pages": 7}
    written: list[Path] = []

    def write(file: Path, value: int) -> None:
        written.append(file)
        kept["pages"] = value

    try:
        with mock.patch.multiple(setting, read=lambda _file: kept["pages"], write=write):
            hugepages.allocate(Path("/sys"), given.count, given.path)
    except InvalidArgument:
        require(not written, "refused, and written")
        raise
    require([str(file) for file in written] == [given.path], "another file")
    require(_NR_HUGEPAGES.fullmatch(given.path), "{!r} is no pool", given.path)
    require(0 <= kept["pages"] <= 2**24, "a pool of another size")


def _qemu_conf(given: Arguments) -> None:
    qemu_conf.contains(_NOWHERE, given.key, given.value)
    require("password" not in given.key.lower(), "a secret")


def _networks(given: Arguments) -> None:
    request = network_request.Request(given.networks, given.bondings, given.options)
    network_request.asked(request)


def _numvfs(given: Arguments) -> None:
    numvfs.at_address(_NOWHERE, given.pci_path)


def _rp_filter(given: Arguments) -> None:
    opened: list[str] = []

    def open_(path: Path, _flags: int) -> int:
        opened.append(str(path))
        raise FileNotFoundError(2, "No such file or directory")

    with mock.patch.object(rp_filter, "os", SimpleNamespace(open=open_, O_WRONLY=1, O_CLOEXEC=2)):
        try:
            rp_filter.set_rp_filter(Path("/proc"), given.device, rp_filter.LOOSE)
        finally:
            for path in opened:
                device = path.removeprefix("/proc/sys/net/ipv4/conf/").removesuffix("/rp_filter")
                require(device == given.device, "another file: {}", path)
                require("/" not in device and device not in {"..", ".", "all"}, "no device")


def _nothing(_given: Arguments) -> None:
    """Takes no argument that leads anywhere: only types are checked, or it is a key of a table."""


POLICIES: Mapping[str, Callable[[Arguments], None]] = {
    "service.Hello": _nothing,
    "service.Ping": _nothing,
    "service.Health": _nothing,
    "storage.Mount": _mount,
    "storage.Umount": _umount,
    "storage.Fuser": _umount,
    "storage.ValidateAccess": _access,
    "storage.SanlockDirectDump": _dump,
    "host.GetHardwareInfo": _nothing,
    "host.GetCpuVulnerabilities": _nothing,
    "host.KsmTune": _ksm,
    "host.HugepagesAlloc": _hugepages,
    "host.CheckQemuConfContains": _qemu_conf,
    "network.NetworkCaps": _nothing,
    "network.NetworkStats": _nothing,
    "network.WatchLinks": _nothing,
    "network.SetupNetworks": _networks,
    "network.PlanNetworks": _networks,
    "network.ConfirmConnectivity": _nothing,
    "network.SetSafeNetworkConfig": _nothing,
    "network.RestoreNetworks": _nothing,
    "network.SetPortMirroring": _nothing,
    "network.UnsetPortMirroring": _nothing,
    "network.SetRpFilterLoose": _rp_filter,
    "network.SetRpFilterStrict": _rp_filter,
    "network.ChangeNumvfs": _numvfs,
    "network.GetLldpInfo": _nothing,
}


def _short(verb: Verb) -> str:
    return verb.method.removeprefix("org.ovirt.supervdsm.")


_ROOMS: tuple[type[Interface], ...] = (
    interfaces.Service,
    interfaces.Storage,
    interfaces.Host,
    interfaces.Network,
)
VERBS = tuple(verb for room in _ROOMS for verb in room.VERBS.values())
_DECODERS = {verb.method: msgspec.json.Decoder(verb.parameters) for verb in VERBS}
if {_short(verb) for verb in VERBS} != set(POLICIES):
    raise RuntimeError("verbs without a policy, or the other way round")


def run(data: bytes) -> None:
    verb = VERBS[(data[0] if data else 0) % len(VERBS)]
    try:
        given = _DECODERS[verb.method].decode(data[1:])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    again = _DECODERS[verb.method].decode(msgspec.json.encode(given))
    require(again == given, "{} is read as {}", given, again)
    try:
        POLICIES[_short(verb)](given)
    except verb.promise.errors + COMMON as error:
        check_error(error)


def check_error(error: VerbError) -> None:
    encoded = encode_error(error)
    require(len(encoded) < 16384, "an error of {} bytes", len(encoded))
    require(audit.outcome(error).isascii(), "an error for no log")


def seeds() -> Mapping[str, bytes]:
    numbers = {_short(verb): number for number, verb in enumerate(VERBS)}

    def call(name: str, **arguments: object) -> bytes:
        return bytes([numbers[name]]) + msgspec.json.encode(arguments)

    target = f"{DATA_CENTER}/mnt/server:_export"
    return {
        "hello": call("service.Hello", contract="1", flowId="f"),
        "nfs": call("storage.Mount", fsSpec="server:/export", fsFile=target,
                    mntOpts="soft,timeo=100,vers=4.2,nosharecache", vfsType="nfs"),
        "bind": call("storage.Mount", fsSpec="/srv/data", fsFile=target, mntOpts="ro,bind",
                     vfsType="none"),
        "device": call("storage.Mount", fsSpec="/dev/mapper/a", fsFile=target, vfsType="xfs"),
        "umount": call("storage.Umount", fsFile=target, force=True, lazy=False),
        "fuser": call("storage.Fuser", fsFile=target),
        "access": call("storage.ValidateAccess", user="qemu", groups=["kvm", "sanlock"],
                       targetPath=target, perms=5),
        "dump": call("storage.SanlockDirectDump", path=f"{target}/x/dom_md/leases", offset=1048576,
                     size=2097152, blockSize=4096, alignment=1048576),
        "ksm": call("host.KsmTune", tuning={"run": 1, "pages_to_scan": 64}),
        "hugepages": call("host.HugepagesAlloc", count=5,
                          path="/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"),
        "node": call("host.HugepagesAlloc", count=-5, path="/sys/devices/system/node/node0"
                     "/hugepages/hugepages-1048576kB/nr_hugepages"),
        "qemu": call("host.CheckQemuConfContains", key="spice_tls", value="1"),
        "setup": call("network.SetupNetworks", networks={"n": {"nic": "eth3", "vlan": 9}},
                      bondings={}, options={"connectivityCheck": False}),
        "confirm": call("network.ConfirmConnectivity", seen=1.5),
        "mirror": call("network.SetPortMirroring", network="ovirtmgmt", target="tap0"),
        "rp": call("network.SetRpFilterLoose", device="eth0.5"),
        "numvfs": call("network.ChangeNumvfs", pciPath="0000:03:00.0", numvfs=7),
        "lldp": call("network.GetLldpInfo", devices=["eth0"]),
        "watch": call("network.WatchLinks", cursor="a-1"),
    }  # fmt: skip
