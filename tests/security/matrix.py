# SPDX-License-Identifier: GPL-2.0-or-later
"""The security table: for each verb and promise the tests that show it, or why there is nothing to
show. `python -m security.matrix` prints it; with `--write` it goes into docs/security.md.

The verbs are those of the contract. A reason is no text that somebody wrote beside a verb: it is
computed from the declaration, and a verb for which it does not hold has to have a test.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from security.attack import About
from security.ground import ELSEWHERE
from security.hostile import attacks, only_compared
from security.promises import Promise
from security.verbs import SETTINGS, VERBS, Kind, Shape, arguments, kinds, texts

PAGE: Final = Path(__file__).parents[2] / "docs/security.md"
BEGIN: Final = (
    "<!-- The table of verbs and promises: made by `python -m security.matrix --write`. -->"
)
END: Final = "<!-- The end of the table. -->"

_HOST: Final = "tests/host/test_security.py"
_STRAIN: Final = "tests/host/test_security_container.py"
_SECRETS: Final = "tests/host/test_security_secrets.py"
_DECLARED: Final = "tests/unit/security/test_declarations.py"
_SYSFS: Final = "tests/process/security/test_sysfs.py"
_FLOWS: Final = "tests/process/supervdsm/server/test_flows.py"

_UNITS: Final = "tests/host/test_units.py"
_NETWORK: Final = "tests/host/test_security_network.py"
_HOSTILE: Final = "tests/process/supervdsm/server/test_hostile.py"

CONTAINER: Final[dict[str, str]] = {
    "vdsm: no other uid, no capability, no new privileges": (
        f"{_UNITS}::test_vdsm_has_no_privilege"
    ),
    "vdsm: system calls that lead out are refused": (
        f"{_STRAIN}::test_system_calls_that_lead_out_are_refused"
    ),
    "vdsm: no namespace, socket family or call beyond its list": (
        f"{_UNITS}::test_the_seccomp_profile_refuses"
    ),
    "vdsm: neither sees nor signals a process of the host": (
        f"{_STRAIN}::test_processes_of_the_host_are_neither_seen_nor_signalled"
    ),
    "vdsm: writes to nothing but its own": f"{_STRAIN}::test_no_file_but_its_own_can_be_written",
    "vdsm: cannot replace supervdsm's socket": (
        f"{_STRAIN}::test_the_socket_of_supervdsm_cannot_be_replaced"
    ),
    "vdsm: reaches supervdsm and sanlock, and no other socket": (
        f"{_STRAIN}::test_supervdsm_and_sanlock_are_all_that_takes_a_connection"
    ),
    "vdsm: nothing that it has mounted gives power": (
        f"{_STRAIN}::test_nothing_that_is_mounted_gives_power"
    ),
    "peers: nobody claims to be another": f"{_STRAIN}::test_nobody_can_claim_to_be_another",
    "peers: a connection is judged by who made it": (
        f"{_STRAIN}::test_a_connection_is_judged_by_who_made_it"
    ),
    "peers: a process that ends is not mistaken for the next one of its number": (
        "tests/unit/supervdsm/server/test_peer.py::test_a_peer_that_cannot_be_pinned_is_refused"
    ),
    "peers: what is no message ends its connection": (
        f"{_HOSTILE}::test_a_bad_message_ends_its_connection"
    ),
    "peers: a message without an end takes no more memory than one may": (
        f"{_STRAIN}::test_of_a_message_without_an_end_no_more_is_taken_than_may_be"
    ),
    "peers: a client that reads no answers is dropped": (
        f"{_STRAIN}::test_a_client_that_reads_no_answers_is_dropped"
    ),
    "peers: descriptors that come with a message do not stay": (
        f"{_STRAIN}::test_descriptors_that_come_with_a_message_do_not_stay"
    ),
    "network: only a certificate of the authority, in its time, opens a session": (
        f"{_NETWORK}::test_only_a_certificate_that_counts_opens_a_session"
    ),
    "network: a frame without an end is cut off": (
        f"{_NETWORK}::test_a_frame_without_an_end_is_cut_off"
    ),
    "network: who never shakes hands is dropped": (
        f"{_NETWORK}::test_who_never_shakes_hands_is_dropped"
    ),
    "network: a good client is served all the time": (
        f"{_NETWORK}::test_others_are_served_all_the_time"
    ),
    "logs: no secret of vdsm's API": f"{_SECRETS}::test_secrets_of_the_api_are_in_no_log",
    "logs: no private key": f"{_SECRETS}::test_no_key_is_in_a_log",
    "logs: no line is forged": f"{_HOST}::test_no_line_of_the_journal_is_forged",
    "disk: no secret in any file": f"{_SECRETS}::test_no_file_has_a_secret",
    "answers: no error repeats a secret": f"{_SECRETS}::test_no_error_repeats_a_secret",
}
"""What docs/security.md promises beside the verbs, and the test that shows it."""

_ARGUMENTS: Final = (Promise.TYPED, Promise.PATH, Promise.NAME, Promise.NUMBER)

SECRET_NAME: Final = re.compile(
    r"pass(word|wd|code|phrase)|secret|token|credential|ticket|private_?key|opts$|options$",
    re.IGNORECASE,
)
"""Names of arguments that hold, or may hold, what no log may show."""
_NO_SECRETS: Final = frozenset({"network.SetupNetworks options", "network.PlanNetworks options"})
"""By their names they could; they are the engine's switches, such as connectivityCheck."""


