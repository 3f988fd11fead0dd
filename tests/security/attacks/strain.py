# SPDX-License-Identifier: GPL-2.0-or-later
"""Wears supervdsm out in every way at once that a connection offers, and prints how each ended.

stdin: {"socket", "contract"} on a line. When supervdsm has ended all but the last way, waits for a
line; then holds as many connections as it gets until there is another one.
"""

import array
import contextlib
import json
import os
import socket
import sys
import threading

from varlink import PREFIX, Connection, Ended

MANY = 300
MIB = 1 << 20


def last_word(connection):
    """Return the errors that a connection was told before it ended."""
    told = []
    with contextlib.suppress(Ended):
        while True:
            name, fields = connection.answer()
            told.append(f"{name} {fields.get('reason', '')}".strip())
    return told


def slow(config):
    """A message that comes byte by byte and never ends."""
    connection = Connection(config["socket"], config["contract"])
    ended = threading.Event()

    def feed():
        while not ended.wait(0.1):
            with contextlib.suppress(OSError):
                connection.sock.send(b"x")

    feeder = threading.Thread(target=feed)
    feeder.start()
    told = last_word(connection)
    ended.set()
    feeder.join()
    return told


def urgent(config):
    """A message that has begun, and then urgent bytes alone, which a plain read passes over."""
    connection = Connection(config["socket"], config["contract"])
    ended = threading.Event()
    connection.sock.send(b'{"method": "')

    def feed():
        while not ended.wait(0.05):
            try:
                connection.sock.send(b"!", socket.MSG_OOB)
            except OSError:
                return

    feeder = threading.Thread(target=feed)
    feeder.start()
    told = last_word(connection)
    ended.set()
    feeder.join()
    return told


def endless(config):
    """A message without an end, as fast as it goes; also tells how much of it was taken."""
    connection = Connection(config["socket"], config["contract"])
    taken = 0
    with contextlib.suppress(OSError):
        while taken < 64 * MIB:
            taken += connection.sock.send(b"x" * MIB)
    return [*last_word(connection), f"{taken // MIB} MiB"]


def deaf(config):
    """Calls whose answers nobody reads, until the connection is ended."""
    connection = Connection(config["socket"], config["contract"])
    call = json.dumps({"method": PREFIX + "network.NetworkCaps"}).encode() + b"\0"
    sent = 0
    with contextlib.suppress(OSError):
        while True:
            connection.sock.sendall(call)
            sent += 1
    return ["ended"] if sent else []


def descriptors(config):
    """Descriptors in every message: they are not asked for, and must not stay."""
    connection = Connection(config["socket"], config["contract"])
    fds = array.array("i", [os.open("/dev/null", os.O_RDONLY) for _ in range(50)])
    call = json.dumps({"method": PREFIX + "service.Ping"}).encode() + b"\0"
    told = []
    for _ in range(200):
        connection.sock.sendmsg([call], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        told.append(connection.answer()[0])
    return sorted(set(told))


def many(config):
    """As many connections as there may be, and more: how many are served and how many are not."""
    held, served, refused = [], 0, 0
    for _ in range(MANY):
        connection = Connection(config["socket"])
        held.append(connection)
        try:
            name, _fields = connection.call("service.Hello", contract=config["contract"])
        except Ended:
            name = "ended"
        served += name == "ok"
        refused += name == "TooManyConnections"
    # They are held until the machine outside has looked at supervdsm.
    print(json.dumps({"many": {"served": served, "refused": refused}}), flush=True)
    sys.stdin.readline()
    for connection in held:
        connection.close()


def main():
    config = json.loads(sys.stdin.readline())
    ways = (slow, urgent, endless, deaf, descriptors)
    told = {}

    def run(way):
        told[way.__name__] = way(config)

    threads = [threading.Thread(target=run, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(told), flush=True)
    sys.stdin.readline()
    many(config)


if __name__ == "__main__":
    main()
