"""An archive may come from anybody: what is not plainly a run is refused, and leaves nothing."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_ohllm.evidence import unpacking
from pytest_ohllm.evidence.archive import export
from pytest_ohllm.evidence.errors import RunError
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.evidence.unpacking import unpack
from tests.run_folders import leave_run

RUN = "20261121T120000Z-abc000"
type Entries = list[tuple[zipfile.ZipInfo, bytes]]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive of a small run."""
    folder = tmp_path_factory.mktemp("good")
    run = leave_run(folder, {"gpt": "A+ Bx"}, name=RUN)
    export(run, folder / "a.zip", Redactor())
    return (folder / "a.zip").read_bytes()


def entries(archive: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        return [(info, content.read(info)) for info in content.infolist()]


def packed(found: Entries) -> bytes:
    """An archive with exactly these names, whatever they are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as content:
        for info, data in found:
            fresh = zipfile.ZipInfo("x")
            fresh.filename = info.filename  # past what the constructor tidies up
            fresh.external_attr, fresh.create_system = info.external_attr, 3
            fresh.compress_type = info.compress_type
            content.writestr(fresh, data)
    return buffer.getvalue()


def named(
    name: str, data: bytes = b"{}", kind: int = stat.S_IFREG
) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo("x")
    info.filename = name
    info.external_attr = (kind | 0o644) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, data


def refused(archive: bytes, folder: Path) -> str:
    """Why ``archive`` is refused, after seeing that nothing of it is left anywhere."""
    place = folder / "place"
    runs = place / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    (folder / "in.zip").write_bytes(archive)
    with pytest.raises(RunError) as error:
        unpack(folder / "in.zip", runs)
    assert sorted(path.name for path in folder.iterdir()) == ["in.zip", "place"]
    assert list(place.rglob("*")) == [runs]
    message = str(error.value)
    assert "\n" not in message and len(message) < 400
    return message


def test_a_good_one_is_taken(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(packed(entries(good)))

    assert unpack(tmp_path / "a.zip", tmp_path / "runs").name == RUN
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [RUN]


def test_a_run_that_is_there_is_not_replaced(good: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(good)
    path = unpack(tmp_path / "a.zip", tmp_path / "runs")
    (path / "run.json").write_text("mine")

    with pytest.raises(RunError, match="is there already"):
        unpack(tmp_path / "a.zip", tmp_path / "runs")

    assert (path / "run.json").read_text() == "mine"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/evil",
        f"{RUN}/../../evil",
        f"{RUN}/../run.json",
        f"{RUN}//run.json",
        f"{RUN}/./run.json",
        f"{RUN}\\..\\evil",
        f"{RUN}/profiles/gpt/A/../../../../../evil/result.json",
        f"{RUN}/.git/hooks/pre-commit",
        f"{RUN}/evil.py",
        f"{RUN}/run.json/",
        "other-run/run.json",
        "C:/evil",
        "~/evil",
        f"{RUN}/profiles/gpt/A/x/result.json\x00.png",
        f"{RUN}/RUN.json",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(good: bytes, tmp_path: Path, name: str) -> None:
    assert "is no name of a run's evidence" in refused(
        packed([*entries(good), named(name)]), tmp_path
    )


@pytest.mark.parametrize(
    "kind",
    [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK],
    ids=["link", "folder", "character device", "block device", "pipe", "socket"],
)
def test_what_is_no_ordinary_file_is_refused(good: bytes, tmp_path: Path, kind: int) -> None:
    one = named(f"{RUN}/profiles/gpt/gate.json", b"/etc/passwd", kind)

    assert "is not an ordinary file" in refused(packed([*entries(good), one]), tmp_path)


def test_a_name_that_comes_twice_is_refused(good: bytes, tmp_path: Path) -> None:
    twice = [*entries(good), named(f"{RUN}/run.json")]

    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = packed(twice)
    assert "is in it twice" in refused(archive, tmp_path)


def test_a_bomb_is_refused_before_it_goes_off(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_FILE", 1_000_000)
    bomb = named(f"{RUN}/profiles/gpt/A/x/log.txt", bytes(1_000_001))

    assert "makes it larger than" in refused(packed([*entries(good), bomb]), tmp_path)


def test_many_small_bombs_are_refused(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "LARGEST_TOTAL", 1_000_000)
    bombs = [named(f"{RUN}/profiles/gpt/A/x{n}/log.txt", bytes(100_000)) for n in range(10)]

    assert "makes it larger than" in refused(packed([*entries(good), *bombs]), tmp_path)


def test_too_many_files_are_refused(
    good: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "MOST_FILES", 30)
    many = [named(f"{RUN}/hosts/{number}.json") for number in range(30)]

    assert "lists more than 30 files" in refused(packed([*entries(good), *many]), tmp_path)


def test_a_file_that_is_longer_than_it_says_is_refused(good: bytes, tmp_path: Path) -> None:
    archive = bytearray(packed([*entries(good), named(f"{RUN}/hosts/x.json", b"y" * 5000)]))
    header = archive.rindex(b"PK\x01\x02")  # in the list of contents, the last one
    struct.pack_into("<L", archive, header + 24, 10)

    assert "Bad CRC-32 for file" in refused(bytes(archive), tmp_path)


def test_an_archive_that_is_zip64_is_refused(good: bytes, tmp_path: Path) -> None:
    end = good[-22:]
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)

    assert "lists more than" in refused(good[:-22] + locator + end, tmp_path)


def test_a_list_of_contents_that_is_too_long_is_not_read(good: bytes, tmp_path: Path) -> None:
    archive = bytearray(good)
    struct.pack_into("<L", archive, len(archive) - 22 + 12, 0x7FFFFFFF)

    assert "lists more than" in refused(bytes(archive), tmp_path)


def test_an_encrypted_file_is_refused(good: bytes, tmp_path: Path) -> None:
    archive = bytearray(good)
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(mark) + at] |= 1

    assert "is encrypted" in refused(bytes(archive), tmp_path)


def test_an_unknown_compression_is_refused(good: bytes, tmp_path: Path) -> None:
    first, *rest = entries(good)
    first[0].compress_type = zipfile.ZIP_LZMA

    assert "in an unknown way" in refused(packed([first, *rest]), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: [one for one in found if "session" not in one[0].filename], "holds no run"),
        (lambda found: [], "does not hold one run|is not an archive"),
        (
            lambda found: [
                named(i.filename.replace(RUN, "20200101T000000Z-ffffff"), d) for i, d in found
            ],
            "another run than it says",
        ),
        (lambda found: [named(i.filename, b"[" * 100_000) for i, _ in found], "holds no run"),
    ],
    ids=["no session", "empty", "another run's", "nested"],
)
def test_what_holds_no_run_is_refused(
    good: bytes, tmp_path: Path, change: Callable[[Entries], Entries], message: str
) -> None:
    import re

    assert re.search(message, refused(packed(change(entries(good))), tmp_path))


@pytest.mark.parametrize(
    "data",
    [b"", b"PK", b"PK\x05\x06" + bytes(17), b"x" * 1000, b"\x1f\x8b" + bytes(100)],
    ids=["empty", "two bytes", "cut", "text", "gzip"],
)
def test_what_is_no_archive_is_refused(data: bytes, tmp_path: Path) -> None:
    assert "is not an archive of `ohllm runs export`" in refused(data, tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.zip")

    with pytest.raises(RunError, match="is not a file"):
        unpack(tmp_path / "a.zip", tmp_path)


def test_the_report_is_derived_again_whatever_the_archive_says(good: bytes, tmp_path: Path) -> None:
    forged = [
        (
            info,
            data.replace(b"DOES NOT WORK", b"WORKS") if info.filename.endswith("y.json") else data,
        )
        for info, data in entries(good)
    ]
    forged = [
        (info, b'{"forged": 1}' if info.filename.endswith("/run.json") else data)
        for info, data in forged
    ]
    (tmp_path / "a.zip").write_bytes(packed(forged))

    path = unpack(tmp_path / "a.zip", tmp_path / "runs")

    assert '"DOES NOT WORK"' in (path / "summary.json").read_text()
    assert "forged" not in (path / "run.json").read_text()


PARTS = st.sampled_from(
    ["..", ".", "", RUN, "run.json", "profiles", "gpt", "A", "x", "result.json", "C:", "~", "a\\b"]
) | st.text(max_size=12)
NAMES = st.builds(
    lambda parts, lead: lead + "/".join(parts),
    st.lists(PARTS, min_size=1, max_size=8),
    st.sampled_from(["", "/", f"{RUN}/", f"{RUN}/profiles/gpt/A/x/", "\\\\host\\"]),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=NAMES, data=st.binary(max_size=50))
def test_whatever_an_archive_names_nothing_is_written_outside_of_its_run(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, name: str, data: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    place = folder / "place"
    place.mkdir()
    try:
        (folder / "in.zip").write_bytes(packed([*entries(good), named(name, data)]))
    except (UnicodeEncodeError, ValueError, UserWarning):
        return
    try:
        unpack(folder / "in.zip", place / "runs")
    except RunError:
        assert list(place.rglob("*")) in ([], [place / "runs"])
    assert sorted(path.name for path in folder.iterdir()) == ["in.zip", "place"]
    assert [path.name for path in place.iterdir()] in ([], ["runs"])
    inside = [path.name for path in (place / "runs").glob("*")]
    assert inside in ([], [RUN])


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    edits=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8)
)
def test_whatever_is_damaged_is_refused_or_read_and_never_crashes(
    good: bytes, tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    archive = bytearray(good)
    for where, byte in edits:
        archive[int(where * len(archive))] = byte
    (folder / "in.zip").write_bytes(archive)
    try:
        unpack(folder / "in.zip", folder / "runs")
    except RunError:
        assert list((folder / "runs").glob("*")) == []
