# SPDX-License-Identifier: GPL-2.0-or-later
"""Sends bytes to supervdsm, connection by connection.

stdin: {"socket", "connections"}; a connection is a list of messages in base64, each sent as it is,
or of [message, how many blanks come before its NUL]. Prints for each the answers, until the other
side closed or each whole message had its own.
"""

import base64
import contextlib
import json
import socket
import sys

PATIENCE = 60.0


def talk(path, messages):
    """Send `messages` one after the other; return the answers as texts."""
    answers, buffer = [], b""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        for message in messages:
            with contextlib.suppress(OSError):  # refused meanwhile: the answer says why
                sock.sendall(message)
                if not message.endswith(b"\0"):
                    sock.shutdown(socket.SHUT_WR)
            while b"\0" not in buffer:
                try:
                    data = sock.recv(65536)
                except ConnectionError:
                    data = b""
                if not data:
                    return answers
                buffer += data
            answer, _, buffer = buffer.partition(b"\0")
            answers.append(answer.decode())
    return answers


def decoded(message):
    """Return the bytes of a message."""
    text, blanks = message if isinstance(message, list) else (message, 0)
    data = base64.b64decode(text)
    return data[:-1] + b" " * blanks + b"\0" if blanks else data


def main():
    config = json.load(sys.stdin)
    answers = [
        talk(config["socket"], [decoded(message) for message in one])
        for one in config["connections"]
    ]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
