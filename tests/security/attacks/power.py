# SPDX-License-Identifier: GPL-2.0-or-later
"""Mounts a directory that holds a set-id program `suid` and a device node `null`, and tries to use
them.

stdin: {"socket", "contract", "source", "target"}. Prints how each step ended.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from varlink import Connection


def tried(function, *arguments):
    """Return how a call ended."""
    try:
        function(*arguments)
    except OSError as error:
        return type(error).__name__
    return "ok"


def main():
    config = json.load(sys.stdin)
    source, target = config["source"], Path(config["target"])
    target.mkdir()
    connection = Connection(config["socket"], config["contract"])
    what = {"fsSpec": source, "fsFile": str(target), "vfsType": "none"}
    report = {
        "mount": connection.call("storage.Mount", **what)[0],
        "set-id program": tried(subprocess.run, [str(target / "suid")]),
        "device node": tried(os.open, target / "null", os.O_RDWR),
        "umount": connection.call("storage.Umount", fsFile=str(target))[0],
    }
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()
