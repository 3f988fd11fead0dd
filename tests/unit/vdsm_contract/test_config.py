# SPDX-License-Identifier: GPL-2.0-or-later
"""vdsm.conf: defaults, order of the files, and errors that name file and line."""

import configparser
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vdsm_contract import config, ovirt_settings
from vdsm_contract.config import Config, ConfigError, Loaded
from vdsm_contract.config_files import Entry, parse

FILE = Path("/etc/vdsm/vdsm.conf")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for directory in ("etc/vdsm/vdsm.conf.d", "run/vdsm/vdsm.conf.d"):
        (tmp_path / directory).mkdir(parents=True)
    return tmp_path


def write(root: Path, text: str | bytes, name: str = "etc/vdsm/vdsm.conf") -> None:
    (root / name).write_bytes(text.encode() if isinstance(text, str) else text)


def load(root: Path) -> Loaded:
    return config.load(root=root)


def problems(root: Path) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(root)
    return caught.value.problems


def test_without_files_the_defaults_hold(tmp_path: Path) -> None:
    assert load(tmp_path) == Loaded(Config(), (), {}, ())
    assert Config().ssl
    assert Config().nfs_mount_options == ("soft", "nosharecache")


def test_the_later_file_wins_and_is_the_origin(root: Path) -> None:
    write(root, "[vars]\nssl = false\n[rpc]\nworker_threads = 4\n")
    write(root, "[rpc]\nWORKER_threads: 5\n", "etc/vdsm/vdsm.conf.d/20-x.conf")
    write(root, "[rpc]\nworker_threads = 6\n", "etc/vdsm/vdsm.conf.d/10-x.conf")
    write(root, "[rpc]\nworker_threads = 7\n", "etc/vdsm/vdsm.conf.d/30-note.txt")
    write(root, "[rpc]\nworker_threads = 8\n", "etc/vdsm/vdsm.conf.d/.30-swap.conf")
    loaded = load(root)
    assert loaded.config == Config(ssl=False, worker_threads=5)
    entry = loaded.origins["worker_threads"]
    assert entry.place == "/etc/vdsm/vdsm.conf.d/20-x.conf, line 2"
    assert [file.name for file in loaded.files] == ["vdsm.conf", "10-x.conf", "20-x.conf"]


def test_drop_ins_of_both_directories_are_sorted_by_name(root: Path) -> None:
    write(root, "[rpc]\nworker_threads = 1\n", "etc/vdsm/vdsm.conf.d/10.conf")
    write(root, "[rpc]\nworker_threads = 2\n", "run/vdsm/vdsm.conf.d/20.conf")
    assert load(root).config.worker_threads == 2
    write(root, "[rpc]\nworker_threads = 3\n", "etc/vdsm/vdsm.conf.d/20.conf")
    assert load(root).config.worker_threads == 3


def test_what_only_ovirt_knows_has_no_effect_and_is_told(root: Path) -> None:
    write(root, "[vars]\nssl = false\nmigration_downtime = x\n[mom]\nconf = /etc/vdsm/mom.conf\n")
    loaded = load(root)
    assert not loaded.config.ssl
    assert [(entry.name, entry.line) for entry in loaded.without_effect] == [
        ("[vars] migration_downtime", 3),
        ("[mom] conf", 5),
    ]


def test_no_setting_is_listed_as_one_without_effect() -> None:
    for setting in config.settings():
        assert not ovirt_settings.knows(setting.section, setting.key), setting.name


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("[vars]\n\nssl = maybe\n", 3, "[vars] ssl = maybe: expected true or false"),
        ("[vars]\nssl =\n", 2, "expected true or false"),
        ("[vars]\nsls = true\n", 2, "there is no setting [vars] sls"),
        ("[vars]\nssl.x = true\n", 2, "there is no setting [vars] ssl.x"),
        ("# x\n[wars]\nssl = true\n", 3, "there is no setting [wars] ssl"),
        ("[rpc]\nssl = true\n", 2, "there is no setting [rpc] ssl"),
        ("[addresses]\nmanagement_port = 0\n", 2, "expected a number from 1 to 65535"),
        ("[addresses]\nmanagement_port = ٣\n", 2, "expected a number from 1 to 65535"),
        ("[addresses]\nmanagement_ip = here\n", 2, "expected an IP address"),
        ("[rpc]\nworker_threads = many\n", 2, "expected a number"),
        ("[rpc]\nworker_threads = 4 # few\n", 2, "expected a number"),
        ("[rpc]\nworker_threads = 4\n  5\n", 2, "expected a number"),
        ("[vars]\nhost_mem_reserve = 1GiB\n", 2, "of MiB from 0 to 1000000, without a unit"),
        ("[vars]\nhost_sample_stats_interval = 15s\n", 2, "of seconds from 1 to 3600"),
        ("[irs]\nnfs_mount_options = soft, intr,,\n", 2, "expected mount options"),
        ("[irs]\nnfs_mount_options = soft;rm\n", 2, "expected mount options"),
        ("[vars]\nhidden_nics = a b\n", 2, "expected patterns of names"),
        ("ssl = true\n", 1, "ssl stands before the first [SECTION]"),
        ("[vars]\nssl\n", 2, "expected KEY = VALUE, not ssl"),
        ("[vars]\n= true\n", 2, "expected KEY = VALUE"),
        ("[vars\nssl = true\n", 1, "expected [SECTION], not [vars"),
        ("[]\n", 1, "expected [SECTION]"),
        ("[vars]\nssl = true\nSSL = true\n", 3, "ssl is there already, in line 2"),
        ("[vars]\n[rpc]\n[vars]\n", 3, "section [vars] is there already, in line 1"),
        (b"[vars]\n\n\nssl = \xff\n", 4, "is not UTF-8"),
        (b"\xef\xbb\xbf[vars]\n", 1, "byte order mark"),
        (b"[vars]\n\0ssl = true\n", 2, "there is no setting [vars] '\\x00ssl'"),
        ("[vars]\n" + "x" * 500 + " = 1\n", 2, "there is no setting [vars] " + "x" * 80 + "…"),
        (
            "[vars]\n" + "\0" * 90 + " = 1\n",
            2,
            "there is no setting [vars] '" + r"\x00" * 19 + r"\x0…",
        ),
    ],
)
def test_an_error_names_file_and_line(root: Path, text: str | bytes, line: int, why: str) -> None:
    write(root, text)
    (problem,) = problems(root)
    assert problem.startswith(f"/etc/vdsm/vdsm.conf, line {line}: ")
    assert why in problem
    assert "\n" not in problem


