# SPDX-License-Identifier: GPL-2.0-or-later
"""stomp.py from PyPI as a client of vdsm over TLS; runs beside the test host, prints what it got
as JSON.

`stomp_client.py HOST PORT PKI METHOD...` calls each METHOD once and prints the list of answers.
"""

import json
import queue
import sys
from pathlib import Path

import stomp

REQUESTS, ANSWERS = "jms.topic.vdsm_requests", "jms.topic.vdsm_responses"


class Listener(stomp.ConnectionListener):  # type: ignore[misc]
    def __init__(self) -> None:
        self.messages: queue.Queue[str] = queue.Queue()
        self.receipts: queue.Queue[str] = queue.Queue()

    def on_message(self, frame: "stomp.utils.Frame") -> None:
        self.messages.put(frame.body)

    def on_receipt(self, frame: "stomp.utils.Frame") -> None:
        self.receipts.put(frame.headers["receipt-id"])


def main() -> None:
    host, port, pki, *methods = sys.argv[1:]
    address = [(host, int(port))]
    connection = stomp.Connection12(address, heartbeats=(2000, 2000))
    connection.set_ssl(
        address,
        cert_file=str(Path(pki) / "certs/vdsmcert.pem"),
        key_file=str(Path(pki) / "keys/vdsmkey.pem"),
        ca_certs=str(Path(pki) / "certs/cacert.pem"),
    )
    listener = Listener()
    connection.set_listener("", listener)
    connection.connect(wait=True)
    connection.subscribe(ANSWERS, id="1", receipt="subscribed")
    assert listener.receipts.get(timeout=60) == "subscribed"
    answers = []
    for number, method in enumerate(methods):
        request = {"jsonrpc": "2.0", "method": method, "params": {}, "id": number}
        connection.send(REQUESTS, json.dumps(request), headers={"reply-to": ANSWERS})
        answers.append(json.loads(listener.messages.get(timeout=60)))
    batch = [{"jsonrpc": "2.0", "method": "Host.ping2", "id": name} for name in ("a", "b")]
    batch.append({"jsonrpc": "2.0", "method": "Host.ping2"})  # a notification
    connection.send(REQUESTS, json.dumps(batch), headers={"reply-to": ANSWERS})
    answers.append(json.loads(listener.messages.get(timeout=60)))
    connection.disconnect(receipt="bye")
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
