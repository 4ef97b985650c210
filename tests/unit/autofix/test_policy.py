"""What a patch may change: every rule, on real objects of git."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_ohllm.autofix.git import Git
from pytest_ohllm.autofix.policy import MOST_BYTES, MOST_FILES, MOST_LINES, Patch, PatchRefused
from pytest_ohllm.evidence.redaction import Redactor
from tests.unit.autofix.repositories import MODULE, TEST, Repository

KEY = "canary-Zk4tq8WvX1s0PlmN7r"
"""A key in no vendor's shape: only who knows it finds it."""

FIXED = "def double(x):\n    return 2 * x\n"

type Judge = Callable[..., str | None]


@pytest.fixture
def judge(repository: Repository) -> Judge:
    """Commits nothing: makes a tree of the files as they are now, and tells what is said of it."""

    def verdict(known: str = KEY, *, fixed: bool = True) -> str | None:
        if fixed:
            repository.write(MODULE, FIXED)
        patch = patch_of(repository)
        try:
            patch.check(Redactor({"agent-0": known}))
        except PatchRefused as error:
            return error.problem
        return None

    return verdict


def patch_of(repository: Repository) -> Patch:
    """The files as they are against the last commit."""
    repository.git("add", "--all", "--force")
    tree = repository.git("write-tree")
    return Patch(Git(repository.root / ".git"), repository.git("rev-parse", "HEAD"), tree)


