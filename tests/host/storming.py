# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs in the test host, with nothing but Python: storms, and what a host looks like around them.

storming.py kill SECONDS      kill supervdsm every 200 ms
storming.py connect COUNT     connect to both daemons, COUNT times each
storming.py look              count what could leak
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

PKI = Path("/etc/pki/vdsm")
SVDSM = "/run/vdsm/svdsm.sock"
PORT = 54321
EVERY = 0.2
OPEN = 150
"""Connections that are open at a time in a storm; the oldest goes for each new one."""
PATIENCE = 120.0


def main() -> None:
    """Do what the arguments say; print what came of it as JSON."""
    match sys.argv[1:]:
        case ["kill", seconds]:
            print(json.dumps(kill(float(seconds))))
        case ["connect", count]:
            print(json.dumps(connect(int(count))))
        case ["look"]:
            print(json.dumps(look()))
        case _:
            sys.exit(__doc__)


def kill(seconds: float) -> dict[str, float]:
    """Kill supervdsm every 200 ms for a while; then wait until both serve."""
    end = time.monotonic() + seconds
    kills, looks = 0, 0
    following = time.monotonic()
    while time.monotonic() < end:
        for pid in payload("supervdsm"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                kills += 1
        looks += 1
        following += EVERY
        time.sleep(max(0.0, following - time.monotonic()))
    return {"kills": kills, "looks": looks, **served()}


def connect(count: int) -> dict[str, float]:
    """Connect to both, in every way that is not nice; then wait until both serve."""
    began = time.monotonic()
    held: list[socket.socket] = []
    refused = 0
    for number in range(count):
        for make in (tcp, unix):
            try:
                sock = make()
                match number % 4:
                    case 0:
                        pass  # says nothing, and stays for a while
                    case 1:
                        sock.close()
                        continue
                    case 2:
                        sock.send(b"\x16\x03\x01\x02\x00\x01\x00" if make is tcp else b'{"method":')
                    case 3:
                        sock.send(b"GET / HTTP/1.1\r\n\r\n\0")
                held.append(sock)
            except OSError:
                refused += 1
        while len(held) > OPEN:
            held.pop(0).close()
    took = time.monotonic() - began
    for sock in held:
        sock.close()
    return {"connects": 2 * count, "refused": refused, "storm": took, **served()}


def served() -> dict[str, float]:
    """Return how many seconds after the storm each of both has answered a call."""
    began = time.monotonic()
    until(ping_vdsm)
    vdsm = time.monotonic() - began
    until(ping_supervdsm)
    return {"vdsm_serves": vdsm, "supervdsm_serves": time.monotonic() - began}


def until(answers: object) -> None:
    """Call until it works."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            answers()  # type: ignore[operator]
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.01)


def tcp() -> socket.socket:
    return socket.create_connection(("127.0.0.1", PORT), timeout=20)


def unix() -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    sock.settimeout(20)
    sock.connect(SVDSM)
    return sock


def ping_supervdsm() -> None:
    """Root need not say Hello. A call waits in the socket while supervdsm starts."""
    with unix() as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(b'{"method":"org.ovirt.supervdsm.service.Ping","parameters":{}}\0')
        if b"error" in (answer := sock.recv(4096)) or not answer:
            raise OSError(f"no answer: {answer!r}")


def ping_vdsm() -> None:
    """Host.ping2 over STOMP and TLS."""
    context = ssl.create_default_context(cafile=str(PKI / "certs/cacert.pem"))
    context.load_cert_chain(PKI / "certs/vdsmcert.pem", PKI / "keys/vdsmkey.pem")
    call = '{"jsonrpc":"2.0","id":"1","method":"Host.ping2","params":{}}'
    with tcp() as plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
        sock.sendall(b"CONNECT\naccept-version:1.2\nhost:x\n\n\0")
        sock.sendall(b"SUBSCRIBE\nid:1\ndestination:a\n\n\0")
        sock.sendall(f"SEND\ndestination:jms.topic.vdsm_requests\nreply-to:a\n\n{call}\0".encode())
        answer = b""
        while b'"result"' not in answer:
            part = sock.recv(4096)
            if not part:
                raise OSError(f"no answer: {answer!r}")
            answer += part


def payload(name: str) -> Iterator[int]:
    """Return the processes in the container of a service; not podman and conmon around it."""
    group = Path(f"/sys/fs/cgroup/system.slice/{name}.service")
    for file in group.glob("libpod-payload-*/**/cgroup.procs"):
        with suppress(OSError):
            yield from map(int, file.read_text().split())


def look() -> dict[str, float]:
    """Return what could grow: memory in KiB, descriptors, processes, containers, mounts, files."""
    found: dict[str, float] = {}
    for name in ("vdsm", "supervdsm"):
        pid = min(payload(name))
        found[f"{name}_rss"] = resident(pid)
        found[f"{name}_fds"] = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        found[f"{name}_threads"] = len(list(Path(f"/proc/{pid}/task").iterdir()))
    found["systemd_rss"] = resident(1)
    found["systemd_fds"] = len(list(Path("/proc/1/fd").iterdir()))
    found["conmon"] = sum(1 for name in commands() if name == "conmon")
    found["podman"] = sum(1 for name in commands() if name == "podman")
    containers = subprocess.run(
        ["podman", "ps", "--all", "--quiet"], capture_output=True, text=True, check=True
    )
    found["containers"] = len(containers.stdout.split())
    found["mounts"] = len(Path("/proc/self/mountinfo").read_text().splitlines())
    found["run_files"] = sum(len(files) for _, _, files in os.walk("/run"))
    found["cgroups"] = sum(1 for _ in Path("/sys/fs/cgroup/system.slice").glob("**/cgroup.procs"))
    return found


def commands() -> Iterator[str]:
    for file in Path("/proc").glob("[0-9]*/comm"):
        with suppress(OSError):
            yield file.read_text().strip()


def resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


if __name__ == "__main__":
    main()
