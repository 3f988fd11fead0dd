# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls a front in plain TCP from an address that is not the loopback's: `python -m front.foreign`.

To be run in a network namespace of its own, where 192.0.2.1 (RFC 5737) is put on `lo`. Prints a
line for each address that was tried, with `served` or `closed`.
"""

import subprocess
import sys
from pathlib import Path

from front.manager import Manager
from front.wire import Wire

FOREIGN = "192.0.2.1"


def main() -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", f"{FOREIGN}/32", "dev", "lo"], check=True)
    with Manager(Path(sys.argv[1]), host="") as front:  # "": all addresses
        front.start()
        for host in (FOREIGN, "127.0.0.1"):
            with Wire(front.port, host=host) as wire:
                try:
                    assert wire.ready().call("Host.ping2")["result"] is True
                except (OSError, EOFError):
                    print(host, "closed")
                else:
                    print(host, "served")
        front.wait_for_log(f"Refusing {FOREIGN}")


if __name__ == "__main__":
    main()
