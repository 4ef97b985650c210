"""What code in the sandbox can read, change and reach: hardly anything, tried by a real shell."""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from pytest_ohllm.autofix import process
from pytest_ohllm.autofix import sandbox as module
from pytest_ohllm.autofix.process import KEPT_BYTES, Finished
from pytest_ohllm.autofix.sandbox import environment_for, places_of_this_python, problem
from tests.autofix.ground import TOKEN, Ground, git, ground, running

CANARY = "canary-7f3a9c51e2b84d06"


@pytest.fixture
def place(tmp_path: Path) -> Ground:
    return ground(tmp_path)


def test_it_works_here() -> None:
    assert problem() is None


def test_keys_in_the_home_cannot_be_read(
    place: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text(CANARY)
    monkeypatch.setenv("HOME", str(home))
    real = pwd.getpwuid(os.getuid()).pw_dir
    done = place.shell(
        f"cat {home}/.ssh/id_ed25519 ~/.ssh/* {real}/.ssh/* /home/*/.ssh/*; ls -A ~ {home}; "
        "echo HOME=$HOME; getent passwd; "
        f"grep -rls {CANARY} / --exclude-dir=proc --exclude-dir=usr --exclude-dir=dev"
    )
    # grep finds the shell's own script nowhere, since /proc is left out.
    assert CANARY not in done.output
    assert "HOME=/home/agent" in done.output
    assert "id_ed25519: No such file" in done.output
    assert "agent:x:" in done.output and "root:" not in done.output


def test_the_environment_and_processes_outside_cannot_be_seen(
    place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    other = subprocess.Popen(["sleep", "600"], env={"SECRET": CANARY})
    try:
        done = place.shell(
            "env; cat /proc/*/environ /proc/*/task/*/environ | tr '\\0' '\\n'; "
            f"echo parent: $(ls -d /proc/{os.getpid()} /proc/{other.pid} 2>&1); "
            f"kill -9 {other.pid} {os.getpid()}; echo processes: $(ls -d /proc/[0-9]* | wc -l)"
        )
        assert CANARY not in done.output and "SOME_API_KEY" not in done.output
        assert "kill: " in done.output and "No such process" in done.output
        assert other.poll() is None
        count = int(done.output.partition("processes: ")[2].split()[0])
        assert count < 8
    finally:
        other.kill()
        other.wait()


def test_there_is_no_network(place: Ground) -> None:
    script = f"""
import socket
def attempt(what, do):
    try:
        do()
        print(what, "WORKED")
    except OSError as error:
        print(what, "failed:", type(error).__name__)
attempt("dns", lambda: socket.getaddrinfo("example.com", 443))
attempt("tcp", lambda: socket.create_connection(("192.0.2.1", 80), 2))
attempt("loopback", lambda: socket.create_connection(("127.0.0.1", PORT), 2))
attempt("udp", lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 53)))
attempt("raw", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0{CANARY}"))
"""
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as hidden:
        hidden.bind(f"\0{CANARY}")
        hidden.listen()
        server.settimeout(0.2)
        (place.worktree / "attempt.py").write_text(
            script.replace("PORT", str(server.getsockname()[1]))
        )
        done = place.shell(f"{sys.executable} attempt.py")
        with pytest.raises(TimeoutError):
            server.accept()
    assert "WORKED" not in done.output
    assert done.output.count("failed:") == 6


def test_only_worktree_and_scratch_can_be_written(place: Ground, tmp_path: Path) -> None:
    outside = tmp_path / "notes.txt"
    outside.write_text("mine")
    files = [outside, place.main / "calc.py", Path("/usr/ohllm-test"), Path(module.__file__)]
    before = [file.read_bytes() if file.exists() else None for file in files]
    script = "; ".join(f"echo stolen > {file}; rm -f {file}; ln -s / {file}" for file in files)
    apart = (
        "mount -o remount,rw,bind /usr; mount -t tmpfs none /usr; umount -l /usr; umount -l .git"
    )
    done = place.shell(
        f"{apart}; unshare -Urm bash -c '{apart}; {script}'; {script}; touch ../sibling; "
        f"echo in > in.txt; echo too > {place.scratch}/too.txt; chroot .; mknod device b 8 0; "
        "grep Cap /proc/self/status; ls /usr/bin | wc -l"
    )
    assert set(re.findall(r"Cap(?:Prm|Eff|Bnd|Amb):\s*(\w+)", done.output)) == {"0" * 16}
    assert [file.read_bytes() if file.exists() else None for file in files] == before
    assert (place.worktree / "in.txt").read_text() == "in\n", done.output
    assert (place.scratch / "too.txt").read_text() == "too\n"
    assert not (place.worktree.parent / "sibling").exists()
    assert not (place.worktree / "device").exists()
    assert place.scratch.stat().st_mode & 0o777 == 0o700


def test_the_repository_cannot_be_changed_and_holds_no_secret(place: Ground) -> None:
    repository = place.main / ".git"
    (repository / "git-crypt").mkdir()
    (repository / "git-crypt" / "key").write_text(CANARY)
    (repository / "modules" / "sub").mkdir(parents=True)
    (repository / "modules" / "sub" / "config").write_text(f"url = https://{CANARY}@x")
    before = _files(repository)
    link = (place.worktree / ".git").read_bytes()
    done = place.shell(
        f"""
        git config --list --show-origin; cat {repository}/config
        grep -rs -e {TOKEN} -e {CANARY} {repository} && echo FOUND
        echo '[core] fsmonitor = evil' >> {repository}/config
        git config core.fsmonitor evil
        echo evil > {repository}/hooks/post-checkout; mkdir -p {repository}/hooks
        rm -rf {repository}/*; mv {repository} {repository}.old
        echo 'gitdir: /evil' > .git; rm -f .git; mv .git old; ln -sf /evil .git; mkdir .git
        git add -A; git commit --allow-empty -m evil; git update-ref refs/heads/main HEAD~0
        git stash; git gc; git worktree add ../another; git push origin HEAD
        """
    )
    assert TOKEN not in done.output and CANARY not in done.output and "FOUND" not in done.output
    assert _files(repository) == before
    assert (place.worktree / ".git").read_bytes() == link
    assert git(place.main, "worktree", "list").count("\n") == 2


def test_git_shows_the_agent_what_it_has_done(place: Ground) -> None:
    done = place.shell(
        "sed -i s/-/+/ calc.py; echo x > new.txt; git status --short; git diff; git log --oneline"
    )
    assert done.code == 0
    assert "M calc.py" in done.output and "?? new.txt" in done.output
    assert "+    return a + b" in done.output and " one\n" in done.output
    assert "\x1b[" not in done.output


def test_a_clone_that_borrows_its_objects_can_be_read(place: Ground, tmp_path: Path) -> None:
    git(place.main, "clone", "-q", "--shared", str(place.main), str(tmp_path / "second"))
    tree = tmp_path / "second-tree"
    git(tmp_path / "second", "worktree", "add", "-q", str(tree))
    sandbox = module.Sandbox(tree, tmp_path / "second" / ".git", place.scratch)
    environment = environment_for(tree, place.scratch)
    done = sandbox.run(["git", "show", "--stat"], environment=environment, timeout=20)
    assert (done.code, "calc.py" in done.output) == (0, True), done.output


def test_a_worktree_can_be_read_only(place: Ground) -> None:
    environment = environment_for(place.worktree, place.scratch)
    sandbox = place.sandbox(read_only=True)
    words = ["bash", "-c", f"echo x > y; echo x > {place.scratch}/y"]
    assert "Read-only file system" in sandbox.run(words, environment=environment, timeout=20).output
    assert (place.scratch / "y").exists() and not (place.worktree / "y").exists()


def test_this_python_and_its_packages_are_there(place: Ground) -> None:
    done = place.shell(
        "python -c 'import importlib.util as u, pytest_ohllm, compat_suite, json, "
        'marker_of_the_worktree as m; print(json.dumps([m.HERE, u.find_spec("openhands").name, '
        'u.find_spec("litellm").name, u.find_spec("pytest").name]))\'; which python pytest git'
    )
    found = json.loads(done.output.splitlines()[0])
    assert found[0] == f"{place.worktree}/openhands-sdk/marker_of_the_worktree.py"
    assert done.code == 0


def test_the_places_of_this_python_are_its_own_alone() -> None:
    project = Path(module.__file__).parents[2]
    places = places_of_this_python()
    assert project not in places and Path.home() not in places
    assert not any((project / ".git").is_relative_to(place) for place in places)
    executable = Path(sys.executable)
    assert any(executable.is_relative_to(place) for place in (*places, Path("/usr")))


def seconds() -> str:
    """How long something sleeps that is looked for afterwards: no other process does so."""
    return str(10**9 + secrets.randbelow(10**9))


def test_nothing_is_left_of_what_runs_too_long(place: Ground) -> None:
    long = seconds()
    script = (
        f"echo begun; (setsid nohup sleep {long} >/dev/null 2>&1 &); trap '' TERM INT; sleep {long}"
    )
    started = time.monotonic()
    done = place.shell(script, timeout=1)
    assert done.timed_out and "begun" in done.output
    assert time.monotonic() - started < 5
    assert running(long) == []


@pytest.mark.parametrize("unsafe", [False, True])
def test_nothing_is_left_in_the_background(place: Ground, unsafe: bool) -> None:
    long = seconds()
    script = f"(setsid nohup sleep {long} >/dev/null 2>&1 &); sleep {long} & echo ended; exit 3"
    done = place.shell(script, unsafe=unsafe)
    assert (done.code, done.timed_out) == (3, False)
    assert "ended" in done.output
    assert running(long) == []


@pytest.mark.parametrize("unsafe", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_exception_ends_what_runs(
    place: Ground, error: type[BaseException], unsafe: bool
) -> None:
    long = seconds()

    def on_line(line: str) -> None:
        raise error(line)

    with pytest.raises(error, match="first"):
        place.sandbox(unsafe=unsafe).run(
            ["bash", "-c", f"echo first; sleep {long}; echo second"],
            environment=environment_for(place.worktree, place.scratch),
            timeout=30,
            on_line=on_line,
        )
    assert running(long) == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_parent(place: Ground, how: signal.Signals) -> None:
    long = seconds()
    script = f"""
from pathlib import Path
from tests.autofix.ground import Ground
Ground(Path({str(place.root)!r})).shell("touch {place.scratch}/begun; sleep {long}")
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _until((place.scratch / "begun").exists)
        assert running(long), "it was really begun"
        parent.send_signal(how)
        parent.wait(10)
        _until(lambda: not running(long))
        assert running(long) == []
    finally:
        parent.kill()
        parent.wait()


def test_other_threads_can_be_ended(place: Ground) -> None:
    found: list[Finished] = []
    long = seconds()
    thread = threading.Thread(target=lambda: found.append(place.shell(f"echo a; sleep {long}")))
    thread.start()
    _until(lambda: bool(running(long)))
    process.end_all()
    thread.join(10)
    assert found[0].code == -signal.SIGKILL and running(long) == []


def test_much_output_is_cut_at_its_beginning(place: Ground) -> None:
    lines: list[str] = []
    done = place.sandbox().run(
        ["bash", "-c", "seq 1000000; echo the end"],
        environment=environment_for(place.worktree, place.scratch),
        timeout=60,
        on_line=lines.append,
    )
    assert len(done.output) <= KEPT_BYTES + 10
    assert done.output.startswith("[…]") and done.output.endswith("1000000\nthe end\n")
    assert len(lines) == 1_000_001


def test_it_reads_what_it_is_given_and_tells_how_it_ended(place: Ground) -> None:
    environment = environment_for(place.worktree, place.scratch)
    given = "x" * 500_000

    def run(script: str, **more: str) -> Finished:
        words = ["bash", "-c", script]
        return place.sandbox().run(words, environment=environment, timeout=20, **more)

    assert run("wc -c", given=given).output.strip() == "500000"
    assert run("cat").output == ""
    assert run("exit 7").code == 7
    assert run("kill -9 $$").code == 137
    assert "no-such-program" in run("no-such-program").output


def test_a_place_that_is_missing_is_named(place: Ground) -> None:
    sandbox = module.Sandbox(
        place.worktree, place.main / ".git", place.scratch, (Path("/no/such/place"),)
    )
    done = sandbox.run(["true"], environment={"PATH": "/usr/bin"}, timeout=20)
    assert done.code != 0 and "/no/such/place" in done.output


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_it_works_for_an_ordinary_user() -> None:
    root = Path(tempfile.mkdtemp(prefix="ohllm-nobody-"))
    try:
        place = ground(root)
        place.scratch.mkdir()
        environment = environment_for(place.worktree, place.scratch)
        sandbox = module.Sandbox(place.worktree, place.main / ".git", place.scratch)
        script = f"id -u; git log --oneline; echo x > .git; echo y > new; cat {root}/main/calc.py"
        command = sandbox.command(["bash", "-c", script], environment)
        for path in (root, *root.rglob("*")):
            os.chown(path, 65534, 65534, follow_symlinks=False)
        done = subprocess.run(
            command, capture_output=True, text=True, user=65534, group=65534, extra_groups=[]
        )
        assert done.stdout.splitlines()[0] == "65534", done.stderr
        assert " one" in done.stdout and "return a - b" not in done.stdout
        assert "Read-only file system" in done.stderr
        assert (place.worktree / "new").read_text() == "y\n"
    finally:
        shutil.rmtree(root)


def test_without_bubblewrap_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "bubblewrap is not installed" in str(problem())
    assert "apt install bubblewrap" in str(problem())


@pytest.mark.parametrize(
    ("said", "way_out"),
    [
        ("bwrap: setting up uid map: Permission denied", "user namespaces must be allowed"),
        ("bwrap: Unknown option --clearenv", "too old"),
    ],
)
def test_a_bubblewrap_that_does_not_work_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, way_out: str
) -> None:
    program = tmp_path / "bwrap"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert said in str(problem()) and way_out in str(problem())


def test_elsewhere_than_on_linux_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "Linux" in str(problem())


def test_unsafe_means_the_same_environment_and_no_isolation(
    place: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_API_KEY", CANARY)
    monkeypatch.setenv("PYTHONPATH", "/somewhere/else")
    done = place.shell("pwd; env; cat calc.py; ls ~", unsafe=True)
    assert done.output.startswith(f"{place.worktree}\n")
    assert CANARY not in done.output and "/somewhere/else" not in done.output
    assert f"HOME={place.scratch}/home" in done.output
    assert f"PYTHONPATH={place.worktree}/openhands-sdk" in done.output
    assert f"OHLLM_EXPECT_SDK_ROOT={place.worktree}" in done.output


def test_unsafe_too_ends_in_time(place: Ground) -> None:
    done = place.shell("setsid sleep 17320508 & setsid sleep 17320508", unsafe=True, timeout=1)
    assert done.timed_out
    assert running("17320508") == []


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _until(condition: object, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < until
        time.sleep(0.02)
