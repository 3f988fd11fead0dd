# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to vdsm over TLS, made on a host with the pair with that host's certificate."""

from measure import latency

from vdsm.client.api import Client
from vdsm.client.transport import mutual_tls
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.paths import PKI_DIR

if __name__ == "__main__":
    identity = Identity(
        PKI_DIR / "keys/vdsmkey.pem", PKI_DIR / "certs/vdsmcert.pem", PKI_DIR / "certs/cacert.pem"
    )
    endpoint = mutual_tls("localhost", identity=identity)

    def connect() -> None:
        with Client(endpoint) as client:
            client.call("Host.ping2")

    latency("vdsm TLS, CONNECT and Host.ping2", connect, 100)
    with Client(endpoint) as client:
        latency("vdsm Host.ping2", lambda: client.call("Host.ping2"), 2000)
        latency("vdsm Host.getCapabilities", lambda: client.call("Host.getCapabilities"), 50)
        latency("vdsm Host.getStats", lambda: client.call("Host.getStats"), 50)
