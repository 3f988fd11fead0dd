# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH101, PTH103, PTH211
"""Swaps a place in vdsm's tree with a link that leads out, all the time, while calls name it.

stdin: {"socket", "contract", "outside", "least", "races"}, and of each race {"verb", "level",
"directory", "most"}. `level` says what is swapped: the last component of the path, or the one above
it. `outside` is what the link leads to, as supervdsm's container sees it. Prints how many calls
ended in what way, and the good answers that are not empty: each of them came from outside. Each
race ends after `most` calls, or once both the link and the place itself were met `least` times.
"""

import collections
import ctypes
import json
import os
import signal
import sys
import time

from varlink import Connection

AT_FDCWD = -100
RENAME_EXCHANGE = 2
PAUSE_S = 50e-6
"""Far shorter than a call: it leaves the other side a processor to run on."""


def swap_forever(first, second):
    """Exchange two names until killed; ends with the one that started it."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = [os.fsencode(name) for name in (first, second)]
    parent = os.getppid()
    rounds = 0
    while True:
        # It fails while something is mounted on one of them.
        libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
        time.sleep(PAUSE_S)
        rounds += 1
        if rounds % 1000 == 0 and os.getppid() != parent:
            os._exit(0)


def prepare(directory, level, outside):
    """Make the place and the link; return both names, and the path that the calls shall use."""
    upper, link = f"{directory}/upper", f"{directory}/link"
    os.makedirs(f"{upper}/t", exist_ok=True)
    open(f"{upper}/t/ids", "w").close()
    os.chmod(f"{upper}/t", 0o700)
    if level == "last":
        os.symlink(f"{outside}/t", f"{upper}/link")
        return f"{upper}/t", f"{upper}/link", f"{upper}/t"
    os.symlink(outside, link)
    return upper, link, f"{upper}/t"


def parameters(verb, path):
    """Return the arguments of a call that names `path`."""
    if verb == "storage.Mount":
        return {"fsSpec": "/srv/attack", "fsFile": path, "vfsType": "none"}
    if verb == "storage.ValidateAccess":
        # Not even vdsm may write to the directory that is inside; all may to the one outside.
        return {"user": "qemu", "groups": [], "targetPath": path, "perms": 7}
    if verb == "storage.SanlockDirectDump":
        return {"path": f"{path}/ids"}
    return {"fsFile": path} | ({"lazy": True} if verb == "storage.Umount" else {})


def race(config, verb, level, directory, most):
    """Call until enough was met; return the outcomes, and what was told of the outside."""
    first, second, path = prepare(directory, level, config["outside"])
    outcomes, told = collections.Counter(), []
    met = {True: 0, False: 0}
    swapper = os.fork()
    if swapper == 0:
        swap_forever(first, second)
    try:
        connection = Connection(config["socket"], config["contract"])
        while sum(met.values()) < most and min(met.values()) < config["least"]:
            name, answer = connection.call(verb, **parameters(verb, path))
            reason = answer.get("reason", answer.get("stderr", ""))
            outcomes[f"{name} {reason}".strip()[:120]] += 1
            met["symbolic link" in reason] += 1
            if name == "ok" and any(answer.values()):
                told.append(answer)
            if verb == "storage.Mount" and name == "ok":
                # The place has one name or the other, and keeps it while it is a mount point.
                for place in (path, path.replace(first, second, 1)):
                    connection.call("storage.Umount", fsFile=place, lazy=True)
    finally:
        os.kill(swapper, signal.SIGKILL)
        os.waitpid(swapper, 0)
    return {"outcomes": outcomes, "told": told[:5]}


def main():
    config = json.load(sys.stdin)
    json.dump([race(config, **each) for each in config["races"]], sys.stdout)


if __name__ == "__main__":
    main()
