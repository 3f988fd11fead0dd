# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls to vdsm over TLS, made on a host with the pair with that host's certificate."""

from functools import partial

import peers
from measure import Section, in_turns, timed
from placing import on_one_processor

from vdsm.client.api import Client
from vdsm.client.transport import mutual_tls
from vdsm.jsonrpc.tls import Identity
from vdsm_contract.paths import PKI_DIR

PART, CASE = "calls", "vdsm, in its container"
FLOOR = "raw TLS echo"
SECONDS = 1.0
SIZE = 250
"""What Host.ping2 sends and receives, about, in bytes."""

if __name__ == "__main__":
    identity = Identity(
        PKI_DIR / "keys/vdsmkey.pem", PKI_DIR / "certs/vdsmcert.pem", PKI_DIR / "certs/cacert.pem"
    )
    endpoint = mutual_tls("localhost", identity=identity)

    def connect() -> None:
        with Client(endpoint) as client:
            client.call("Host.ping2")

    with (
        on_one_processor("vdsm.service"),
        Client(endpoint) as client,
        peers.tls_echo(SIZE, identity.certificate, identity.key) as echo,
    ):
        contenders = {"Host.ping2": partial(client.call, "Host.ping2"), FLOOR: echo}
        runs = {what: partial(timed, call, seconds=SECONDS) for what, call in contenders.items()}
        in_turns(PART, f"{CASE}, one processor", 0, runs, floor=FLOOR)
    section = Section(PART, CASE)
    section.latency("TLS, CONNECT and Host.ping2", connect, 100)
    with Client(endpoint) as client:
        for verb in ("Host.getCapabilities", "Host.getStats"):
            section.latency(verb, partial(client.call, verb), 50)
