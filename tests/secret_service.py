"""A real Secret Service: gnome-keyring on a D-Bus session of its own, in a home of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PROGRAMS = ("dbus-run-session", "gnome-keyring-daemon")
_SCRIPT = """
printf 'a password' | gnome-keyring-daemon --unlock --components=secrets >/dev/null
printf '%s' "$DBUS_SESSION_BUS_ADDRESS" > "$HOME/address.new"
mv "$HOME/address.new" "$HOME/address"
exec sleep 3600
"""


@contextmanager
def running() -> Iterator[str]:
    """Start it, and yield the address of its bus; the default collection is unlocked."""
    if missing := [name for name in _PROGRAMS if shutil.which(name) is None]:
        pytest.skip(
            f"NOT TESTED against a real keyring, for lack of {', '.join(missing)}: "
            "apt-get install gnome-keyring dbus-daemon"
        )
    # Sockets are put there, whose paths may have about 100 characters.
    home = Path(tempfile.mkdtemp(prefix="ohllm-keyring-", dir="/tmp"))
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    process = subprocess.Popen(
        ["dbus-run-session", "--", "sh", "-c", _SCRIPT],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield _address(home / "address", process)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _address(path: Path, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + 30
    while time.monotonic() < until and process.poll() is None:
        if path.exists():
            return path.read_text()
        time.sleep(0.05)
    pytest.fail("gnome-keyring did not start")


def lock() -> None:
    """Lock the default collection of the bus that the environment names."""
    import secretstorage

    connection = secretstorage.dbus_init()
    try:
        secretstorage.get_default_collection(connection).lock()
    finally:
        connection.close()


@contextmanager
def used(address: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process and its children use the keyring at ``address``."""
    import keyring
    from keyring.backends import SecretService

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
    before = keyring.get_keyring()
    keyring.set_keyring(SecretService.Keyring())
    try:
        yield
    finally:
        keyring.set_keyring(before)


@contextmanager
def backend(instance: object) -> Iterator[None]:
    """Let this process use another backend."""
    import keyring

    before = keyring.get_keyring()
    keyring.set_keyring(instance)  # type: ignore[arg-type]
    try:
        yield
    finally:
        keyring.set_keyring(before)
