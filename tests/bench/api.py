# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to vdsm over TLS, made on a host with the pair with that host's certificate."""

from functools import partial

import peers
from measure import Section

from vdsm.client.api import Client
from vdsm.client.transport import mutual_tls
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.paths import PKI_DIR

if __name__ == "__main__":
    identity = Identity(
        PKI_DIR / "keys/vdsmkey.pem", PKI_DIR / "certs/vdsmcert.pem", PKI_DIR / "certs/cacert.pem"
    )
    section = Section("calls", "vdsm, in its container")
    endpoint = mutual_tls("localhost", identity=identity)

    def connect() -> None:
        with Client(endpoint) as client:
            client.call("Host.ping2")

    section.latency("TLS, CONNECT and Host.ping2", connect, 100)
    with Client(endpoint) as client:
        ping = section.latency("Host.ping2", lambda: client.call("Host.ping2"), 2000)
        with peers.tls_echo(250, identity.certificate, identity.key) as echo:
            raw = section.latency("raw TLS echo", echo, 2000)
        section.ratio("Host.ping2 / raw TLS echo", ping, raw)
        for verb in ("Host.getCapabilities", "Host.getStats"):
            section.latency(verb, partial(client.call, verb), 50)
