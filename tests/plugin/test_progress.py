"""While a check runs one sees which, and pytest's own output stays what it is."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from tests.plugin.conftest import MakeProject, Project

SLOW = """
    import time
    import pytest

    @pytest.mark.llm_stage("D")
    @pytest.mark.parametrize("number", range(2))
    def test_slow(llm_profile, number):
        print("to be captured")
        time.sleep({seconds})

    def test_other(): pass
"""
STATUS = re.compile(r"\x1b7(.*?)\x1b8", re.DOTALL)
LINE = re.compile(r"^ohllm: D slow.*$", re.MULTILINE)


def at_a_terminal(project: Project, *arguments: str, columns: int = 100) -> str:
    """What a terminal gets from a run of pytest."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "--llm-profile=sim", "test_slow.py", *arguments],
        cwd=project.path,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "HOME": str(project.path)},
        start_new_session=True,
    )
    os.close(theirs)
    shown = b""
    try:
        while data := _read(ours):
            shown += data
        assert process.wait(60) == 0, shown
    finally:
        process.kill()
        os.close(ours)
    return shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


@pytest.fixture
def project(make_project: MakeProject) -> Project:
    project = make_project("slow")
    project.write("test_slow.py", SLOW.format(seconds=1.2))
    return project


@pytest.fixture
def every_second(project: Project) -> Project:
    """The same, where plain lines come each half second: nobody waits ten in a test."""
    (project.path / "conftest.py").write_text(
        "import pytest_ohllm.session.progress as p\np.SECONDS[False] = 0.5\n"
    )
    return project


@pytest.mark.parametrize("options", [(), ("-v",), ("-n2",)], ids=" ".join)
def test_on_a_terminal_a_status_comes_and_goes_beside_pytests_output(
    project: Project, options: tuple[str, ...]
) -> None:
    shown = at_a_terminal(project, *options)

    states = STATUS.findall(shown)
    assert len(states) > 2
    for state in states:
        visible = re.sub(r"\x1b\[\d*[mK]", "", state)
        assert visible.startswith("  D slow") and "(sim)" in visible, state
        assert "\n" not in state and len(visible) < 100
    without = STATUS.sub("", shown).replace("\x1b[K", "")
    assert "ohllm: D" not in without and "done" not in without
    assert "to be captured" not in shown
    assert "3 passed" in without
    ended = shown.rpartition("\x1b8")[2]
    assert ended.startswith("\x1b[K"), "the last one is erased"
    if not options:
        assert re.search(r"test_slow\.py (\x1b\[\d+m|\x1b\[0m|\.)+ +\[100%\]", without), without


@pytest.mark.parametrize("options", [("-q",), ("-s",), ("--pdb",)], ids=" ".join)
def test_there_is_none_where_it_would_disturb(project: Project, options: tuple[str, ...]) -> None:
    shown = at_a_terminal(project, *options)

    assert "\x1b7" not in shown and "ohllm: D" not in shown


def test_a_narrow_terminal_has_no_room_for_it(project: Project) -> None:
    assert "\x1b7" not in at_a_terminal(project, columns=40)


@pytest.mark.parametrize("options", [(), ("-n2",)], ids=" ".join)
def test_in_a_log_there_are_plain_lines(every_second: Project, options: tuple[str, ...]) -> None:
    result = every_second.run("--llm-profile=sim", "test_slow.py", *options)

    lines = LINE.findall(result.output)
    assert len(lines) > 2, result.output
    assert "\x1b" not in result.output
    assert all(re.fullmatch(r"ohllm: D slow\[\d\] \(sim\) .* done .*s", line) for line in lines)
    rest = LINE.sub("", result.output)
    assert result.ret == 0 and "3 passed" in rest
    assert "\n\n\n" not in result.output.partition("collected")[2].partition("WORKS")[0]


def test_in_a_verbose_log_each_test_keeps_its_line(every_second: Project) -> None:
    result = every_second.run("--llm-profile=sim", "test_slow.py", "-v")

    for number in range(2):
        assert re.search(
            rf"^test_slow.py::test_slow\[sim-{number}\] PASSED +\[", result.output, re.MULTILINE
        ), result.output
    assert LINE.search(result.output)


def test_a_short_run_says_nothing_more(make_project: MakeProject) -> None:
    project = make_project("short")
    project.write("test_slow.py", SLOW.format(seconds=0))

    assert "ohllm: D" not in project.run("--llm-profile=sim", "test_slow.py").output
