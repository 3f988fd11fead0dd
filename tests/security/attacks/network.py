# SPDX-License-Identifier: GPL-2.0-or-later
"""Attacks vdsm's port from beside the host, in every way at once; prints how each ended.

`network.py ADDRESS PKI FOREIGN EXPIRED`: directories with the certificates of an engine, of another
authority, and of one whose time is over.
"""

import json
import socket
import ssl
import sys
import threading
import time
from pathlib import Path

PORT = 54321
PATIENCE = 90.0
CONNECT = b"CONNECT\naccept-version:1.2\nhost:x\n\n\0"
HANDSHAKES = 64
MIB = 1 << 20


def plain(address):
    return socket.create_connection((address, PORT), timeout=PATIENCE)


def tls(address, pki, identity):
    """Return a TLS connection; `identity` is a directory with a certificate, or None."""
    context = ssl.create_default_context(cafile=str(pki / "certs/cacert.pem"))
    context.check_hostname = False
    if identity is not None:
        certificate, key = identity / "certs/vdsmcert.pem", identity / "keys/vdsmkey.pem"
        context.load_cert_chain(certificate, key)
    return context.wrap_socket(plain(address))


def rest(sock):
    """Return what comes until the other side ends it."""
    data = b""
    try:
        while chunk := sock.recv(65536):
            data += chunk
    except TimeoutError:
        return data + b"<still open>"
    except OSError:
        pass  # it was cut off
    return data


def admitted(address, pki, identity):
    """Try to begin a session; return the first word of the answer, or that there is none."""
    try:
        with tls(address, pki, identity) as sock:
            sock.sendall(CONNECT)
            return sock.recv(1000).partition(b"\n")[0].decode() or "closed"
    except OSError:
        return "closed"


def session(address, pki):
    """Begin a session; the handshake may have to give way to others from this very address."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            sock = tls(address, pki, pki)
            sock.sendall(CONNECT)
            if sock.recv(1000).startswith(b"CONNECTED"):
                return sock
        except OSError:
            pass  # once more
        if time.monotonic() > end:
            raise TimeoutError("no session")
        time.sleep(0.2)


def engine(address, pki):
    """Return whether a good client gets in."""
    with session(address, pki):
        return "CONNECTED"


def flood(address, pki, begin, piece, most):
    """Send `begin` and then `piece` until cut off; return what was said, and how many MiB went."""
    sent = 0
    with session(address, pki) as sock:
        try:
            sock.sendall(begin)
            while sent < most:
                sock.sendall(piece)
                sent += len(piece)
        except OSError:
            pass  # it was cut off
        return [rest(sock).partition(b"\n")[0].decode(), sent // MIB]


def silent(address):
    """Connections that never shake hands, and some that do so byte by byte: how many were ended."""
    socks = [plain(address) for _ in range(HANDSHAKES)]
    for number in range(20):
        for sock in socks[::2]:
            try:
                sock.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[number % 11 :][:1])
            except OSError:
                continue  # it was cut off
        time.sleep(0.1)
    ended = 0
    for sock in socks:
        ended += b"<still open>" not in rest(sock)
        sock.close()
    return ended


def main():
    address, pki, foreign, expired = sys.argv[1], *map(Path, sys.argv[2:])
    header = b"x:" + b"y" * 1000 + b"\n"
    ways = {
        "engine": lambda: engine(address, pki),
        "nobody": lambda: admitted(address, pki, None),
        "foreign": lambda: admitted(address, pki, foreign),
        "expired": lambda: admitted(address, pki, expired),
        "headers": lambda: flood(address, pki, b"SEND\n", header, 64 * MIB),
        "body": lambda: flood(address, pki, b"SEND\ndestination:a\n\n", b"z" * MIB, 64 * MIB),
        "claimed": lambda: flood(
            address, pki, b"SEND\ncontent-length:999999999999\n\n", b"z" * MIB, 64 * MIB
        ),
        "silent": lambda: silent(address),
    }
    told = {}

    def run(name):
        told[name] = ways[name]()

    threads = [threading.Thread(target=run, args=(name,)) for name in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
