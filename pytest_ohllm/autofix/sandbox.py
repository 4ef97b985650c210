"""Where code that nobody has read runs: bubblewrap, without a network, the user's files or keys.

The agent, and everything that executes what it wrote, sees the system's programs, this Python, one
worktree and one scratch folder. It has no way out but the files that it writes there.
"""

from __future__ import annotations

import os
import secrets
import shutil
import site
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pytest_ohllm.autofix.process import MARK, Finished, Report, run
from pytest_ohllm.autofix.python_places import places_of_this_python
from pytest_ohllm.autofix.repository_view import RepositoryView
from pytest_ohllm.evidence.files import make_folder, replace_file

__all__ = ["Finished", "Sandbox", "environment_for", "places_of_this_python", "problem"]

HOME = "/home/agent"
"""An empty folder in memory."""

_FURNITURE = ".sandbox"
_SOURCES = ("openhands-sdk", "openhands-tools", "openhands-workspace", "openhands-agent-server")

_ISOLATION = (
    # With capabilities, root could take the mounts apart.
    *("--unshare-all", "--unshare-user", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"),
    *("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run"),
    *("--ro-bind", "/usr", "/usr", "--dir", HOME),
)
_ROOT_FOLDERS = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_SYSTEM_FILES = (
    *("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives"),
    # The folder above may hold private keys.
    *("/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/pki/tls/certs", "/etc/ca-certificates"),
    *("/etc/pki/ca-trust/extracted", "/etc/localtime", "/etc/mime.types", "/nix/store"),
)


@dataclass(frozen=True)
class Sandbox:
    """A place to run commands in, whose current folder is ``worktree``.

    Written are the worktree, unless it is ``read_only_worktree``, and ``scratch``. Of ``git_dir``,
    the main checkout's ``.git``, only what history consists of is readable: neither its
    configuration nor its hooks. ``readable`` are further places, by the same path as outside.
    ``unsafe`` gives the same environment and folder, and keeps nothing apart.
    """

    worktree: Path
    git_dir: Path
    scratch: Path
    readable: tuple[Path, ...] = ()
    unsafe: bool = False
    read_only_worktree: bool = False

    def command(self, argv: Sequence[str], environment: Mapping[str, str]) -> list[str]:
        """``argv`` as it is started from outside."""
        if self.unsafe:
            return list(argv)
        settings = [word for item in environment.items() for word in ("--setenv", *item)]
        there = ["--chdir", str(self.worktree.resolve()), "--"]
        return [*_enclosure(), *self._mounts(), *settings, *there, *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str],
        timeout: float,
        given: str | None = None,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run a command with exactly this environment; ``given`` is its standard input.

        Nothing of it is left afterwards, be it because it ended, because of ``timeout`` (seconds),
        or because of an exception such as KeyboardInterrupt. ``on_line`` gets its standard output.
        """
        make_folder(self.scratch)
        if self.unsafe:
            own = {**environment, **self._own_folders(), MARK: secrets.token_hex(16)}
            folder, report = self.worktree, None
            command = self.command(argv, own)
        else:
            own, folder, report = {}, Path("/"), Report()
            program, *rest = self.command(argv, environment)
            command = [program, "--info-fd", str(report.given), *rest]
        return run(
            command,
            environment=own,
            folder=folder,
            timeout=timeout,
            given=given,
            on_line=on_line,
            report=report,
        )

    def _own_folders(self) -> dict[str, str]:
        folders = {"HOME": self.scratch / "home", "TMPDIR": self.scratch / "tmp"}
        for folder in folders.values():
            make_folder(folder)
        return {name: str(folder) for name, folder in folders.items()}

    def _mounts(self) -> Iterator[str]:
        scratch, worktree = self.scratch.resolve(), self.worktree.resolve()
        view = RepositoryView(self.git_dir.resolve(), worktree)
        for place in self.readable:
            yield from ("--ro-bind", str(place), str(place))
        yield from ("--bind", str(scratch), str(scratch))
        how = "--ro-bind" if self.read_only_worktree else "--bind"
        yield from (how, str(worktree), str(worktree))
        furniture = scratch / _FURNITURE
        make_folder(furniture)
        replace_file(furniture / "config", view.harmless_configuration())
        yield from view.mounts(furniture / "config")
        for name, content in _system_files().items():
            file = furniture / name
            replace_file(file, content.encode())
            yield from ("--ro-bind", str(file), f"/etc/{name}")
        # They are seen at their places alone, where they cannot be written.
        yield from ("--tmpfs", str(furniture))


def _enclosure() -> list[str]:
    """bubblewrap with what every command needs: nobody's files yet."""
    program = shutil.which("bwrap") or "bwrap"
    return [*_isolation(program), *_within(program)]


def _isolation(program: str) -> list[str]:
    words = [program, *_ISOLATION]
    for name in _ROOT_FOLDERS:
        folder = Path("/", name)
        if folder.is_symlink():
            words += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            words += ["--ro-bind", str(folder), str(folder)]
    for place in _SYSTEM_FILES:
        words += ["--ro-bind-try", place, place]
    return words


@cache
def _within(program: str) -> tuple[str, ...]:
    """No further namespaces in there, where that can be had: one thing less for the kernel to get
    right. It needs bubblewrap 0.8 and, in a container, a writable ``/proc/sys``."""
    words = ("--disable-userns",)
    return words if _try([*_isolation(program), *words])[0] == 0 else ()


def _try(bubblewrap: list[str]) -> tuple[int, str]:
    """The exit code of a command that does nothing, and the last line of what was said."""
    try:
        done = subprocess.run(
            [*bubblewrap, "--", "true"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            env={"PATH": os.defpath},
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
    return done.returncode, said[-1]


def _system_files() -> dict[str, str]:
    """Files of ``/etc`` that name no user, host or server of this machine."""
    user, group = os.getuid(), os.getgid()
    return {
        "passwd": f"agent:x:{user}:{group}::{HOME}:/bin/bash\n",
        "group": f"agent:x:{group}:\n",
        "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    }


def problem() -> str | None:
    """Why commands cannot be kept apart here, and the way out; ``None`` if they can."""
    if not sys.platform.startswith("linux"):
        return "the sandbox is bubblewrap, which there is on Linux only: use a Linux machine"
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed: `apt install bubblewrap` or `dnf install bubblewrap`"
    code, said = _try(_enclosure())
    return None if code == 0 else f"bubblewrap does not work here ({said}): {_way_out(said)}"


def _way_out(said: str) -> str:
    if "Unknown option" in said:
        return "it is too old; 0.5 is the oldest version that can be used"
    return (
        "user namespaces must be allowed, on Ubuntu by `sysctl -w "
        "kernel.apparmor_restrict_unprivileged_userns=0`, on older Debians by `sysctl -w "
        "kernel.unprivileged_userns_clone=1`, for a container by `--security-opt "
        "seccomp=unconfined`"
    )


def environment_for(worktree: Path, scratch: Path) -> dict[str, str]:
    """The environment of commands that shall use the SDK of ``worktree``; nothing is inherited.

    Bytecode is kept in ``scratch``, since it could be changed where nobody looks at the patch. So
    what judges the agent's work needs a scratch folder that the agent never had.
    """
    root = worktree.resolve()
    sources = [root / name for name in _SOURCES if (root / name).is_dir()]
    return {
        "PATH": os.pathsep.join(
            [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
        ),
        "HOME": HOME,
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        **({"PYTHONPATH": os.pathsep.join(map(str, sources))} if sources else {}),
        "OHLLM_EXPECT_SDK_ROOT": str(root),
        "PYTHONPYCACHEPREFIX": str(scratch.resolve() / "pycache"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "TMUX_TMPDIR": "/tmp",
        **_user_packages(),
        **SDK_SETTINGS,
        **_GIT_SETTINGS,
    }


SDK_SETTINGS = {
    # Without these the SDK and litellm ask for files in the network, and wait for them.
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "HF_HUB_OFFLINE": "1",
    "ANONYMIZED_TELEMETRY": "false",
    "OPENHANDS_SUPPRESS_BANNER": "1",
    "ALLOW_SHORT_CONTEXT_WINDOWS": "true",
}
_GIT_SETTINGS = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "GIT_CONFIG_NOSYSTEM": "1",
    # In here files may seem to belong to somebody else.
    "GIT_CONFIG_COUNT": "2",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "color.ui",
    "GIT_CONFIG_VALUE_1": "false",
}


def _user_packages() -> dict[str, str]:
    """Where `pip install --user` has put things, which depends on HOME otherwise."""
    with suppress(AttributeError):
        if site.ENABLE_USER_SITE and site.getusersitepackages() in sys.path:
            return {"PYTHONUSERBASE": site.getuserbase()}
    return {}
