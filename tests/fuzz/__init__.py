# SPDX-License-Identifier: GPL-2.0-or-later
"""Fuzzing: what reads bytes that others wrote, fed with bytes that nobody would write.

`targets/` has one module for each reader, `corpus/` its inputs, `engine.py` runs one of them under
atheris (`containers/fuzz`), and `tests/unit/fuzz` runs all of them briefly without it.
"""
