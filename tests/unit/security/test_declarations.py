# SPDX-License-Identifier: GPL-2.0-or-later
"""What each verb must declare, and what the attacks must know of it."""

import json

import msgspec
import pytest

from security.attack import About
from security.hostile import abouts, attacks
from security.matrix import SECRET_NAME, may_be_secret
from security.verbs import HELLO, VERBS, Shape, arguments, good, message, said, texts
from vdsm_contract.limits import MESSAGE_DEADLINE
from vdsm_contract.wire import Request

LONGEST = 900
"""Seconds: a change of networks waits for the engine that long."""


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_a_limit(verb: str) -> None:
    assert MESSAGE_DEADLINE <= VERBS[verb].promise.limit <= LONGEST


def test_of_each_text_it_is_said_what_it_is_taken_for() -> None:
    """A new verb with a text is attacked by nothing before somebody says what that is."""
    assert {f"{each.verb} {each.name}" for verb in VERBS for each in texts(verb)} == said()


@pytest.mark.parametrize("verb", VERBS)
def test_the_good_call_that_attacks_begin_with_is_one(verb: str) -> None:
    request = msgspec.json.decode(message(verb, good(verb))[:-1], type=Request)
    msgspec.json.decode(request.parameters, type=VERBS[verb].parameters)


@pytest.mark.parametrize("verb", VERBS)
def test_each_argument_is_attacked(verb: str) -> None:
    attacked = {attack.field: attack.about for attack in attacks(verb) if attack.field}
    for argument in arguments(verb):
        assert argument.field in attacked
    shapes = {argument.shape for argument in arguments(verb)}
    assert About.TYPE in abouts(verb)
    assert ({About.PATH, About.NAME} <= abouts(verb)) == bool(shapes & {Shape.TEXT, Shape.TREE})
    assert (About.NUMBER in abouts(verb)) == bool(shapes & {Shape.NUMBER, Shape.TREE})


@pytest.mark.parametrize("verb", VERBS)
def test_what_may_be_secret_by_its_name_is_declared_as_secret(verb: str) -> None:
    secret = VERBS[verb].promise.secret
    assert may_be_secret(verb) == bool(secret)


@pytest.mark.parametrize(
    "name", ["password", "cifsPasswd", "token", "privateKey", "mntOpts", "mountOptions"]
)
def test_names_that_tell_of_a_secret(name: str) -> None:
    assert SECRET_NAME.search(name)


def test_messages_are_calls() -> None:
    assert json.loads(HELLO[:-1])["method"] == "org.ovirt.supervdsm.service.Hello"
