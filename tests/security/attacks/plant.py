# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH103, PTH208, PTH211
"""Fills a directory of vdsm's tree with things that are not what they seem, as uid 36 can.

stdin: {"directory", "target"}; both are made.
"""

import json
import os
import socket
import sys


def main():
    config = json.load(sys.stdin)
    directory = config["directory"]
    os.makedirs(directory, exist_ok=True)
    os.makedirs(config["target"], exist_ok=True)
    for name, target in {
        "link": "/host/etc",
        "mount": "/host/srv/attack-mounted",
        "up": "../../../..",
        "magic": "/proc/self/root",
        "loop": "loop",
        "dangling": "/nowhere",
    }.items():
        os.symlink(target, f"{directory}/{name}")
    open(f"{directory}/file", "w").close()
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(f"{directory}/socket")
    json.dump(sorted(os.listdir(directory)), sys.stdout)


if __name__ == "__main__":
    main()