def test_all_problems_of_all_files_are_told_at_once(root: Path) -> None:
    write(root, "[vars]\nssl = maybe\nsls = true\n")
    write(root, "ssl = true\n", "etc/vdsm/vdsm.conf.d/10.conf")
    write(root, "[rpc]\nworker_threads = 0\n", "run/vdsm/vdsm.conf.d/20.conf")
    assert sorted(problem.partition(": ")[0] for problem in problems(root)) == [
        "/etc/vdsm/vdsm.conf, line 2",
        "/etc/vdsm/vdsm.conf, line 3",
        "/etc/vdsm/vdsm.conf.d/10.conf, line 1",
        "/run/vdsm/vdsm.conf.d/20.conf, line 2",
    ]


def _directory(path: Path) -> None:
    path.mkdir()


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere")


def _large(path: Path) -> None:
    path.write_bytes(b"#" * (1024 * 1024 + 1))


@pytest.mark.parametrize("name", ["vdsm.conf", "vdsm.conf.d/10.conf"])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_directory, "it is a directory"),
        (os.mkfifo, "it is no regular file"),
        (_dangling, "No such file"),
        (_large, "larger than"),
    ],
)
def test_what_is_no_readable_file_is_an_error(
    root: Path, name: str, make: "os.PathLike[str]", why: str
) -> None:
    assert callable(make)
    make(root / "etc/vdsm" / name)
    (problem,) = problems(root)
    assert problem.startswith(f"/etc/vdsm/{name} cannot be read: ")
    assert why in problem


def test_a_file_in_the_place_of_the_drop_ins_is_an_error(root: Path) -> None:
    (root / "run/vdsm/vdsm.conf.d").rmdir()
    write(root, "", "run/vdsm/vdsm.conf.d")
    assert problems(root) == ("/run/vdsm/vdsm.conf.d cannot be read: Not a directory",)


# --- properties ---------------------------------------------------------------------------------

_LINES = st.lists(
    st.one_of(
        st.text(max_size=30),
        st.sampled_from(["[vars]", "[rpc]", "ssl = true", "worker_threads: 5", "# x", "", " 5"]),
    ),
    max_size=8,
)


@given(_LINES)
def test_any_text_has_entries_or_problems_with_their_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    count = len(text.split("\n"))
    try:
        entries = parse(text, FILE)
        loaded = config.evaluate(entries)
    except ConfigError as error:
        for problem in error.problems:
            where, _, why = problem.partition(": ")
            assert 1 <= int(where.removeprefix(f"{FILE}, line ")) <= count
            assert why.isprintable()
    else:
        for name, entry in loaded.origins.items():
            assert text.split("\n")[entry.line - 1].strip().lower().startswith(name)


_NAMES = st.text("abcdefghij_", min_size=1, max_size=8)
_VALUES = st.text("abc =:#;[]%.5", max_size=12).map(str.strip)


@given(st.dictionaries(_NAMES, st.dictionaries(_NAMES, _VALUES, max_size=4), max_size=4))
def test_a_file_means_what_it_means_to_configparser(files: dict[str, dict[str, str]]) -> None:
    """oVirt reads its files with configparser; interpolation apart, ours are read alike."""
    text = "".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
        for section, keys in files.items()
    )
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    parser.read_string(text)
    found: dict[str, dict[str, str]] = {section: {} for section in files}
    for entry in parse(text, FILE):
        found[entry.section][entry.key] = entry.value
    assert found == {section: dict(parser.items(section)) for section in parser.sections()}


@given(st.sampled_from(config.settings()))
def test_the_default_of_a_setting_may_be_written(setting: config.Setting) -> None:
    entry = Entry(FILE, 1, setting.section, setting.key, setting.default)
    assert config.evaluate([entry]).config == Config()