@dataclass(frozen=True)
class Cell:
    """What stands for a promise of a verb: `tests` by their node ids, or a `reason` without any.

    `compared`: they show that it is all taken, and only compared.
    """

    tests: tuple[str, ...] = ()
    reason: str = ""
    compared: bool = False

    def __str__(self) -> str:
        if not self.tests:
            return self.reason
        if self.compared:
            return "compared"
        return "own" if any(test.endswith("]") for test in self.tests) else "door"


def cell(verb: str, promise: Promise) -> Cell:
    """Return the cell of a verb and a promise; an empty one if nothing stands there."""
    reason = next((text for text in _reasons(verb, promise)), "")
    if reason:
        return Cell(reason=reason)
    tests = tuple(_tests(verb, promise))
    compared = promise in _ARGUMENTS and only_compared(verb, About(promise.key))
    return Cell(tests, compared=compared and bool(tests))


def may_be_secret(verb: str) -> bool:
    """Whether a verb takes what is declared as secret, or is called so."""
    named = {each.path[-1] for each in texts(verb) if f"{verb} {each.name}" not in _NO_SECRETS}
    return bool(VERBS[verb].promise.secret) or any(map(SECRET_NAME.search, named))


def _reasons(verb: str, promise: Promise) -> Iterator[str]:
    """Yield why a verb cannot break a promise, each from its declaration."""
    match promise:
        case Promise.HELLO if verb == "service.Hello":
            yield "is Hello"
        case Promise.PATH | Promise.NAME if not texts(verb):
            yield "no text"
        case Promise.LINK if not texts(verb):
            yield "no text"
        case Promise.LINK if Kind.PATH not in kinds(verb):
            yield "no path"
        case Promise.NUMBER if not _has_numbers(verb):
            yield "no number"
        case Promise.SECRET if not may_be_secret(verb):
            yield "no secret"


def _has_numbers(verb: str) -> bool:
    """A tree can hold anything."""
    return any(each.shape in (Shape.NUMBER, Shape.TREE) for each in arguments(verb))


def _tests(verb: str, promise: Promise) -> Iterator[str]:
    match promise:
        case Promise.PEER:
            yield f"{_HOST}::test_who_is_not_vdsm_runs_nothing[{verb}]"
        case Promise.HELLO:
            yield f"{_HOST}::test_nothing_runs_before_hello[{verb}]"
        case Promise.WHOLE:
            yield f"{_HOST}::test_a_message_that_is_cut_off_runs_nothing[{verb}]"
        case Promise.SIZE:
            yield f"{_HOST}::test_a_message_beyond_the_limit_runs_nothing[{verb}]"
        case Promise.QUOTA:
            yield f"{_STRAIN}::test_more_connections_than_there_may_be_hurt_nobody_else"
        case Promise.TIME:
            yield f"{_DECLARED}::test_a_verb_has_a_limit[{verb}]"
            yield f"{_FLOWS}::test_a_verb_beyond_its_limit_is_answered_and_keeps_its_lock"
            yield f"{_STRAIN}::test_what_wears_a_connection_out_ends_it"
        case Promise.TYPED | Promise.PATH | Promise.NAME | Promise.NUMBER:
            yield from _of_arguments(verb, About(promise.key))
        case Promise.LINK:
            for level in ("last", "upper"):
                yield f"{_HOST}::test_a_link_swapped_in_is_not_followed[{verb}-{level}]"
        case Promise.UNCHANGED:
            yield f"{_HOST}::test_refused_calls_change_nothing"
        case Promise.ERROR:
            yield f"{_HOST}::test_errors_are_declared_and_tell_nothing[{verb}]"
        case Promise.AUDIT:
            yield f"{_HOST}::test_each_call_leaves_one_line[{verb}]"
        case Promise.SECRET:
            yield f"{_SECRETS}::test_secret_arguments_of_the_contract_are_in_no_log[{verb}]"


def _of_arguments(verb: str, about: About) -> Iterator[str]:
    """Yield the tests of hostile arguments, and of the good call that they differ from."""
    mine = [each for each in attacks(verb) if each.about is about]
    if any(each.in_host for each in mine):
        yield f"{_HOST}::test_hostile_arguments_are_refused[{verb}-{about.value}]"
    if mine and verb in SETTINGS:
        yield f"{_SYSFS}::test_hostile_arguments_write_nothing[{verb}-{about.value}]"
    if mine and verb in (*SETTINGS, *ELSEWHERE):
        yield f"{_SYSFS}::test_the_good_call_passes[{verb}]"
    if mine and verb not in ELSEWHERE:
        yield f"{_HOST}::test_the_good_call_that_attacks_begin_with_passes[{verb}]"


def table() -> dict[str, dict[Promise, Cell]]:
    """Return all cells."""
    return {verb: {promise: cell(verb, promise) for promise in Promise} for verb in VERBS}


def text() -> str:
    """Return the table as it stands in docs/security.md."""
    lines = ["| Name | Promise |", "|---|---|"]
    lines += [f"| {promise.key} | {promise.value} |" for promise in Promise]
    lines += ["", "| Verb | " + " | ".join(promise.key for promise in Promise) + " |"]
    lines.append("|---" * (len(Promise) + 1) + "|")
    for verb, cells in table().items():
        shown = " | ".join(str(cells[promise]) for promise in Promise)
        lines.append(f"| `{verb}` | {shown} |")
    lines += ["", "| Beside the verbs | Test |", "|---|---|"]
    lines += [f"| {promise} | `{_short(test)}` |" for promise, test in CONTAINER.items()]
    return "\n".join(lines)


def _short(test: str) -> str:
    """Return a node id as `FILE::TEST`, without the directory."""
    return test.rpartition("/")[2]


def main() -> None:
    if "--write" not in sys.argv:
        print(text())
        return
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{text()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
