# SPDX-License-Identifier: GPL-2.0-or-later
# ruff: noqa: PTH108
"""Hands a connection to another process, or takes one over.

stdin: {"socket", "contract", "meet", "role"}. `give` runs in vdsm's container: it connects, and
gives the descriptor away over the socket `meet`. `take` runs outside of it: it calls by that
descriptor, and by a connection of its own; prints how both ended.
"""

import json
import os
import socket
import sys

from varlink import PATIENCE, Connection, Ended


def give(config):
    connection = Connection(config["socket"], config["contract"])
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(config["meet"])
        door.listen()
        print("listening", flush=True)
        other, _ = door.accept()
        with other:
            socket.send_fds(other, [b"x"], [connection.sock.fileno()])
            other.recv(1)
    os.unlink(config["meet"])


def take(config):
    report = {}
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(config["meet"])
        _, fds, _, _ = socket.recv_fds(other, 1, 1)
        taken = Connection.__new__(Connection)
        taken.sock, taken._buffer = socket.socket(fileno=fds[0]), b""
        taken.sock.settimeout(PATIENCE)  # the flag is the description's, which both have
        report["given"] = taken.call("service.Ping")[0]
    own = Connection(config["socket"])
    report["own"], _ = own.answer()
    try:
        own.answer()
    except Ended:
        report["then"] = "ended"
    print(json.dumps(report))


if __name__ == "__main__":
    config = json.loads(sys.stdin.readline())
    {"give": give, "take": take}[config["role"]](config)
