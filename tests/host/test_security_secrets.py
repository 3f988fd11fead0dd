# SPDX-License-Identifier: GPL-2.0-or-later
"""With both daemons at DEBUG, a mark in the place of every secret is nowhere to be found."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from machines import ROOT, Machine
from security.campaign import base64s
from security.marks import WORD, Marks, calls, in_base64
from security.siege import Siege
from security.verbs import HELLO, VERBS, Shape, arguments, good, message, replaced

ADDRESS = "192.0.2.2"
SECRET_VERBS = [verb for verb in VERBS if VERBS[verb].promise.secret]
DEBUG = "/etc/containers/systemd/supervdsm.container.d/90-test-debug.conf"
SHOWN = "NoSecretAtAll"

PLACES = (
    "/var/log /var/lib/vdsm /run/vdsm /etc/vdsm /etc/pki/vdsm /rhev /tmp /var/tmp /run/log /root"
)
"""Where a log, the state of a task or a file that was forgotten could be."""


@dataclass(frozen=True)
class Found:
    """All that both daemons wrote and answered while the marks were sent."""

    journal: str
    answers: list[str]
    contract: dict[str, list[str]]
    """supervdsm's answers by verb."""
    files: str
    """Files with a mark in them, and the container's own log."""
    places: dict[str, str]
    marks: dict[str, list[str]]
    """Those of supervdsm's verbs."""

    def leaks(self, text: str) -> set[str]:
        """Return the places of the marks in a text, and what of it looks like one in base64."""
        plain = {self.places[mark] for mark in re.findall(rf"{WORD}\d{{4}}", text)}
        return (
            plain
            | {part for part in in_base64() if part in text}
            | ({"a part of a mark"} if WORD in text and not plain else set())
        )


@pytest.fixture(scope="module")
def siege(host: Machine) -> Iterator[Siege]:
    siege = Siege(host)
    siege.begin()
    level(host, "DEBUG")
    yield siege
    level(host, "INFO")
    siege.end()


def level(host: Machine, name: str) -> None:
    """Have both daemons log at a level."""
    host.client("Host", "setLogLevel", f"level={name}")
    old = host.pid("supervdsm")
    if name == "INFO":
        host.sh(f"rm -f {DEBUG}")
    else:
        lines = f"[Container]\nExec=--log-level {name}\n"
        host.sh(f"mkdir -p $(dirname {DEBUG}); printf %s {shlex.quote(lines)} >{DEBUG}")
    host.sh("systemctl daemon-reload; systemctl restart supervdsm.service")
    host.wait_for_restart("supervdsm", old)


@pytest.fixture(scope="module")
def found(siege: Siege, tmp_path_factory: pytest.TempPathFactory) -> Found:
    host = siege.host
    pki = tmp_path_factory.mktemp("pki") / "pki"
    host.copy_out("/etc/pki/vdsm", pki)
    marks, since = Marks(), siege.now()
    wanted = [*calls(marks), ("Host.echo", {"message": SHOWN})]
    words = ["env", f"PYTHONPATH={ROOT / 'src'}", sys.executable]
    words += [str(ROOT / "tests/security/calls.py"), ADDRESS, host.sh("hostname"), str(pki)]
    answers = host.tool_run(
        "exec", "--peer", host.name, "--", *words, stdin=json.dumps(wanted).encode(), timeout=300
    )
    contract, sent = {}, {}
    for verb in SECRET_VERBS:
        parameters = list(secret_calls(verb, marks))
        messages = [message(verb, each) for each in parameters]
        [contract[verb]] = siege.attack("talk", connections=[base64s(HELLO, *messages)])
        sent[verb] = [mark for mark, place in marks.places.items() if place == verb]
    patterns = " ".join(f"-e {each}" for each in (WORD, *in_base64()))
    return Found(
        journal=host.sh(
            f"journalctl --sync; journalctl -a -o export --after-cursor={shlex.quote(since)};"
            "podman logs vdsm 2>&1; podman logs supervdsm 2>&1",
            timeout=120,
        ),
        answers=json.loads(answers.stdout),
        contract=contract,
        files=host.sh(f"grep -rlaF -D skip --exclude-dir=journal {patterns} {PLACES} || true"),
        places=marks.places,
        marks=sent,
    )


def secret_calls(verb: str, marks: Marks) -> Iterator[dict[str, object]]:
    """Yield calls of a verb with a mark in each secret argument, alone and as part of options."""
    for argument in arguments(verb):
        if argument.shape is not Shape.TEXT or argument.path[0] not in secret_names(verb):
            continue
        for text in (
            "{}", "password={}", "ro,{}", "user=me,password=a,{}", "timeo={}", "sec={}", "ro={}",
            "username=x,pass={},vers=3", "credentials=/root/{}", " {}", "{}\n",
        ):  # fmt: skip
            whole = replaced(argument, text.format(marks.new(verb)))
            yield whole
            if verb == "storage.Mount":
                for vfs in ("nfs", "ext4", "xfs", "cifs", None):
                    source = {"fsSpec": "server:/export", "vfsType": vfs}
                    yield {**replaced(argument, text.format(marks.new(verb))), **source}
        yield {**good(verb), argument.path[0]: [marks.new(verb)]}


def secret_names(verb: str) -> set[str]:
    """Return the secret arguments by their names on the wire."""
    fields = VERBS[verb].parameters
    names = dict(zip(fields.__struct_fields__, fields.__struct_encode_fields__, strict=True))
    return {names[name] for name in VERBS[verb].promise.secret}


def test_the_logs_tell_all_but_secrets(found: Found) -> None:
    """Or the other tests here would see nothing where there is nothing."""
    assert SHOWN in found.journal
    assert "StoragePool.connectStorageServer parameters" in found.journal
    assert "********" in found.journal
    assert len(found.places) > 100


def test_secrets_of_the_api_are_in_no_log(found: Found) -> None:
    assert found.leaks(found.journal) - set(SECRET_VERBS) == set()


@pytest.mark.parametrize("verb", SECRET_VERBS)
def test_secret_arguments_of_the_contract_are_in_no_log(found: Found, verb: str) -> None:
    assert found.marks[verb]
    assert [mark for mark in found.marks[verb] if mark in found.journal] == []
    # Nor in what vdsm is answered, and might log.
    assert [each for each in found.contract[verb] if WORD in each] == []
    assert all("error" in each for each in found.contract[verb][1:])


def test_no_error_repeats_a_secret(found: Found) -> None:
    errors = [each for each in found.answers if found.leaks(each)]
    assert errors == []


def test_no_file_has_a_secret(found: Found) -> None:
    assert found.files == ""


def test_no_key_is_in_a_log(siege: Siege, found: Found) -> None:
    keys = siege.host.sh("cat /etc/pki/vdsm/keys/vdsmkey.pem /etc/pki/vdsm/ca/cakey.pem")
    lines = [line for line in keys.splitlines() if line and not line.startswith("-")]
    assert len(lines) > 2
    assert [line[:8] for line in lines if line in found.journal] == []
