# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system whose server can be dead: an empty directory by FUSE (linux/fuse.h).

A request that a dead server has read and does not answer holds its process in the kernel (state D),
where not even SIGKILL ends it: as a dead NFS server does.
"""

import ctypes
import os
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

_HEADER = struct.Struct("<IIQQIIII")  # fuse_in_header: length, opcode, unique, node, uid, gid, pid
_ANSWER = struct.Struct("<IiQ")  # fuse_out_header: length, -errno, unique
_SILENT = frozenset({2, 36, 42})  # FORGET, INTERRUPT, BATCH_FORGET have no answer
_ENOSYS = 38
_REQUEST_MAX = 1 << 17
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class DeadServer:
    """Mounted on `target` while it is entered; dead and alive again as it is told."""

    def __init__(self, target: Path) -> None:
        self._target = os.fsencode(target)
        self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
        self._lock = threading.Lock()
        self._alive = True
        self._kept: list[bytes] = []
        self.held = threading.Event()
        """Set when the dead server has read a request."""
        options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
        if _libc.mount(b"dead", self._target, b"fuse", 6, options.encode()):
            raise OSError(ctypes.get_errno(), "mount")
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live()
        _libc.umount2(self._target, _MNT_DETACH)

    def die(self) -> None:
        """Answers nothing from now on."""
        with self._lock:
            self._alive = False
            self.held.clear()

    def live(self) -> None:
        """Answers what was asked meanwhile, and all that comes."""
        with self._lock:
            self._alive = True
            kept, self._kept = self._kept, []
        for request in kept:
            self._answer(request)

    def _serve(self) -> None:
        while True:
            try:
                request = os.read(self._device, _REQUEST_MAX)
            except InterruptedError:
                continue
            except OSError:  # ENODEV: unmounted
                return
            with self._lock:
                if not self._alive:
                    self._kept.append(request)
                    self.held.set()
                    continue
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        _, opcode, unique, *_ = _HEADER.unpack_from(request)
        if opcode in _SILENT:
            return
        body, number = _body(opcode, request[_HEADER.size :]), 0
        if body is None:
            body, number = b"", -_ENOSYS
        try:
            os.write(self._device, _ANSWER.pack(_ANSWER.size + len(body), number, unique) + body)
        except OSError:  # ENOENT: who asked was killed before the request was read
            return


def _body(opcode: int, arguments: bytes) -> bytes | None:
    match opcode:
        case 26:  # INIT
            major, minor, readahead, _ = struct.unpack_from("<IIII", arguments)
            return struct.pack(
                "<IIIIHHIIHHI28x", major, min(minor, 31), readahead, 0, 12, 9, 4096, 1, 0, 0, 0
            )
        case 3:  # GETATTR: of the directory, for no time at all
            attributes = struct.pack("<6Q10I", 1, *[0] * 8, 0o40755, 2, *[0] * 5)
            return struct.pack("<QII", 0, 0, 0) + attributes
        case 27:  # OPENDIR
            return struct.pack("<QII", 1, 0, 0)
        case 28 | 29:  # READDIR: no entries; RELEASEDIR
            return b""
    return None
