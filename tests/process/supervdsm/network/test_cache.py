# SPDX-License-Identifier: GPL-2.0-or-later
"""The cache against a real kernel: never older than the call, right again after lost events."""

import json
from typing import Any

import pytest

from process.supervdsm.network.namespace import Namespace

_COMMON = """
import json, logging, os, subprocess, sys, threading
from supervdsm.network.kernel.cache import Cache
logging.basicConfig(stream=sys.stderr)

def ip(*lines):
    subprocess.run(["ip", "-batch", "-"], input="\\n".join(lines), text=True, check=True)

def told(command):
    found = json.loads(subprocess.check_output(["ip", "-j", "-d", *command.split()]) or "[]")
    return [item for item in found if item]

def names(links):
    return {link.index: link.name for link in links}

def devices(links):
    called = names(links)
    return {
        link.name: [
            link.index,
            link.mtu,
            bool(link.flags & 1),
            called.get(link.master),
            link.kind,
            link.hwaddr,
        ]
        for link in links
    }

def devices_of_ip():
    return {
        link["ifname"]: [
            link["ifindex"],
            link["mtu"],
            "UP" in link["flags"],
            link.get("master"),
            link.get("linkinfo", {}).get("info_kind", ""),
            link.get("address", ""),
        ]
        for link in told("link show")
    }
"""


@pytest.fixture
def host(namespace: Namespace) -> Namespace:
    namespace.batch(
        "link add nic0 type veth peer name far0",
        "link add nic1 type veth peer name far1",
        "link add br0 type bridge",
        "link set nic0 up",
        "link set far0 up",
        "link set nic1 up",
        "link set far1 up",
    )
    return namespace


def run(host: Namespace, code: str) -> Any:
    """Run code with a cache; what it prints last is JSON."""
    return json.loads(host.python(_COMMON + code).splitlines()[-1])


_CHANGES = """
from supervdsm.network.kernel import attributes as a, links
from supervdsm.network.kernel.socket import NetlinkSocket, message
cache = Cache()
index = {link.name: link.index for link in cache.devices()}
late = 0
with NetlinkSocket() as kernel:
    for number in range(500):
        mtu = 1400 + number % 100
        body = links.HEADER.pack(0, 0, index["nic0"], number % 2, 1) + a.u32(4, mtu)
        kernel.request(message(links.RTM_NEWLINK, 0, body))
        (seen,) = [link for link in cache.devices() if link.name == "nic0"]
        late += (seen.mtu, seen.flags & 1) != (mtu, number % 2)
print(late)
"""


def test_a_reading_after_a_change_sees_it(host: Namespace) -> None:
    assert run(host, _CHANGES) == 0


_KINDS_OF_CHANGE = """
cache = Cache()
seen = []
for line in (
    "link set nic0 master br0",
    "link set nic0 name renamed",
    "link add br1 type bridge",
    "link del br0",
    "link del nic1",
    "link set renamed down",
):
    ip(line)
    seen.append(devices(cache.devices()) == devices_of_ip())
print(json.dumps(seen))
"""


def test_every_kind_of_change_is_seen(host: Namespace) -> None:
    assert run(host, _KINDS_OF_CHANGE) == [True] * 6


_ADDRESSES = """
cache = Cache()

def addresses():
    called = names(cache.devices())
    return sorted([called[a.index], a.cidr] for a in cache.snapshot().addresses)

def addresses_of_ip():
    return sorted(
        [device["ifname"], f"{one['local']}/{one['prefixlen']}"]
        for device in told("addr show")
        for one in device["addr_info"]
    )

def gateways():
    return sorted(route.gateway for route in cache.snapshot().routes)

seen = []
def look():
    seen.append([addresses() == addresses_of_ip(), gateways()])

ip("addr add 192.0.2.5/24 dev nic0", "addr add 192.0.2.6/24 dev nic0")
look()
ip("route add default via 192.0.2.1", "addr add 198.51.100.5/24 dev nic1")
look()
ip("addr del 192.0.2.5/24 dev nic0")
look()
ip("route add default via 198.51.100.1 metric 5")
look()
# The kernel does not announce that this drops the route.
ip("link set nic1 down")
look()
print(json.dumps(seen))
"""


