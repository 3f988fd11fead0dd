# SPDX-License-Identifier: GPL-2.0-or-later
"""A host and an engine as two network namespaces on one cable, with the real pair in the host's."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from front import pki
from front.manager import ROOT
from process.supervdsm.network.namespace import FAKE_NICS, Namespace, run

HOST, ENGINE = "192.0.2.2", "192.0.2.1"
NAME = "vdsm.test"
_PORT = 54321
_DUMP = ("-d link", "addr", "-4 route show table all", "-6 route show table all", "rule")
# What counts or ages by itself.
_VOLATILE = frozenset({"stats64", "stats", "valid_life_time", "preferred_life_time", "gc_timer"})


class Site:
    """Both namespaces, and the daemons in the host's. `directory` holds all files."""

    def __init__(self, directory: Path, host: str, engine: str) -> None:
        self.directory = directory
        self.host = Namespace(host, directory / "root", directory / "state")
        self.engine = Namespace(engine, directory / "root", directory / "state")
        self.socket = directory / "svdsm.sock"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        for name in ("root/etc", "state", "run", "hooks", "etc"):
            (directory / name).mkdir(parents=True)
        pki.make(directory / "pki")

    # --- the daemons ------------------------------------------------------------------------

    def start_supervdsm(self) -> None:
        """Start supervdsm, and wait until it is ready."""
        self._start("supervdsm", "front.network_daemon", str(self.directory))

    def start_vdsm(self) -> None:
        """Start vdsm, and wait until it is ready."""
        options = {
            "--bind": f"0.0.0.0:{_PORT}",
            "--config-dir": self.directory / "etc",
            "--pki-dir": self.directory / "pki",
            "--svdsm-socket": self.socket,
        }
        self._start("vdsm", "vdsm", *(str(word) for pair in options.items() for word in pair))

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """End a daemon by a signal; return its exit status."""
        self._processes[name].send_signal(number)
        return self._processes[name].wait(30)

    def log(self, name: str) -> str:
        """What a daemon has written."""
        return (self.directory / f"{name}.log").read_text()

    def stop(self) -> None:
        """End everything."""
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._notify.close()

    def _start(self, name: str, *module: str) -> None:
        with (self.directory / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [*self._enter(self.host), sys.executable, "-m", *module],
                env={**self._environment(), "NOTIFY_SOCKET": str(self.directory / "notify")},
                stdout=log,
                stderr=log,
            )
        self._notify.settimeout(30)
        try:
            while "READY=1" not in self._notify.recv(4096).decode().split("\n"):
                pass
        except TimeoutError:
            raise AssertionError(f"{name} is not ready:\n{self.log(name)}") from None

    # --- who talks to them ------------------------------------------------------------------

    def ask(self, **scenario: Any) -> dict[str, Any]:
        """An engine's calls, from its own namespace; see `front.engine`."""
        return self.wait_for(self.begin(**scenario))

    def begin(self, **scenario: Any) -> "subprocess.Popen[str]":
        """Begin an engine's calls."""
        words = [str(self.directory / "pki"), NAME, json.dumps({"at": HOST, **scenario})]
        return subprocess.Popen(
            [*self._enter(self.engine), sys.executable, "-m", "front.engine", *words],
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, engine: "subprocess.Popen[str]") -> dict[str, Any]:
        """What that engine has seen at its end."""
        out, _ = engine.communicate(timeout=100)
        assert engine.returncode == 0, self.log("vdsm")
        seen: dict[str, Any] = json.loads(out)
        return seen

    def tool(self, *words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        """`vdsm-tool net` in the host's namespace."""
        command = [sys.executable, "-m", "vdsm_tool", "net", words[0]]
        return subprocess.run(
            [*self._enter(self.host), *command, "--svdsm-socket", str(self.socket), *words[1:]],
            env={**self._environment(), "NO_COLOR": "1"},
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @contextmanager
    def events(self) -> Iterator[Callable[[], dict[str, Any]]]:
        """Subscribe to vdsm's events; what is yielded waits for the next one."""
        module = ["front.event_listener", HOST, str(self.directory / "pki")]
        with subprocess.Popen(
            [*self._enter(self.engine), sys.executable, "-m", *module],
            env=self._environment(),
            stdout=subprocess.PIPE,
            text=True,
        ) as listening:
            assert listening.stdout is not None
            lines = listening.stdout
            assert lines.readline() == "subscribed\n"

            def next_event() -> dict[str, Any]:
                event: dict[str, Any] = json.loads(lines.readline())
                return event

            try:
                yield next_event
            finally:
                listening.kill()

    # --- what is seen -----------------------------------------------------------------------

    def kernel(self) -> list[list[str]]:
        """The kernel's network, without what changes by itself, and in no order."""
        return [sorted(map(repr, _still(self.host.ip_json(command)))) for command in _DUMP]

    def changed_since(self, before: list[list[str]]) -> list[str]:
        """What is other than in an earlier `kernel()`; nothing when all is equal."""
        pairs = zip(before, self.kernel(), strict=True)
        return [line for old, new in pairs for line in sorted(set(old) ^ set(new))]

    def stored(self, which: str = "staging") -> set[str]:
        """The names of the stored networks."""
        nets = self.directory / "state" / which / "netconf/nets"
        return {file.name for file in nets.iterdir()} if nets.is_dir() else set()

    def wait(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition holds."""
        end = time.monotonic() + 40
        while not condition():
            assert time.monotonic() < end, "".join(map(self.log, self._processes))
            time.sleep(0.05)

    def operational(self) -> int:
        """How many devices carry frames, which the kernel says a moment after they are set up."""
        return sum(link["operstate"] in ("UP", "UNKNOWN") for link in self.host.ip_json("link"))

    def has(self, device: str) -> bool:
        """Whether the host has a device."""
        return any(link["ifname"] == device for link in self.host.ip_json("link"))

    def _enter(self, namespace: Namespace) -> list[str]:
        return ["ip", "netns", "exec", namespace.name]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}",
            "VDSM_FAKE_NICS": FAKE_NICS,
        }


@contextmanager
def running(directory: Path) -> Iterator[Site]:
    """Both namespaces, nic0 of the host on a cable to the engine, nic1 on one to nobody, and the
    pair, which is ready. Everything is removed at the end."""
    mark = secrets.token_hex(3)
    host, engine = f"vt-host-{mark}", f"vt-engine-{mark}"
    site: Site | None = None
    try:
        run("ip", "netns", "add", host)
        run("ip", "netns", "add", engine)
        site = Site(directory, host, engine)
        for name in (host, engine):  # link-local addresses are there at once, and stay as they are
            run("ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0")
        site.host.batch(
            "link set lo up",
            f"link add nic0 type veth peer name peer0 netns {engine}",
            "link add nic1 type veth peer name far1",
            f"addr add {HOST}/24 brd + dev nic0",
            "link set nic0 up",
            "link set nic1 up",
            "link set far1 up",
        )
        site.engine.batch("link set lo up", f"addr add {ENGINE}/24 dev peer0", "link set peer0 up")
        site.host.ip(f"route add default via {ENGINE}")
        site.wait(lambda: site.operational() == 4)
        site.start_supervdsm()
        site.start_vdsm()
        yield site
    finally:
        if site is not None:
            site.stop()
        run("ip", "netns", "del", host)
        run("ip", "netns", "del", engine)


def _still(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _still(part) for name, part in value.items() if name not in _VOLATILE}
    return [_still(part) for part in value] if isinstance(value, list) else value
