# SPDX-License-Identifier: GPL-2.0-or-later
"""A namespace with NICs, and a real supervdsm in it (`faults.network`) to kill and start again.

It needs root, ip(8) and what supervdsm imports; nothing of pytest.
"""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from faults.kernel_dump import Dump, dump
from vdsm_contract.errors import ContractError
from vdsm_contract.proxy import Supervdsm

NICS: Final = tuple(f"nic{number}" for number in range(8))
_TESTS: Final = Path(__file__).parents[1]
_PATIENCE: Final = 30.0


class Died(Exception):
    """supervdsm ended before it was ready."""


class Host:
    """A namespace with NICs, and the directory of the supervdsm in it. `batch` is how many
    operations go to the kernel at once, `nic_seconds` how long a boot waits for NICs."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.batch = 1
        self.nic_seconds = 5.0
        self.namespace = f"vt-sweep-{secrets.token_hex(4)}"
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(directory / "svdsm.sock"))
        self._socket.listen(16)
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(directory / "notify"))
        self._make_namespace()

    def _make_namespace(self) -> None:
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        commands = ["link set lo up"]
        for number, nic in enumerate(NICS):
            near, far = (f"02:00:00:00:{side:02x}:{number:02x}" for side in (0, 1))
            peer = f"peer name far{number} address {far}"
            commands.append(f"link add {nic} address {near} type veth {peer}")
            commands.append(f"link set far{number} up")
        self.ip(*commands)

    def ip(self, *commands: str) -> None:
        """Run `ip` commands in the namespace."""
        subprocess.run(
            ["ip", "-n", self.namespace, "-batch", "-"],
            input="\n".join(commands),
            text=True,
            check=True,
        )

    def arm(self, *words: object) -> None:
        """Let the supervdsm die or fail at a step, from the next one on."""
        beside = self.directory / "arm.new"
        beside.write_text(" ".join(map(str, words)))
        beside.rename(self.directory / "arm")
        (self.directory / "steps").unlink(missing_ok=True)

    @property
    def steps(self) -> list[str]:
        """What was done since it was armed."""
        steps = self.directory / "steps"
        return steps.read_text().splitlines() if steps.exists() else []

    def start(self) -> None:
        """Start a supervdsm and wait until it is ready. Raises Died."""
        self.begin()
        self.ready()

    def begin(self) -> None:
        """Start a supervdsm."""
        fd = self._socket.fileno()
        program = (
            f"import os,sys; os.dup2({fd}, 3);"
            "os.execvp(sys.argv[1], sys.argv[1:])"
        )  # fmt: skip
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-c", program),
                    *("ip", "netns", "exec", self.namespace),
                    *(sys.executable, "-m", "faults.network", str(self.directory)),
                    *(str(self.batch), str(self.nic_seconds)),
                ],
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": os.pathsep.join([str(_TESTS), *sys.path]),
                    "LISTEN_FDS": "1",
                    "NOTIFY_SOCKET": str(self.directory / "notify"),
                },
                pass_fds=(fd, 3),
                stdout=log,
                stderr=log,
            )

    def ready(self) -> None:
        """Wait until the supervdsm is ready. Raises Died."""
        assert self._process is not None
        self._notify.settimeout(0.05)
        for _ in range(int(_PATIENCE / 0.05)):
            try:
                if b"READY=1" in self._notify.recv(4096):
                    return
            except TimeoutError:
                if self._process.poll() is not None:
                    raise Died from None
        raise AssertionError(f"not ready; the log:\n{self.log()}")

    @contextmanager
    def client(self) -> Iterator[Supervdsm]:
        """Give a client of the supervdsm."""
        proxy = Supervdsm(self.directory / "svdsm.sock")
        try:
            yield proxy
        finally:
            proxy.close()

    def setup(
        self, networks: dict[str, Any], bondings: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Call SetupNetworks, without the wait for the engine. Raises what it raises."""
        wanted = {"connectivityCheck": False, **options}
        with self.client() as client:
            client.network.setup_networks(networks, bondings or {}, wanted)

    def begin_setup(
        self, networks: dict[str, Any], **options: Any
    ) -> Callable[[], ContractError | None]:
        """Begin a SetupNetworks that waits for the engine. Return what waits for its end and gives
        its error."""
        errors: list[ContractError | None] = []

        def run() -> None:
            try:
                self.setup(networks, connectivityCheck=True, **options)
            except ContractError as error:
                errors.append(error)
            else:
                errors.append(None)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()

        def end() -> ContractError | None:
            thread.join(_PATIENCE)
            return errors[0]

        return end

    def kill(self) -> None:
        """Kill the supervdsm and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it and start another one."""
        self.kill()
        self.start()

    def boot(self) -> None:
        """Do what a power cut does: devices that were made and /run are gone, files stay."""
        self.kill()
        subprocess.run(["ip", "netns", "del", self.namespace], check=True)
        shutil.rmtree(self.directory / "run")
        self._make_namespace()

    def dump(self) -> Dump:
        """Return the kernel's network."""
        return dump(self.namespace)

    def devices(self) -> set[str]:
        """Return the names of the kernel's devices."""
        return set(self.dump()["links"])

    def stored(self) -> dict[str, Any]:
        """Return both stored configurations: the attributes by `staging/nets/NAME` and so on."""
        return {
            f"{which}/{kind}/{file.name}": json.loads(file.read_text())
            for which in ("staging", "persistence")
            for kind in ("nets", "bonds", "devices")
            for file in sorted((self.directory / "state" / which / "netconf" / kind).glob("*"))
        }

    def leftovers(self) -> list[str]:
        """Return files of a change that should have gone with it."""
        state = self.directory / "state"
        links = [state / which / "netconf" for which in ("staging", "persistence")]
        in_use = {link.readlink().name for link in links if link.is_symlink()}
        trees = [path.name for link in links for path in link.parent.glob("netconf.*")]
        journal = [path.name for path in (state / "supervdsm").glob("*")]
        return [name for name in trees if name not in in_use] + journal

    def log(self) -> str:
        """Return what the supervdsms logged."""
        return (self.directory / "log").read_text(errors="replace")

    def close(self) -> None:
        """Remove everything."""
        self.kill()
        self._socket.close()
        self._notify.close()
        subprocess.run(["ip", "netns", "del", self.namespace], check=True)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "not within a bounded time"
        time.sleep(0.01)


@contextmanager
def network_host() -> Iterator[Host]:
    """Give a host, on which nothing runs yet."""
    directory = Path(tempfile.mkdtemp(prefix="vdsm-host-"))
    host = Host(directory)
    try:
        yield host
    finally:
        host.close()
        shutil.rmtree(directory)