def test_addresses_and_default_routes_follow_the_kernel(host: Namespace) -> None:
    assert run(host, _ADDRESSES) == [
        [True, []],
        [True, ["192.0.2.1"]],
        # The primary address took the secondary one and the route with it.
        [True, []],
        [True, ["198.51.100.1"]],
        [True, []],
    ]


_PRIMARY = """
cache = Cache()
(nic0,) = [link.index for link in cache.devices() if link.name == "nic0"]

def order():
    found = cache.snapshot().addresses
    return [one.address for one in found if one.version == 4 and one.index == nic0]

ip("addr add 192.0.2.5/24 dev nic0", "addr add 192.0.2.6/24 dev nic0")
order()
ip("addr add 198.51.100.5/24 dev nic0", "addr add 169.254.1.1/16 scope link dev nic0")
here = order()
print(json.dumps([here, [
    one["local"] for one in told("addr show dev nic0")[0]["addr_info"] if one["family"] == "inet"
]]))
"""


def test_addresses_come_in_the_kernels_order(host: Namespace) -> None:
    here, there = run(host, _PRIMARY)
    assert here == there
    assert len(here) == 4


_LOST = """
cache = Cache(receive_bytes=4096)
cache.devices()
with cache._lock:
    # Nobody takes events now, as on a host that is too busy for it.
    ip(*[f"link set br0 mtu {1300 + number % 100}" for number in range(3000)])
    ip("link del nic0", "link add br1 type bridge", "addr add 192.0.2.5/24 dev nic1")
right = devices(cache.devices()) == devices_of_ip()
snapshot = cache.snapshot()
address = any(address.address == "192.0.2.5" for address in snapshot.addresses)
ip("link del br1", "link set br0 mtu 1400")
again = devices(cache.devices()) == devices_of_ip()
print(json.dumps([right, address, again, cache._receive_bytes > 4096]))
"""


def test_lost_events_lead_to_a_new_dump(host: Namespace) -> None:
    assert run(host, _LOST) == [True, True, True, True]


_FLOOD = """
cache = Cache(receive_bytes=4096)
cache.devices()
lines = [f"link set br0 mtu {1300 + number % 100}" for number in range(4000)]
flood = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
flood.stdin.write("\\n".join(lines))
flood.stdin.close()
calls = 0
while flood.poll() is None:
    assert {"nic0", "br0"} <= set(devices(cache.devices()))
    calls += 1
print(json.dumps([flood.returncode, calls > 3, devices(cache.devices()) == devices_of_ip()]))
"""


def test_more_events_than_room_for_them_all_the_time(host: Namespace) -> None:
    assert run(host, _FLOOD) == [0, True, True]


_CHURN = """
cache = Cache()
lines = []
for i in range(40):
    lines += [f"link add veth_{i % 7} type veth peer name brp{i % 7}",
              f"link add b{i % 7} type bridge", f"link set veth_{i % 7} up",
              f"link set brp{i % 7} up", f"link set brp{i % 7} master b{i % 7}",
              f"addr add 192.0.2.{i}/24 dev b{i % 7}",
              f"link del b{i % 7}", f"link del veth_{i % 7}"]
churn = subprocess.Popen(["ip", "-batch", "-"], stdin=subprocess.PIPE, text=True)
churn.stdin.write("\\n".join(lines))
churn.stdin.close()
wrong, calls = [], [0] * 4
def read(which):
    while churn.poll() is None:
        found = cache.snapshot().links if which % 2 else cache.devices()
        if not {"nic0", "nic1", "br0"} <= {link.name for link in found}:
            wrong.append(found)
        calls[which] += 1
readers = [threading.Thread(target=read, args=(which,)) for which in range(4)]
for reader in readers:
    reader.start()
for reader in readers:
    reader.join()
print(json.dumps([
    churn.returncode, len(wrong), min(calls) > 0, devices(cache.devices()) == devices_of_ip()
]))
"""


