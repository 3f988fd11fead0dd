# SPDX-License-Identifier: GPL-2.0-or-later
"""The header of an image that a user uploaded, and what qemu-img says of one (JSON).

Oracle: BadHeader or a header whose backing file's name is in the bytes; CommandError or a result.
"""

import struct
from collections.abc import Mapping

import msgspec

from fuzz.target import require
from vdsm.storage.volume import qcow2, qemu_img
from vdsm.storage.volume.child import CommandError

IS_JSON = False
MOST = 1280


def run(data: bytes) -> None:
    read_header(data)
    read_answers(data)


def read_header(data: bytes) -> None:
    leads_out = qcow2.leads_out(data)
    try:
        header = qcow2.read_header(data)
    except qcow2.BadHeader:
        require(not leads_out, "a broken header that leads out")
        return
    require(qcow2.is_qcow2(data), "a header of something else")
    backing = header.backing
    if backing is not None:
        require(backing.encode() in data, "a name from nowhere")
        require(len(backing) <= qcow2.MAX_NAME, "too long a name")
    if not leads_out:
        require(not header.external_data, "data elsewhere")
        require(not backing or not backing.startswith("/"), "an absolute path is beside")
        require(not backing or backing.count("/") <= 2, "a path that goes further")
        require(not backing or backing.count("../") <= 1, "a path that goes up twice")


def read_answers(data: bytes) -> None:
    for kind in (qemu_img.CheckResult, qemu_img.Measure, qemu_img._QemuInfo):
        try:
            found = qemu_img._read("info", data, kind)
        except CommandError as error:
            require(len(str(error)) < 1000, "an error that repeats the input")
            continue
        require(msgspec.json.decode(msgspec.json.encode(found), type=kind) == found, "not itself")
    try:
        info = qemu_img._info(data)
    except CommandError:
        return
    require(isinstance(info.virtual_size, int), "no size")


def seeds() -> Mapping[str, bytes]:
    def header(version: int, name: bytes = b"", features: int = 0) -> bytes:
        offset = 112 if name else 0
        head = struct.pack(">4sIQIIQ", b"QFI\xfb", version, offset, len(name), 16, 1 << 30)
        return (head.ljust(72, b"\0") + struct.pack(">Q", features)).ljust(112, b"\0") + name

    info = {
        "virtual-size": 1073741824,
        "filename": "x",
        "format": "qcow2",
        "actual-size": 200704,
        "cluster-size": 65536,
        "backing-filename": "b",
        "backing-filename-format": "raw",
        "format-specific": {
            "type": "qcow2",
            "data": {
                "compat": "1.1",
                "corrupt": False,
                "bitmaps": [{"name": "a", "granularity": 65536, "flags": ["auto"]}],
            },
        },
    }
    return {
        "v2": header(2),
        "v3": header(3),
        "backing": header(3, b"6b3e8a5c-1f0e-4b63-9a37-0d5f3d0a4a11"),
        "image": header(3, b"../6b3e8a5c-1f0e-4b63-9a37-0d5f3d0a4a11/leaf.meta"),
        "out": header(2, b"/etc/shadow"),
        "json": header(3, b'json:{"driver":"raw"}'),
        "data": header(3, features=4),
        "info": msgspec.json.encode(info),
        "check": b'{"image-end-offset":262144,"leaks":0,"corruptions":0,"check-errors":0}',
        "measure": b'{"required":327680,"fully-allocated":1074135040,"bitmaps":0}',
        "deep": b'{"format":"raw","virtual-size":1,"x":' + b"[" * 1200,
    }
