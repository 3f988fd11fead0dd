# SPDX-License-Identifier: GPL-2.0-or-later
"""The netlink socket against a real kernel: batches, refusals, dumps."""

import json
from typing import Any

from process.supervdsm.network.namespace import Namespace

_COMMON = """
import json, os
from supervdsm.network.kernel import attributes as a, links
from supervdsm.network.kernel.socket import (
    NLM_F_CREATE, NLM_F_EXCL, KernelError, NetlinkSocket, message)

def new(name, kind="bridge"):
    body = links.HEADER.pack(0, 0, 0, 0, 0) + a.text(3, name) + a.nested(18, a.text(1, kind))
    return message(links.RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, body)

def names(kernel):
    return {links.decode(m).name for m in kernel.dump(links.RTM_GETLINK, links.ALL)}

kernel = NetlinkSocket()
"""


def run(host: Namespace, code: str) -> Any:
    return json.loads(host.python(_COMMON + code))


_BATCH = """
results = kernel.send_batch([new(f"br{number % 300}") for number in range(600)])
refused = [index for index, result in enumerate(results) if result is not None]
print(json.dumps([
    refused == list(range(300, 600)), {r.errno for r in results if r} == {17},
    len(names(kernel)), kernel.send_batch([])]))
"""


def test_a_batch_goes_on_after_a_refusal_and_tells_each(namespace: Namespace) -> None:
    assert run(namespace, _BATCH) == [True, True, 301, []]


_WORDS = """
(refusal,) = kernel.send_batch([new("x", "nosuchkind")])
try:
    kernel.request(message(links.RTM_NEWLINK, 0, links.HEADER.pack(0, 0, 999, 0, 0)))
except KernelError as error:
    gone = error.errno
try:
    kernel.dump(links.RTM_GETLINK, links.HEADER.pack(0, 0, 5, 0, 0))
except KernelError as error:
    strict = error.strerror
(one,) = kernel.request(message(links.RTM_GETLINK, 0, links.HEADER.pack(0, 0, 1, 0, 0)))
print(json.dumps([refusal.reason, gone, strict, links.decode(one).name, sorted(names(kernel))]))
"""


def test_the_kernels_own_words_come_with_a_refusal(namespace: Namespace) -> None:
    reason, gone, strict, one, names = run(namespace, _WORDS)
    assert reason == "Operation not supported: Unknown device type"
    assert gone == 19  # ENODEV
    assert strict == "Invalid argument: Filter by device index not supported for link dumps"
    # The socket is as good as before.
    assert (one, names) == ("lo", ["lo"])


_DUMP_AMID_CHANGES = """
import subprocess
kernel.send_batch([new(f"br{number}") for number in range(200)])
lines = [f"link add x{n % 5} type bridge\\nlink del x{n % 5}" for n in range(60)]
churn = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
churn.stdin.write("\\n".join(lines))
churn.stdin.close()
dumps, missing = 0, 0
while churn.poll() is None:
    found = names(kernel)
    missing += len({f"br{number}" for number in range(200)} - found)
    dumps += 1
print(json.dumps([churn.returncode, missing, dumps > 1]))
"""


def test_a_dump_amid_changes_has_all_that_stays(namespace: Namespace) -> None:
    assert run(namespace, _DUMP_AMID_CHANGES) == [0, 0, True]