def test_many_readers_while_devices_come_and_go(host: Namespace) -> None:
    assert run(host, _CHURN) == [0, 0, True, True]


_CLOSED = """
cache = Cache()
cache.snapshot()
cache.close()
before = len(os.listdir("/proc/self/fd")), threading.active_count()
for _ in range(20):
    cache = Cache()
    cache.devices()
    cache.snapshot()
    cache.close()
print(json.dumps([before, [len(os.listdir("/proc/self/fd")), threading.active_count()]]))
"""


def test_what_is_closed_leaves_nothing(host: Namespace) -> None:
    before, after = run(host, _CLOSED)
    assert before == after


_DEAD = """
died = threading.Event()
told_again = threading.Event()
def listener(changes):
    if not died.is_set():
        died.set()
        raise RuntimeError("a defect")
    told_again.set()
cache = Cache(listener)
cache.devices()
thread = cache._events._thread
ip("link set far0 down")
thread.join(60)
# Nobody listens now.
ip("link set nic0 mtu 1400", "link add br1 type bridge")
right = devices(cache.devices()) == devices_of_ip()
ip("link set far0 up")
print(json.dumps([thread.is_alive(), died.is_set(), right, told_again.wait(60)]))
"""


def test_a_dead_thread_is_replaced(host: Namespace) -> None:
    assert run(host, _DEAD) == [False, True, True, True]


_NO_DESCRIPTORS = """
import resource
from vdsm_contract.errors import NetlinkFailed
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
cache = Cache()
spare = [os.open("/", os.O_RDONLY)]
resource.setrlimit(resource.RLIMIT_NOFILE, (spare[0] + 2, hard))
# One descriptor is enough for a dump, and not for listening.
one = len(cache.devices())
full = os.open("/", os.O_RDONLY)
try:
    cache.devices()
except NetlinkFailed as error:
    code = error.errno
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(json.dumps([one == len(told("link show")), code, cache._events is None,
                  devices(cache.devices()) == devices_of_ip(), cache._events is not None]))
"""


def test_without_descriptors_it_reads_afresh_as_long_as_it_can(host: Namespace) -> None:
    assert run(host, _NO_DESCRIPTORS) == [True, 24, True, True, True]  # EMFILE


_WATCH = """
from supervdsm.network.config import Configuration, Network
from supervdsm.network.kernel.devices import NicPatterns
from supervdsm.network.kernel.watch import LinkWatch
configuration = Configuration(networks={"storage": Network(name="storage", nic="nic0")})
watch = LinkWatch(lambda: configuration, NicPatterns(fake=("nic*",)))
cache = Cache(watch.tell)
cache.start()
cursor = watch.after("", 0).cursor
seen = []
def until(state):
    global cursor
    while not seen or seen[-1].state != state:
        news = watch.after(cursor, 60)
        assert news.changes and not news.lost, news
        cursor = news.cursor
        seen.extend(news.changes)

# The carrier comes a moment after the device.
while not all(link.up for link in cache.devices() if link.name in ("nic0", "nic1")):
    threading.Event().wait(0.01)
ip("link set far1 down", "link set nic1 down", "link set far0 down")
until("down")
ip("link set far0 up")
while not all(link.up for link in cache.devices() if link.name == "nic0"):
    # This reader takes the event, before the thread does.
    threading.Event().wait(0.01)
until("up")
print(json.dumps(sorted({(change.device, *change.networks) for change in seen})))
"""


def test_who_watches_is_told_when_the_carrier_goes_and_comes(host: Namespace) -> None:
    assert run(host, _WATCH) == [["nic0", "storage"]]
