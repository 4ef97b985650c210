"""From an archive back to a run folder. The archive may come from anybody, so nothing is trusted.

Its list of contents is read only if it is small; every name must be one that evidence has; nothing
but ordinary files is accepted; and what is unpacked is counted while it is unpacked. The run is
built beside the others and appears among them when it is whole.
"""

from __future__ import annotations

import secrets
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from pytest_ohllm.evidence.archive import LARGEST_FILE, LARGEST_TOTAL, MOST_FILES
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.files import make_folder, replace_file
from pytest_ohllm.evidence.members import RUN_ID, is_member
from pytest_ohllm.evidence.reader import read_run
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.run_folder import RunFolder

_END = struct.Struct("<4s4H2LH")
_LOCATOR = 20  # bytes; it stands before the end where the archive is "zip64"
_LARGEST_LIST = 16 * 1024 * 1024
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_CHUNK = 1024 * 1024
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    struct.error,
    ValueError,
)


def unpack(archive: Path, runs: Path) -> Path:
    """Put the run in ``archive`` among the others in ``runs``, and return its folder.

    Raises ``RunError`` if the archive is not one that ``export`` could have written, or if the run
    is there already. Then nothing is left behind.
    """
    temporary = runs / f".import-{secrets.token_hex(6)}"
    try:
        with _refusing(archive, "imported"):
            with _content(archive) as content:
                run_id, names = _checked(archive, content)
                target = runs / run_id
                if target.exists():
                    raise RunError(f"the run {run_id} is there already: {target}")
                _extract(archive, content, names, temporary)
            _settle(archive, temporary, run_id)
            temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def run_in(archive: Path) -> str:
    """The id of the run that ``archive`` holds. Raises ``RunError`` as ``unpack`` does."""
    with _refusing(archive, "read"), _content(archive) as content:
        return _checked(archive, content)[0]


@contextmanager
def _refusing(archive: Path, done: str) -> Iterator[None]:
    """Say of what is wrong with the archive that it is refused, or cannot be ``done``."""
    try:
        yield
    except _BROKEN as error:
        raise RunError(f"{archive} is refused: {error or 'it is damaged'}") from error
    except OSError as error:
        raise RunError(f"{archive} cannot be {done}: {error.strerror or error}") from error


@contextmanager
def _content(archive: Path) -> Iterator[zipfile.ZipFile]:
    with _opened(archive) as file:
        _check_list(archive, file)
        with zipfile.ZipFile(file) as content:
            yield content


def _opened(archive: Path) -> IO[bytes]:
    if archive.exists() and not archive.is_file():
        raise RunError(f"{archive} is not a file")
    if archive.stat().st_size > LARGEST_TOTAL:
        raise RunError(f"{archive} is refused: it is larger than {_size(LARGEST_TOTAL)}")
    return archive.open("rb")


def _check_list(archive: Path, file: IO[bytes]) -> None:
    """Refuse an archive whose list of contents would itself be too much.

    ``zipfile`` reads the whole list at once. What we write has no comment and is not "zip64".
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _LOCATOR - _END.size))
    tail = file.read()
    end = tail[-_END.size :]
    if len(end) < _END.size or not end.startswith(b"PK\x05\x06"):
        raise RunError(f"{archive} is refused: it is not an archive of `ohllm runs export`")
    _, _, _, _, count, size, _, comment = _END.unpack(end)
    large = tail[: -_END.size].startswith(b"PK\x06\x07")
    if large or comment or count > MOST_FILES or size > _LARGEST_LIST:
        raise RunError(f"{archive} is refused: it lists more than {MOST_FILES:,} files")
    file.seek(0)


def _checked(
    archive: Path, content: zipfile.ZipFile
) -> tuple[str, list[tuple[str, zipfile.ZipInfo]]]:
    """The run's id and its files by name, if all of them are what they should be."""
    infos = content.infolist()
    run_id = infos[0].filename.partition("/")[0] if infos else ""
    if not RUN_ID.fullmatch(run_id) or len(infos) > MOST_FILES:
        raise RunError(f"{archive} is refused: it does not hold one run")
    found, seen, total = [], set(), 0
    for info in infos:
        name = info.filename.removeprefix(f"{run_id}/")
        total += info.file_size
        if problem := _problem(info, name, run_id, total):
            raise RunError(f"{archive} is refused: {info.orig_filename[:80]!r} {problem}")
        if name.casefold() in seen:
            raise RunError(f"{archive} is refused: {name[:80]!r} is in it twice")
        seen.add(name.casefold())
        found.append((name, info))
    return run_id, found


def _problem(info: zipfile.ZipInfo, name: str, run_id: str, total: int) -> str | None:
    """What is wrong with one file of the archive."""
    kind = stat.S_IFMT(info.external_attr >> 16)
    if info.filename != info.orig_filename or info.filename != f"{run_id}/{name}":
        return "is no name of a run's evidence"
    if not is_member(name):
        return "is no name of a run's evidence"
    if kind not in (0, stat.S_IFREG):
        return "is not an ordinary file"
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        return "is encrypted, or compressed in an unknown way"
    if info.file_size > LARGEST_FILE or total > LARGEST_TOTAL:
        return f"makes it larger than {_size(LARGEST_TOTAL)}"
    return None


def _extract(
    archive: Path,
    content: zipfile.ZipFile,
    names: list[tuple[str, zipfile.ZipInfo]],
    folder: Path,
) -> None:
    make_folder(folder)
    for name, info in names:
        with content.open(info) as member:
            data = b"".join(_bounded(member, info.file_size))
        if len(data) != info.file_size:
            raise RunError(f"{archive} is refused: {name[:80]!r} is not as long as it says")
        make_folder((folder / name).parent)
        replace_file(folder / name, data)


def _bounded(member: IO[bytes], size: int) -> Iterator[bytes]:
    """The content, and one byte more than it should have if it has more."""
    left = size + 1
    while left > 0 and (chunk := member.read(min(left, _CHUNK))):
        left -= len(chunk)
        yield chunk


def _settle(archive: Path, folder: Path, run_id: str) -> None:
    """Derive from the evidence what is derived from it, whatever the archive said."""
    try:
        run = read_run(folder)
    except (RunError, ValidationError, RecursionError) as error:
        raise RunError(f"{archive} is refused: it holds no run that can be read") from error
    if run.run_id != run_id:
        raise RunError(f"{archive} is refused: it holds another run than it says")
    RunFolder(folder, Redactor()).write_run(run)


def _size(count: int) -> str:
    return f"{count // 1024**2:,} MiB"
