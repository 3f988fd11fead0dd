# SPDX-License-Identifier: GPL-2.0-or-later
"""Subscribes to vdsm's events over TLS, says so, and prints each event as a line of JSON."""

import sys
from pathlib import Path

from front.wire import Wire
from vdsm.jsonrpc.tls import Identity, client_context

EVENTS = "jms.queue.events"


def main() -> None:
    host, pki = sys.argv[1:]
    context = client_context(Identity.below(Path(pki)), check_name=False)
    with Wire(54321, context, host=host) as wire:
        wire.connect()
        wire.frame("SUBSCRIBE", id="1", destination=EVENTS, ack="auto", receipt="r")
        wire.recv("RECEIPT")
        print("subscribed", flush=True)
        while True:
            print(wire.recv("MESSAGE", 60).body.decode(), flush=True)


if __name__ == "__main__":
    main()
