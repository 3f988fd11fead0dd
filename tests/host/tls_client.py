# SPDX-License-Identifier: GPL-2.0-or-later
"""A bare TLS client: HOST PORT CA [CERTIFICATE KEY]; says how its STOMP CONNECT ended."""

import socket
import ssl
import sys


def main() -> None:
    host, port, ca, *identity = sys.argv[1:]
    context = ssl.create_default_context(cafile=ca)
    context.check_hostname = False
    if identity:
        context.load_cert_chain(*identity)
    try:
        raw = socket.create_connection((host, int(port)), timeout=60)
        with context.wrap_socket(raw) as sock:
            sock.sendall(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0")
            answer = sock.recv(1000)
    except OSError as error:  # TLS 1.3 tells of a certificate only after the handshake
        print("refused:", error)
    else:
        print(answer.partition(b"\n")[0].decode() or "closed")


if __name__ == "__main__":
    main()