class TestWhatIsAllowed:
    def test_code_of_the_sdk(self, repository: Repository, judge: Judge) -> None:
        assert judge() is None

    @pytest.mark.parametrize(
        "path",
        [
            "openhands-sdk/openhands/sdk/llm/new.py",
            "openhands-tools/openhands/tools/terminal/new.py",
            "openhands-agent-server/openhands/agent_server/new.py",
            "openhands-sdk/openhands/sdk/llm/prices.json",
            "openhands-sdk/openhands/sdk/agent/prompts/system_prompt.j2",
            "tests/sdk/llm/test_new.py",
            "tests/sdk/llm/data/answer.json",
            "docs/llms/new.md",
            "examples/01_standalone_sdk/new.py",
            "tests/sdk/llm/test with spaces.py",
            "docs/größe.md",
            'docs/a "quoted" name.md',
        ],
    )
    def test_a_new_file(self, repository: Repository, judge: Judge, path: str) -> None:
        repository.write(path)

        assert judge() is None

    def test_a_module_that_is_gone(self, repository: Repository, judge: Judge) -> None:
        repository.write("openhands-sdk/openhands/sdk/old.py")
        repository.commit()
        (repository.root / "openhands-sdk/openhands/sdk/old.py").unlink()

        assert judge() is None

    def test_a_stricter_test(self, repository: Repository, judge: Judge) -> None:
        repository.write(
            TEST, "def test_double():\n    assert double(2) == 4\n    assert double(0) == 0\n"
        )

        assert judge() is None

    def test_a_text_in_another_encoding(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/old.txt", "Größe\r\n".encode("latin-1"))

        assert judge() is None


class TestPlaces:
    @pytest.mark.parametrize(
        "path",
        [
            ".github/workflows/tests.yml",
            ".gitattributes",
            ".gitmodules",
            ".openhands/hooks.json",
            ".pre-commit-config.yaml",
            "README.md",
            "Makefile",
            "conftest.py",
            "pyproject.toml",
            "uv.lock",
            "sitecustomize.py",
            "openhands.pth",
            "scripts/release.sh",
            "openhands-sdk/pyproject.toml",
            "openhands-sdk/setup.py",
            "openhands-sdk/build.py",
            "openhands-sdk/openhands/sdk/.hidden.py",
            "openhands-sdk/openhands/sdk/.cache/x.py",
            "openhands-sdk/openhands/sdk/conftest.py",
            "openhands-sdk/openhands/zz.pth",
            "openhands-sdk/openhands/sitecustomize.py",
            "openhands-sdk/openhands/sdk/usercustomize.py",
            "openhands-sdk/openhands/sdk/pyproject.toml",
            "openhands-sdk/openhands/sdk/poetry.lock",
            "tests/conftest.py",
            "tests/sdk/llm/conftest.py",
            "tests/pytest.ini",
            "tests/tox.ini",
            "tests/setup.cfg",
            "tests/.coveragerc",
            "docs/.vitepress/config.js",
            "examples/.env",
            "tests",
            "openhands-sdk/openhands",
        ],
    )
    def test_a_place_that_decides_more_than_code_does(
        self, repository: Repository, judge: Judge, path: str
    ) -> None:
        if path in ("tests", "openhands-sdk/openhands"):
            repository.git("rm", "-r", "--quiet", path)
        repository.write(path)

        said = judge(fixed=path != "openhands-sdk/openhands")

        assert said is not None
        assert path in said

    def test_a_file_that_was_there_already(self, repository: Repository, judge: Judge) -> None:
        repository.write("tests/conftest.py", "import os\n")
        repository.commit()
        (repository.root / "tests/conftest.py").unlink()

        assert "tests/conftest.py" in str(judge())

    def test_out_of_the_repository(self, repository: Repository, judge: Judge) -> None:
        # git takes no such path from an index, so the names are hidden in a tree by hand.
        blob = repository.git("hash-object", "-w", "--stdin", given=b"x\n")
        inner = repository.git("mktree", given=f"100644 blob {blob}\t..\n".encode())
        tree = repository.git("mktree", given=f"040000 tree {inner}\ttests\n".encode())
        patch = Patch(Git(repository.root / ".git"), repository.git("rev-parse", "HEAD"), tree)

        with pytest.raises(PatchRefused):
            patch.check(Redactor({}))

    @pytest.mark.parametrize("name", [b"a\nb.py", b"a\rb.py", b"a\tb.py", b"a\xffb.py", b"a\x1bb"])
    def test_a_name_that_is_no_plain_text(
        self, repository: Repository, judge: Judge, name: bytes
    ) -> None:
        folder = os.fsencode(repository.root) + b"/openhands-sdk/openhands/sdk/"
        Path(os.fsdecode(folder + name)).write_bytes(KEY.encode())

        said = judge()

        assert said is not None
        assert "no plain text" in said
        assert said.isprintable()
        said.encode()

    def test_a_name_that_reverses_the_reading_direction(
        self, repository: Repository, judge: Judge
    ) -> None:
        repository.write("docs/\N{RIGHT-TO-LEFT OVERRIDE}dm.ypc")

        assert "no plain text" in str(judge())


class TestKindsOfFiles:
    @pytest.mark.parametrize("target", ["/etc/passwd", "../../../../..", "model.py"])
    def test_a_symbolic_link(self, repository: Repository, judge: Judge, target: str) -> None:
        (repository.root / "openhands-sdk/openhands/sdk/llm/link.py").symlink_to(target)

        assert "a symbolic link" in str(judge())

    def test_a_file_that_becomes_a_symbolic_link(
        self, repository: Repository, judge: Judge
    ) -> None:
        file = repository.root / MODULE
        file.unlink()
        file.symlink_to("/etc/hosts")

        assert "a symbolic link" in str(judge(fixed=False))

    def test_a_symbolic_link_that_becomes_a_file(
        self, repository: Repository, judge: Judge
    ) -> None:
        link = repository.root / "docs" / "link.md"
        link.parent.mkdir()
        link.symlink_to("../README.md")
        repository.commit()
        link.unlink()
        repository.write("docs/link.md", "text\n")

        assert "a symbolic link" in str(judge())

    def test_a_repository_within(self, repository: Repository, judge: Judge) -> None:
        inner = Repository(repository.root / "tests" / "inner")
        inner.root.mkdir()
        inner.git("init", "--quiet")
        inner.commit()

        assert "no ordinary file" in str(judge())

    @pytest.mark.parametrize("mode", [0o755, 0o644])
    def test_another_mode(self, repository: Repository, judge: Judge, mode: int) -> None:
        file = repository.root / "examples" / "run.py"
        repository.write("examples/run.py").chmod(0o755 ^ 0o644 ^ mode)
        repository.commit()
        file.chmod(mode)

        assert "mode of examples/run.py" in str(judge())

    def test_a_binary_file(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/picture.png", b"\x89PNG\x00\x01")

        assert "binary file: docs/picture.png" in str(judge())

    def test_a_text_that_only_looks_binary_because_it_is_utf_16(
        self, repository: Repository, judge: Judge
    ) -> None:
        repository.write("docs/notes.md", KEY.encode("utf-16"))

        assert "binary file" in str(judge())


class TestSize:
    def test_too_many_files(self, repository: Repository, judge: Judge) -> None:
        for number in range(MOST_FILES - 1):
            repository.write(f"docs/{number}.md")
        assert judge() is None

        repository.write("docs/more.md")
        assert "too large" in str(judge())

    def test_too_many_lines(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/long.md", "line\n" * (MOST_LINES - 2))
        assert judge() is None

        repository.write("docs/long.md", "line\n" * (MOST_LINES - 1))
        assert "too large" in str(judge())

    def test_one_long_line(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/long.md", "x y " * (MOST_BYTES // 4))

        assert "too large" in str(judge())

    def test_what_is_taken_away_counts_as_well(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/long.md", "line\n" * (MOST_LINES + 1))
        repository.commit()
        (repository.root / "docs/long.md").unlink()

        assert "too large" in str(judge())


class TestTests:
    def test_nothing_at_all(self, judge: Judge) -> None:
        assert "empty" in str(judge(fixed=False))

    def test_tests_and_no_code(self, repository: Repository, judge: Judge) -> None:
        repository.write("tests/sdk/llm/test_new.py", "def test_it():\n    assert True\n")

        assert "no code" in str(judge(fixed=False))

    def test_a_deleted_test(self, repository: Repository, judge: Judge) -> None:
        (repository.root / TEST).unlink()

        assert f"deletes {TEST}" in str(judge())

    def test_a_moved_test(self, repository: Repository, judge: Judge) -> None:
        repository.git("mv", TEST, "tests/test_elsewhere.py")

        assert f"deletes {TEST}" in str(judge())

    def test_a_weaker_test(self, repository: Repository, judge: Judge) -> None:
        repository.write(TEST, "def test_double():\n    pass\n")

        assert f"weakens {TEST}" in str(judge())

    def test_a_test_that_is_no_python_any_more(self, repository: Repository, judge: Judge) -> None:
        repository.write(TEST, "def test_double(:\n")

        assert "cannot be read as Python" in str(judge())

    def test_data_that_tests_compare_with(self, repository: Repository, judge: Judge) -> None:
        repository.write("tests/data/expected.json", "{}")
        repository.commit()
        repository.write("tests/data/expected.json", '{"anything": "goes"}')

        assert "data of tests" in str(judge())


class TestSecrets:
    @pytest.mark.parametrize(
        "text",
        [
            KEY,
            KEY[:14],
            KEY[::-1],
            KEY.encode().hex(),
            f"a = '{KEY[:10]}' + \\\n    '{KEY[10:]}'\n",
            "-".join(KEY),
        ],
    )
    def test_the_key_of_the_agent(self, repository: Repository, judge: Judge, text: str) -> None:
        repository.write("docs/notes.md", f"see {text} there\n")

        said = judge()

        assert said is not None
        assert "secret (agent-0) in docs/notes.md" in said
        assert KEY not in said

    @pytest.mark.parametrize(
        "key",
        [
            "sk-proj-4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0zA3bC6dE9fG2hJ5kL8mN",
            "sk-ant-api03-AbCdEf0123456789AbCdEf0123456789AbCdEf0123456789-AbCdEfGh",
            "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q",
            "gsk_4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0zA3bC6dE9fG2",
            "ghp_4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0zA3bC6d",
            "github_pat_11ABCDEFG0abcdefghijkl_4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0z",
            "hf_4fG7hJ9kL2mN5pQ8rS1tU4vW7xY0zA3bC6",
            "AKIAIOSFODNN7EXAMPLF",
        ],
    )
    def test_a_key_that_nobody_told_of(
        self, repository: Repository, judge: Judge, key: str
    ) -> None:
        repository.write(MODULE, f"{FIXED}\nKEY = '{key}'\n")

        said = judge(fixed=False)

        assert said is not None
        assert "looks like a secret" in said
        assert key not in said

    def test_a_key_in_a_name(self, repository: Repository, judge: Judge) -> None:
        repository.write(f"docs/{KEY}.md")

        said = judge()

        assert said is not None
        assert "looks like a secret" in said
        assert KEY not in said

    def test_a_key_in_a_text_of_another_encoding(
        self, repository: Repository, judge: Judge
    ) -> None:
        repository.write("docs/old.txt", b"Gr\xf6\xdfe " + KEY.encode())

        assert "secret (agent-0)" in str(judge())

    def test_what_was_there_before_is_no_reason(self, repository: Repository, judge: Judge) -> None:
        fake = "sk-proj-1aB2cD3eF4gH5iJ6kL7mN8oP9qR0sT1uV2wX3yZ4aB5cD6eF"
        repository.write(TEST, f"def test_double():\n    assert double('{fake}')\n")
        repository.commit()
        repository.write(TEST, f"def test_double():\n    x = 1\n    assert double('{fake}')\n")

        assert judge() is None

    def test_a_second_key_beside_one_that_was_there(
        self, repository: Repository, judge: Judge
    ) -> None:
        fake = "sk-proj-1aB2cD3eF4gH5iJ6kL7mN8oP9qR0sT1uV2wX3yZ4aB5cD6eF"
        real = "sk-proj-9zY8xW7vU6tS5rQ4pO3nM2lK1jI0hG9fE8dC7bA6zY5xW4vU"
        repository.write("docs/keys.md", f"{fake}\n")
        repository.commit()
        repository.write("docs/keys.md", f"{fake}\n{real}\n")

        assert "looks like a secret" in str(judge())

    def test_a_key_that_is_taken_out(self, repository: Repository, judge: Judge) -> None:
        repository.write("docs/keys.md", f"{KEY}\n")
        repository.commit()
        repository.write("docs/keys.md", "\n")

        assert judge() is None


class TestThePatchAsAFile:
    def test_git_applies_it(self, repository: Repository) -> None:
        repository.write("docs/windows.md", b"one\r\ntwo\r\n")
        repository.write("docs/old.txt", "Größe\n".encode("latin-1"))
        repository.commit()
        repository.write("docs/windows.md", b"one\r\nmore\r\ntwo\r\n")
        repository.write("docs/old.txt", "Größe, Länge\n".encode("latin-1"))
        repository.write("docs/größe.md", "ä\n")
        patch = patch_of(repository)
        content, tree = patch.content, patch.tree
        repository.git("reset", "--quiet", "--hard")

        repository.git("apply", "--index", given=content)

        assert repository.git("write-tree") == tree

    def test_it_does_not_depend_on_how_the_user_likes_to_see_changes(
        self, repository: Repository, home: Path
    ) -> None:
        repository.write(MODULE, FIXED)
        plain = patch_of(repository).content
        tool = home / "tool"
        tool.write_text("#!/bin/sh\necho nothing to see\n")
        tool.chmod(0o755)
        for setting in (
            "color.ui=always",
            "diff.noprefix=true",
            "diff.mnemonicPrefix=true",
            f"diff.external={tool}",
            "diff.renames=copies",
            "core.quotePath=false",
        ):
            repository.git("config", "--global", *setting.split("=", 1))

        patch = patch_of(repository)

        assert patch.content == plain
        assert patch.files == [MODULE]
        patch.check(Redactor({}))

    def test_it_lists_the_files(self, repository: Repository) -> None:
        repository.write(MODULE, FIXED)
        repository.write('docs/a "name".md')

        assert patch_of(repository).files == ['docs/a "name".md', MODULE]
