# SPDX-License-Identifier: GPL-2.0-or-later
"""Connects real storage through a real supervdsm, and prints as JSON what was seen.

Usage: unshare --mount --propagation private python storage_scenario.py DIRECTORY

Runs in a mount namespace of its own, which takes every mount with it at the end, however that
comes. The test beside it starts this and judges what it prints.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from supervdsm.storage.room import StorageRoom
from vdsm.host.tree import HostTree
from vdsm.storage.connection_params import Reference
from vdsm.storage.connections import Connections
from vdsm.storage.domain_types import DomainType
from vdsm_contract.proxy import Supervdsm

_VDSM, _KVM = 36, 36


@contextmanager
def loop_device(directory: Path, owner: str) -> Iterator[str]:
    """A loop device with an ext4 file system whose root belongs to `owner` (UID:GID)."""
    image = directory / f"image-{owner.replace(':', '-')}"
    with image.open("wb") as file:
        file.truncate(16 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-E", f"root_owner={owner}", image], check=True)
    found = subprocess.run(
        ["losetup", "--find", "--show", image], check=True, capture_output=True, text=True
    )
    device = found.stdout.strip()
    held = os.open(device, os.O_RDONLY | os.O_CLOEXEC)
    try:
        # While it is held open it only goes away with its last user: also when this one is killed.
        subprocess.run(["losetup", "--detach", device], check=True)
        yield device
    finally:
        os.close(held)


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """The socket that systemd holds on a host: it outlives supervdsm."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.bind(str(path))
        sock.listen(128)
        yield sock


@contextmanager
def supervdsm(sock: socket.socket, data_center: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A supervdsm that serves the socket; killed at the end."""
    start = f"import os; os.dup2({sock.fileno()}, 3); from supervdsm.main import console; console()"
    process = subprocess.Popen(
        [sys.executable, "-c", start, "--data-center", data_center],
        env={**os.environ, "LISTEN_FDS": "1"},
        pass_fds=(sock.fileno(), 3),
        stdout=sys.stderr,  # the result has stdout for itself
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def posixfs(base: Path, data_center: Path) -> dict[str, object]:
    """ext4 on loop devices, with supervdsm killed between connecting and disconnecting."""
    seen: dict[str, object] = {}
    mnt = data_center / "mnt"
    with (
        loop_device(base, f"{_VDSM}:{_KVM}") as device,
        loop_device(base, "0:0") as foreign,
        listening(base / "svdsm.sock") as sock,
    ):
        proxy = Supervdsm(base / "svdsm.sock")
        connections = Connections(proxy.storage, HostTree(), mnt)

        def reference(connection: str, **params: str) -> Reference:
            return Reference("id", connection, {"vfs_type": "ext4", **params})

        good = reference(device)
        with supervdsm(sock, data_center):
            bad = [
                reference("/dev/there-is-none"),
                reference(foreign),
                reference(device, mnt_options="suid"),
                reference(device, vfs_type="proc"),
                reference("/dev/../etc"),
            ]
            seen["connect"] = connections.connect(DomainType.SHAREDFS, [good])
            seen["bad"] = connections.connect(DomainType.SHAREDFS, bad[:2] + bad[4:])
            seen["names"] = sorted(path.name for path in mnt.iterdir())
            seen["again"] = connections.connect(DomainType.SHAREDFS, [good])
        target = mnt / device.replace("/", "_")
        seen["mounted without supervdsm"] = os.path.ismount(target)
        (target / "file").write_text("kept")
        with supervdsm(sock, data_center):
            seen["after a kill"] = connections.connect(DomainType.SHAREDFS, [good])
            seen["file"] = (target / "file").read_text()
            seen["disconnect"] = connections.disconnect([good, reference("/dev/there-is-none")])
            seen["disconnect again"] = connections.disconnect([good])
            seen["bad options"] = connections.connect(DomainType.SHAREDFS, bad[2:4])
        seen["left"] = sorted(path.name for path in mnt.iterdir())
        seen["mounts left"] = str(mnt) in Path("/proc/self/mountinfo").read_text()
        proxy.close()
    return seen


def localfs(base: Path, data_center: Path) -> dict[str, object]:
    """A directory of the host, by supervdsm's own room (a daemon would look below /host)."""
    seen: dict[str, object] = {}
    mnt = data_center / "mnt"
    storage = base / "local_data"
    storage.mkdir()
    connections = Connections(StorageRoom(data_center, Path("/")), HostTree(), mnt)
    reference = Reference("id", str(storage), {})
    seen["of root"] = connections.connect(DomainType.LOCALFS, [reference])
    os.chown(storage, _VDSM, _KVM)
    storage.chmod(0o700)
    seen["closed to qemu"] = connections.connect(DomainType.LOCALFS, [reference])
    seen["left"] = sorted(path.name for path in mnt.iterdir())
    storage.chmod(0o755)
    (storage / "file").write_text("local")
    seen["connect"] = connections.connect(DomainType.LOCALFS, [reference])
    (name,) = (path.name for path in mnt.iterdir())
    seen["name"] = name == str(storage).replace("_", "__").replace("/", "_")
    seen["file"] = (mnt / name / "file").read_text()
    seen["disconnect"] = connections.disconnect([reference])
    seen["gone"] = sorted(path.name for path in mnt.iterdir())
    seen["data stays"] = (storage / "file").read_text()
    return seen


def main() -> None:
    base = Path(sys.argv[1])
    data_center = base / "data-center"
    (data_center / "mnt").mkdir(parents=True)
    print(
        json.dumps({"posixfs": posixfs(base, data_center), "localfs": localfs(base, data_center)})
    )


if __name__ == "__main__":
    main()
