# SPDX-License-Identifier: GPL-2.0-or-later
"""Mutations of inputs: of any bytes, and of JSON by its structure. The same for atheris and CI.

Bytes that are changed at random are hardly ever JSON, so that nothing behind the decoder would be
reached: a target that reads JSON has most of its inputs changed as values.
"""

import random
from typing import Any

import msgspec

WORDS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 4094, 4095, 65536, 2**31, 2**63, 2**64, -(2**63), 10**30),
    *(0.5, -0.0, 1e308, "", " ", ".", "..", "/", "/rhev/data-center/x", "../../etc", "a" * 300),
    *(
        "true",
        "no",
        "0",
        "1",
        "-1",
        "1500",
        "99999999999999999999",
        "\0",
        "\n",
        "\r\n",
        "=",
        ",",
        ":",
    ),
    *("é", "\u202e", "\ufeff", "\U0001f4a9", "%s", "{0}", "$(id)", "eth0", "bond0", "ovirtmgmt"),
    *("192.0.2.1", "192.0.2.1/24", "255.255.255.0", "::1", "fe80::1%eth0", "2001:db8::1/64"),
    *("00000000-0000-0000-0000-000000000000", (), ("",), ((),), ({"": ""},)),
)


def mutate(data: bytes, rng: random.Random, *, most: int, is_json: bool, prefix: int) -> bytes:
    """Return `data` with one to four changes, of at most `most` bytes."""
    changes = rng.randint(1, 4)
    of_values = sum(rng.random() < 0.8 for _ in range(changes)) if is_json else 0
    if of_values:
        data = data[:prefix].ljust(prefix, b"\0") + _json(data[prefix:], rng, of_values)
    for _ in range(changes - of_values):
        data = _bytes(data, rng)
    return data[:most]


def _bytes(data: bytes, rng: random.Random) -> bytes:
    at = rng.randint(0, len(data))
    end = min(len(data), at + rng.choice((1, 1, 2, 4, 16, 64)))
    match rng.randrange(7):
        case 0:
            return data[:at] + data[end:]
        case 1:
            return data[:at] + rng.randbytes(rng.choice((1, 2, 4, 8))) + data[at:]
        case 2:
            return data[:at] + data[at:end] * rng.choice((2, 3, 20)) + data[end:]
        case 3 if data:
            at = min(at, len(data) - 1)
            return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
        case 4:
            return data[:at] + rng.choice((b"\0", b"\n", b"\r\n", b"\xff", b"=", b'"')) + data[end:]
        case 5:
            other = rng.randint(0, len(data))
            return data[:at] + data[other : other + end - at] + data[end:]
        case _:
            return data[:at]


def _json(data: bytes, rng: random.Random, changes: int) -> bytes:
    try:
        value = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return _bytes(data, rng)
    for _ in range(changes):
        place = _place(value, rng)
        if place is None or rng.random() < 0.03:
            value = rng.choice(WORDS)
        else:
            _change(*place, value, rng)
    return msgspec.json.encode(value)


def _place(value: Any, rng: random.Random) -> tuple[Any, Any] | None:
    """A place within `value`, as its holder and its key or index; None when it holds nothing."""
    found = None
    while isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        found = value, key
        value = value[key]
        if rng.random() < 0.3:
            break
    return found


def _copy(value: Any) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


def _change(holder: Any, key: Any, whole: Any, rng: random.Random) -> None:
    old = holder[key]
    other, place = _place(whole, rng) or (holder, key)
    match rng.randrange(8):
        case 0:
            del holder[key]
        case 1:
            holder[key] = _copy(other[place])
        case 2 if isinstance(holder, dict):
            word = rng.choice(WORDS)
            holder[word if isinstance(word, str) else f"{key}x"] = holder.pop(key)
        case 3 if isinstance(holder, list):
            holder.insert(key, _copy(old))
        case 4 if isinstance(old, str):
            text = _bytes(old.encode(errors="replace"), rng)
            holder[key] = text.decode(errors="replace")
        case 5 if isinstance(old, int) and not isinstance(old, bool):
            holder[key] = old + rng.choice((-1, 1, 2**31, -(2**31), 2**63))
        case 6 if isinstance(holder, dict):
            holder[str(place)] = rng.choice(WORDS)
        case _:
            holder[key] = rng.choice(WORDS)
