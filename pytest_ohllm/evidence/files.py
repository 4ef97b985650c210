"""Files and folders for their owner only, written so that a reader never sees half of one."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


def make_folder(path: Path) -> bool:
    """Create ``path`` and its missing parents with mode 0700; tells whether it was missing.

    Folders that exist keep their mode: they are someone else's. Raises ``OSError``.
    """
    if path.is_dir():
        return False
    if path.parent != path:
        make_folder(path.parent)
    try:
        path.mkdir(mode=PRIVATE_FOLDER)
    except FileExistsError:
        if path.is_dir():  # another process was faster
            return False
        raise
    path.chmod(PRIVATE_FOLDER)  # the umask can take rights from mkdir's mode
    return True


def replace_file(path: Path, content: bytes) -> None:
    """Write ``path`` in one step: readers see the old content or the new one, never a part."""
    temporary = _temporary(path, content)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def create_file(path: Path, content: bytes) -> bool:
    """Write ``path`` unless it exists; of several processes exactly one is told ``True``."""
    temporary = _temporary(path, content)
    try:
        # A link appears with its whole content or fails because someone was first.
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        return _create_directly(path, content)
    finally:
        temporary.unlink(missing_ok=True)
    return True


def append_line(path: Path, line: bytes) -> None:
    """Append one line; lines of several processes do not mix, each being a single write."""
    descriptor = _open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        _write_all(descriptor, line + b"\n")
    finally:
        os.close(descriptor)


def encode(text: str) -> bytes:
    """UTF-8 with lone surrogates spelled out, which hostile or broken output can contain."""
    return text.encode("utf-8", errors="backslashreplace")


def _temporary(path: Path, content: bytes) -> Path:
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = _open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        _write_all(descriptor, content)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return temporary


def _create_directly(path: Path, content: bytes) -> bool:
    try:
        descriptor = _open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return False
    try:
        _write_all(descriptor, content)
    finally:
        os.close(descriptor)
    return True


def _open(path: Path, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_CLOEXEC, PRIVATE_FILE)
    with suppress(OSError):  # file systems without modes
        os.fchmod(descriptor, PRIVATE_FILE)
    return descriptor


def _write_all(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
