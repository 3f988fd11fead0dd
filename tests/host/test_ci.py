# SPDX-License-Identifier: GPL-2.0-or-later
"""containers/ci: the command's status is kept, so are the journals, and the host is gone."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CONTAINERS = Path(__file__).parents[2] / "containers"
LIMIT = 900  # s: it may have to build the images first

pytestmark = pytest.mark.timeout(LIMIT)

AGAINST = """
set -eu
[ "$("$VDSM_EXEC" cat /root/given/word)" = "from outside" ]
[ "$VDSM_HOST $VDSM_PORT" = "192.0.2.2 54321" ]
"$VDSM_PEER" python3 -c '
import os, socket, ssl
pki = os.environ["VDSM_PKI"]
context = ssl.create_default_context(cafile=f"{pki}/certs/cacert.pem")
context.load_cert_chain(f"{pki}/certs/vdsmcert.pem", f"{pki}/keys/vdsmkey.pem")
address = os.environ["VDSM_HOST"], int(os.environ["VDSM_PORT"])
with socket.create_connection(address) as plain:
    with context.wrap_socket(plain, server_hostname=address[0]) as secured:
        print("spoke", secured.version())
'
echo "for people" >"$VDSM_ARTIFACTS/own.txt"
"$VDSM_EXEC" logger -t test "said in the host"
exit 7
"""

# A child of the command, which nobody but its group knows of.
CHILD = "(trap 'echo ended >{marker}; exit' TERM; echo ready; while :; do sleep 0.1; done) & wait"


@pytest.fixture
def name() -> Iterator[str]:
    name = f"ci-test-{secrets.token_hex(3)}"
    yield name
    subprocess.run([CONTAINERS / "testhost", "down", name], capture_output=True, check=False)


def ci(name: str, directory: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [CONTAINERS / "ci", "--no-setup", "--name", name, "--artifacts", directory, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def hosts() -> str:
    return subprocess.run(
        [CONTAINERS / "testhost", "list"], capture_output=True, text=True, check=True
    ).stdout


def test_a_command_has_the_host_and_leaves_its_status_and_the_journals(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / "given").mkdir()
    (tmp_path / "given/word").write_text("from outside")
    kept = tmp_path / "kept"
    copy = f"{tmp_path / 'given'}:/root/given"
    with ci(name, kept, "--copy", copy, "--", "sh", "-c", AGAINST) as process:
        output, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 7, errors
    assert "spoke TLSv1.3" in output
    assert name not in hosts()
    assert (kept / "own.txt").read_text() == "for people\n"
    assert "serves" in (kept / "vdsm.journal").read_text()
    assert "supervdsm" in (kept / "supervdsm.journal").read_text()
    assert "said in the host" in (kept / "machine.journal").read_text()
    assert json.loads((kept / "status.json").read_text())["verdict"] in ("ok", "warn")
    assert json.loads((kept / "vdsm.inspect.json").read_text())[0]["Name"] == "vdsm"
    everything = b"".join(path.read_bytes() for path in kept.iterdir())
    assert b"PRIVATE KEY" not in everything


def test_an_interrupted_run_ends_command_and_host_and_keeps_the_journals(
    name: str, tmp_path: Path
) -> None:
    kept, marker = tmp_path / "kept", tmp_path / "marker"
    with ci(name, kept, "--", "sh", "-c", CHILD.format(marker=marker)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert marker.read_text() == "ended\n"
    assert name not in hosts()
    assert "serves" in (kept / "vdsm.journal").read_text()


def test_a_run_that_is_interrupted_while_the_host_comes_up_leaves_nothing(
    name: str, tmp_path: Path
) -> None:
    with ci(name, tmp_path / "kept", "--", "true") as process:
        assert process.stderr is not None
        while "booting" not in (line := process.stderr.readline()):
            assert line, "it ended by itself"
        os.kill(process.pid, signal.SIGINT)
        process.communicate(timeout=LIMIT)
    assert process.returncode == 128 + signal.SIGINT
    assert name not in hosts()


def test_inside_the_host_is_where_the_command_runs(name: str, tmp_path: Path) -> None:
    with ci(name, tmp_path / "kept", "--inside", "--", "hostname") as process:
        output, errors = process.communicate(timeout=LIMIT)
    assert (process.returncode, output) == (0, f"testhost-{name}\n"), errors


@pytest.mark.parametrize("words", [[], ["--copy", "x", "--", "true"], ["--inside", "--peer"]])
def test_wrong_usage_starts_nothing(name: str, tmp_path: Path, words: list[str]) -> None:
    with ci(name, tmp_path / "kept", *words) as process:
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 125
    assert "containers/ci: " in errors
    assert not (tmp_path / "kept").exists()
