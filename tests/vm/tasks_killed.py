# SPDX-License-Identifier: GPL-2.0-or-later
"""Tasks on an NFS domain, and a vdsm that is killed in their middle: the VM is the server, so that
it is seen there how far a task has come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from host.disks_at_work import LEAF
from machines import Machine
from storage.engine import RAW, SPARSE, Engine, new_id
from vm import kill_when

MIB: Final = 1 << 20
PATIENCE_S: Final = 60
"""After that vdsm is killed anyhow."""
BOTH: Final = {True, False}
"""Of `Work.goes_on`."""
_GONE: Final = -1


@dataclass(frozen=True)
class Work:
    """A task: the verb that starts it, its name among the tasks, and what is seen in its middle: a
    path among the images, with `data` bytes in it."""

    verb: str
    task: str
    params: dict[str, Any]
    path: str
    data: int = 0

    @property
    def goes_on(self) -> bool:
        """Whether the next SPM brings it to its end when it is half done; else it is undone."""
        return self.task == "deleteImage"


def works(engine: Engine, image: str, volume: str, size: int) -> list[Work]:
    """What is begun in a round: another image is deleted, the volume is copied, one of `size` bytes
    is made."""
    doomed = next((each for each in engine.images() if each != image), None)
    if doomed is None:
        doomed = new_id()
        engine.create_volume(doomed, new_id(), size=size)
    target, copied, new, made = (new_id() for _ in range(4))
    copying = {
        "imageID": image,
        "volumeID": volume,
        "dstSdUUID": engine.domain,
        "dstImgUUID": target,
        "dstVolUUID": copied,
        "desc": "",
        "volType": LEAF,
        "volFormat": RAW,
        "preallocate": SPARSE,
        "postZero": False,
        "force": False,
    }
    deleting = {"imageID": doomed, "postZero": False, "force": False}
    making = engine.new_volume(new, made, size)
    return [
        # Renamed: its new name may be there for an instant only.
        Work("Image.delete", "deleteImage", deleting, doomed, _GONE),
        # With some of the data.
        Work("Volume.copy", "copyImage", copying, f"{target}/{copied}", MIB),
        # With its lease, and without its metadata.
        Work("Volume.create", "createVolume", making, f"{new}/{made}"),
    ]


@contextmanager
def killed_when(host: Machine, pid: int, path: str, data: int) -> Iterator[None]:
    """At the end of the block the process is dead: killed when the file was there with `data`
    bytes (-1: was gone), if it ever was."""
    program = Path(kill_when.__file__).read_text()
    words = map(str, (pid, path, data, PATIENCE_S))
    watcher = host.start("nice", "-n", "-20", "python3", "-c", program, *words)
    assert watcher.stdin is not None
    assert watcher.stdout is not None
    with watcher:
        try:
            assert watcher.stdout.readline() == b"watching\n"
            yield
            assert watcher.stdout.readline() in (b"killed\n", b"late\n")
        finally:
            watcher.stdin.close()
