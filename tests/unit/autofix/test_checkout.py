"""The SDK's checkout: which one it is, what a fix starts from, and what worktrees hold.

The last part is an attack: what an agent can leave in its worktree must not run in the parent.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from pytest_ohllm.autofix.checkout import Checkout, Worktree, _delete
from pytest_ohllm.autofix.errors import AutofixError, UsageError
from pytest_ohllm.autofix.git import Git, GitError
from pytest_ohllm.autofix.policy import Patch, PatchRefused
from pytest_ohllm.evidence.redaction import Redactor
from pytest_ohllm.model import Revision
from tests.unit.autofix.repositories import MODULE, SDK_CODE, TEST, Repository

NONE = Revision(version=None, path=None)
UPSTREAM = "OpenHands/software-agent-sdk"
NOBODY = 65534 if os.getuid() == 0 else os.getuid()


def used(repository: Repository) -> Revision:
    """What a run says that used the checkout's code."""
    folder = (repository.root / SDK_CODE).parent
    return Revision(version="1.0", path=str(folder), git_sha="0" * 40, dirty=False)


@pytest.fixture
def checkout(repository: Repository) -> Checkout:
    return Checkout.find(repository.root, NONE)


@pytest.fixture
def worktree(checkout: Checkout, repository: Repository, tmp_path: Path) -> Worktree:
    return checkout.worktree(tmp_path / "state" / "work", repository.git("rev-parse", "HEAD"))


def cloned(repository: Repository, root: Path) -> Repository:
    """A clone, whose remote ``origin`` is the original."""
    repository.git("clone", "--quiet", str(repository.root), str(root))
    return Repository(root)


class TestWhichOneItIs:
    def test_the_one_that_was_named(self, repository: Repository, tmp_path: Path) -> None:
        other = cloned(repository, tmp_path / "other")

        assert Checkout.find(other.root, used(repository)).root == other.root

    def test_the_one_that_the_run_used(self, repository: Repository, home: Path) -> None:
        cloned(repository, home / "repos" / "agent-sdk")

        assert Checkout.find(None, used(repository)).root == repository.root

    def test_the_usual_place(self, repository: Repository, home: Path) -> None:
        usual = cloned(repository, home / "repos" / "agent-sdk")

        assert Checkout.find(None, NONE).root == usual.root

    def test_a_folder_within_it(
        self, repository: Repository, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(repository.root / "openhands-sdk")

        for given in (Path("."), Path(".."), Path("openhands"), repository.root / "tests"):
            assert Checkout.find(given, NONE).root == repository.root

    def test_a_home_in_the_path(self, repository: Repository, home: Path) -> None:
        cloned(repository, home / "mine")

        assert Checkout.find(Path("~/mine"), NONE).root == home / "mine"

    def test_the_layout_of_the_real_repository_is_accepted(self, repository: Repository) -> None:
        """An earlier tool wanted `openhands/` or `src/openhands/`, and refused every real one."""
        assert sorted(one.name for one in repository.root.iterdir()) == [
            ".git",
            "openhands-sdk",
            "tests",
        ]
        assert Checkout.find(repository.root, NONE).root == repository.root

    def test_a_wheel_within_somebodys_repository_is_none(self, home: Path, tmp_path: Path) -> None:
        mine = Repository(tmp_path / "mine")
        mine.root.mkdir()
        mine.git("init", "--quiet")
        wheel = mine.write(".venv/lib/python3.12/site-packages/openhands/sdk/__init__.py").parent
        mine.commit()

        with pytest.raises(UsageError, match="no checkout of the SDK"):
            Checkout.find(None, Revision(version="1.58.0", path=str(wheel), git_sha="0" * 40))

    def test_a_wheel_within_the_sdks_own_checkout_is_none(
        self, repository: Repository, home: Path
    ) -> None:
        wheel = repository.write(".venv/site-packages/openhands/sdk/__init__.py").parent
        usual = cloned(repository, home / "repos" / "agent-sdk")

        found = Checkout.find(None, Revision(version="1.58.0", path=str(wheel)))

        assert found.root == usual.root

    @pytest.mark.parametrize("what", ["nothing", "a file", "an empty folder", "another project"])
    def test_what_was_named_and_is_none(self, home: Path, tmp_path: Path, what: str) -> None:
        place = tmp_path / "place"
        if what == "a file":
            place.write_text("x")
        elif what != "nothing":
            place.mkdir()
        if what == "another project":
            Repository(place).git("init", "--quiet")

        with pytest.raises(UsageError, match="--sdk: ") as raised:
            Checkout.find(place, NONE)

        assert str(place) in raised.value.problem
        assert raised.value.advice

    def test_an_archive_of_it_is_none(self, repository: Repository) -> None:
        shutil.rmtree(repository.root / ".git")

        with pytest.raises(UsageError, match="not a checkout of the SDK"):
            Checkout.find(repository.root, NONE)

    def test_a_git_file_that_leads_nowhere_is_none(self, repository: Repository) -> None:
        shutil.rmtree(repository.root / ".git")
        (repository.root / ".git").write_text("gitdir: /nowhere\n")

        with pytest.raises(UsageError, match="not a checkout of the SDK"):
            Checkout.find(repository.root, NONE)

    def test_none_anywhere(self, home: Path) -> None:
        with pytest.raises(UsageError, match="no checkout of the SDK") as raised:
            Checkout.find(None, NONE)

        assert "git clone" in raised.value.advice

    def test_a_usual_place_that_is_something_else(self, home: Path) -> None:
        (home / "repos" / "agent-sdk").mkdir(parents=True)

        with pytest.raises(UsageError, match="the usual place"):
            Checkout.find(None, NONE)


class TestTheBase:
    def test_it_is_what_the_remote_has_now(self, repository: Repository, tmp_path: Path) -> None:
        clone = cloned(repository, tmp_path / "clone")
        repository.write(MODULE, "new = 1\n")
        newest = repository.commit()

        assert Checkout.find(clone.root, NONE).base(UPSTREAM, "main", None) == newest
        assert clone.git("rev-parse", "origin/main") != newest
        assert clone.git("rev-parse", "HEAD") != newest
        assert not (clone.root / ".git" / "FETCH_HEAD").exists()

    def test_it_is_fetched_from_a_bare_repository(
        self, repository: Repository, tmp_path: Path
    ) -> None:
        bare = tmp_path / "server" / "OpenHands" / "software-agent-sdk.git"
        repository.git("clone", "--quiet", "--bare", str(repository.root), str(bare))
        repository.git("remote", "add", "upstream", bare.as_uri())
        repository.git("remote", "add", "origin", "https://127.0.0.1:1/me/software-agent-sdk.git")

        found = Checkout.find(repository.root, NONE).base(UPSTREAM, "main", None)

        assert found == repository.git("rev-parse", "HEAD")

    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/OpenHands/software-agent-sdk",
            "https://github.com/openhands/Software-Agent-SDK.git",
            "https://user@github.com/OpenHands/software-agent-sdk/",
            "git@github.com:OpenHands/software-agent-sdk.git",
            "ssh://git@github.com/OpenHands/software-agent-sdk",
        ],
    )
    def test_the_remote_is_known_by_its_address(
        self, repository: Repository, checkout: Checkout, url: str
    ) -> None:
        repository.git("remote", "add", "origin", "https://example.com/me/fork.git")
        repository.git("remote", "add", "theirs", url)

        assert checkout._remote(UPSTREAM) == "theirs"

    @pytest.mark.parametrize(
        "url",
        [
            "https://github.com/not-OpenHands/software-agent-sdk",
            "https://github.com/OpenHands/my-software-agent-sdk",
            "https://github.com/OpenHands/software-agent-sdk/wiki",
            "/somewhere/NotOpenHands/software-agent-sdk.git",
        ],
    )
    def test_an_address_that_only_looks_like_it(
        self, repository: Repository, checkout: Checkout, url: str
    ) -> None:
        repository.git("remote", "add", "theirs", url)
        repository.git("remote", "add", "origin", "https://example.com/me/fork.git")

        assert checkout._remote(UPSTREAM) == "origin"

    def test_where_one_pushes_to_says_nothing_about_where_one_fetches_from(
        self, repository: Repository, checkout: Checkout
    ) -> None:
        repository.git("remote", "add", "mine", "https://example.com/me/fork.git")
        repository.git("remote", "set-url", "--push", "mine", f"https://example.com/{UPSTREAM}")
        repository.git("remote", "add", "origin", "https://example.com/x/y.git")

        assert checkout._remote(UPSTREAM) == "origin"

    def test_without_an_origin_the_only_remote_is_taken(
        self, repository: Repository, checkout: Checkout
    ) -> None:
        repository.git("remote", "add", "theirs", "https://example.com/x/y.git")

        assert checkout._remote(UPSTREAM) == "theirs"

    def test_there_must_be_a_remote(self, checkout: Checkout) -> None:
        with pytest.raises(UsageError, match="no remote") as raised:
            checkout.base(UPSTREAM, "main", None)

        assert "--sdk-ref" in raised.value.advice

    def test_a_remote_that_does_not_answer(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        repository.git("remote", "add", "origin", str(tmp_path / "nowhere"))

        with pytest.raises(AutofixError, match="could not be fetched") as raised:
            checkout.base(UPSTREAM, "main", None)

        assert raised.value.exit_code == 10
        assert "--sdk-ref" in raised.value.advice

    def test_a_branch_that_is_not_there(self, repository: Repository, checkout: Checkout) -> None:
        repository.git("remote", "add", "origin", str(repository.root))

        with pytest.raises(AutofixError, match="missing could not be fetched"):
            checkout.base(UPSTREAM, "missing", None)

    def test_a_remote_that_is_a_command_is_not_obeyed(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        repository.git("remote", "add", "origin", f"ext::touch {tmp_path / 'marker'}")

        with pytest.raises(AutofixError):
            checkout.base(UPSTREAM, "main", None)

        assert not (tmp_path / "marker").exists()

    def test_the_keys_and_proxies_of_the_user_lead_to_the_remote(
        self,
        repository: Repository,
        checkout: Checkout,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ssh = tmp_path / "ssh"
        ssh.write_text(f"#!/bin/sh\nenv > {tmp_path / 'seen'}\nexit 1\n")
        ssh.chmod(0o755)
        repository.git("config", "--global", "core.sshCommand", str(ssh))
        repository.git("remote", "add", "origin", f"git@git.example:{UPSTREAM}.git")
        monkeypatch.setenv("SSH_AUTH_SOCK", "/the/agent")
        monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
        monkeypatch.setenv("OPENAI_API_KEY", "nobody's business")
        monkeypatch.setenv("GIT_DIR", "/somewhere/else")

        with pytest.raises(AutofixError):
            checkout.base(UPSTREAM, "main", None)

        seen = (tmp_path / "seen").read_text()
        assert "SSH_AUTH_SOCK=/the/agent\n" in seen
        assert "https_proxy=http://proxy.example:3128\n" in seen
        assert "business" not in seen
        assert "/somewhere/else" not in seen

    def test_a_chosen_commit_needs_no_remote(
        self, repository: Repository, checkout: Checkout
    ) -> None:
        repository.git("tag", "v1")
        first = repository.git("rev-parse", "HEAD")
        repository.commit()

        for ref in ("v1", first, first[:10], "HEAD~1", "main~1"):
            assert checkout.base(UPSTREAM, "main", ref) == first

    @pytest.mark.parametrize("ref", ["missing", "", "HEAD:tests", "--all", "-1", "main..main", " "])
    def test_what_names_no_commit(self, checkout: Checkout, ref: str) -> None:
        with pytest.raises(UsageError, match="names no commit"):
            checkout.base(UPSTREAM, "main", ref)


class TestAWorktreeOfAWorktree:
    @pytest.fixture
    def linked(self, repository: Repository, tmp_path: Path) -> Repository:
        """A worktree of the user's own, one commit further on a branch of its own."""
        root = tmp_path / "linked"
        repository.git("worktree", "add", "--quiet", "-b", "mine", str(root))
        made = Repository(root)
        made.write(MODULE, "mine = 1\n")
        made.commit()
        return made

    def test_it_is_a_checkout(self, repository: Repository, linked: Repository) -> None:
        found = Checkout.find(linked.root, NONE)

        assert (found.root, found.git_dir) == (linked.root, repository.root / ".git")

    def test_its_head_is_what_head_means(self, linked: Repository) -> None:
        found = Checkout.find(linked.root, NONE)

        assert found.base(UPSTREAM, "main", "HEAD") == linked.git("rev-parse", "HEAD")

    def test_a_further_one_is_made_and_taken_away(self, linked: Repository, tmp_path: Path) -> None:
        found = Checkout.find(linked.root, NONE)
        before = linked.git("worktree", "list")

        made = found.worktree(tmp_path / "work", linked.git("rev-parse", "HEAD"))
        assert (made.path / MODULE).read_text() == "mine = 1\n"
        found.remove(made.path)

        assert linked.git("worktree", "list") == before
        assert linked.git("status", "--porcelain") == ""

    def test_a_relative_path_to_its_repository(
        self, repository: Repository, linked: Repository
    ) -> None:
        target = (linked.root / ".git").read_text().partition(": ")[2].strip()
        relative = os.path.relpath(target, linked.root)
        (linked.root / ".git").write_text(f"gitdir: {relative}\n")

        assert Checkout.find(linked.root, NONE).git_dir == repository.root / ".git"


class TestADirtyCheckout:
    def test_nothing_of_it_is_touched(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        head = repository.git("rev-parse", "HEAD")
        repository.write(MODULE, "staged = 1\n")
        repository.git("add", MODULE)
        repository.write(MODULE, "mine = 1\n")
        repository.write("notes.txt", "mine\n")
        (repository.root / TEST).unlink()
        repository.git("stash", "list")
        before = repository.git("status", "--porcelain=v2", "--branch")

        made = checkout.worktree(tmp_path / "work", head)
        (made.path / "more.txt").write_text("x")
        made.tree()
        held = sorted(path.relative_to(made.path).as_posix() for path in made.path.rglob("*.py"))
        checkout.remove(made.path)

        assert held == sorted([MODULE, SDK_CODE, TEST])
        assert repository.git("status", "--porcelain=v2", "--branch") == before
        assert (repository.root / MODULE).read_text() == "mine = 1\n"
        assert (repository.root / "notes.txt").read_text() == "mine\n"

    def test_its_hooks_are_not_run(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        marker = tmp_path / "marker"
        for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
            hook = repository.root / ".git" / "hooks" / name
            hook.parent.mkdir(exist_ok=True)
            hook.write_text(f"#!/bin/sh\necho {name} >> {marker}\n")
            hook.chmod(0o755)

        made = checkout.worktree(tmp_path / "work", "HEAD")
        made.tree()
        checkout.git.run("update-ref", "refs/heads/ohllm/x", "HEAD")

        assert not marker.exists()


class TestAWorktree:
    def test_it_has_the_files_of_the_commit(self, worktree: Worktree) -> None:
        assert (worktree.path / SDK_CODE).is_file()
        assert worktree.tree() == worktree.git.run("rev-parse", "HEAD^{tree}").strip()

    def test_no_branch_is_made_for_it(self, repository: Repository, worktree: Worktree) -> None:
        """An earlier tool left a branch behind, and could not begin again because of it."""
        assert repository.git("branch", "--format=%(refname:short)") == "main"
        assert worktree.git.succeeds("rev-parse", "--verify", "HEAD")
        assert not worktree.git.succeeds("symbolic-ref", "HEAD")

    def test_what_was_at_its_place_is_gone(self, checkout: Checkout, worktree: Worktree) -> None:
        (worktree.path / "left.txt").write_text("x")
        (worktree.path / TEST).unlink()

        again = checkout.worktree(worktree.path, "HEAD")

        assert (again.path / TEST).is_file()
        assert not (again.path / "left.txt").exists()

    @pytest.mark.parametrize("left", ["a file", "a folder", "a link", "a link to nothing"])
    def test_something_else_was_at_its_place(
        self, checkout: Checkout, tmp_path: Path, left: str
    ) -> None:
        place, other = tmp_path / "work", tmp_path / "other"
        other.mkdir()
        (other / "precious.txt").write_text("x")
        if left == "a file":
            place.write_text("x")
        elif left == "a folder":
            (place / "inner").mkdir(parents=True)
        else:
            place.symlink_to(other if left == "a link" else tmp_path / "nowhere")

        made = checkout.worktree(place, "HEAD")

        assert (made.path / SDK_CODE).is_file()
        assert (other / "precious.txt").is_file()

    def test_leftovers_of_a_killed_process_are_pruned(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        for name in ("one", "two"):
            made = checkout.worktree(tmp_path / name, "HEAD")
            shutil.rmtree(made.path)

        checkout.remove(tmp_path / "one")

        assert len(repository.git("worktree", "list").splitlines()) == 1
        assert list((repository.root / ".git").glob("worktrees/*")) == []

    def test_a_folder_that_nobody_may_write_is_taken_away(self, checkout: Checkout) -> None:
        with tempfile.TemporaryDirectory() as above:
            place = Path(above) / "work"
            (place / "closed" / "inner").mkdir(parents=True)
            (place / "closed" / "inner" / "x").write_text("x")
            for one in (Path(above), place, *place.rglob("*")):
                os.chown(one, NOBODY, NOBODY)
            (place / "closed" / "inner").chmod(0o500)
            (place / "closed").chmod(0)

            # Root may write everywhere.
            os.seteuid(NOBODY)
            try:
                _delete(place)
            finally:
                os.seteuid(os.getuid())

            assert not place.exists()

    def test_it_is_found_again(self, checkout: Checkout, worktree: Worktree) -> None:
        found = checkout.existing(worktree.path)

        assert found is not None
        assert found.git.git_dir == worktree.git.git_dir

    def test_it_is_not_found_where_git_knows_none(
        self, checkout: Checkout, worktree: Worktree, tmp_path: Path
    ) -> None:
        (tmp_path / "folder").mkdir()
        assert checkout.existing(tmp_path / "folder") is None
        assert checkout.existing(tmp_path / "nothing") is None
        shutil.rmtree(worktree.path)
        assert checkout.existing(worktree.path) is None

    def test_a_commit_that_is_not_there(self, checkout: Checkout, tmp_path: Path) -> None:
        with pytest.raises(GitError):
            checkout.worktree(tmp_path / "work", "f" * 40)


class TestTheChange:
    """An earlier tool lost what was new, and what the agent had committed by itself."""

    def files(self, worktree: Worktree) -> list[str]:
        base = worktree.checkout.git.run("rev-parse", "main").strip()
        return Patch(worktree.checkout.git, base, worktree.tree()).files

    def test_changed_new_and_deleted_files(self, worktree: Worktree) -> None:
        (worktree.path / MODULE).write_text("x = 1\n")
        (worktree.path / "tests" / "test_new.py").write_text("x = 1\n")
        (worktree.path / TEST).unlink()

        assert self.files(worktree) == sorted([MODULE, TEST, "tests/test_new.py"])

    def test_staged_files(self, worktree: Worktree) -> None:
        (worktree.path / MODULE).write_text("x = 1\n")
        worktree.git.run("add", "--all")

        assert self.files(worktree) == [MODULE]

    def test_what_the_agent_has_committed(self, worktree: Worktree) -> None:
        (worktree.path / MODULE).write_text("x = 1\n")
        worktree.git.run("add", "--all")
        who = {
            f"GIT_{role}_{part}": "x"
            for role in ("AUTHOR", "COMMITTER")
            for part in ("NAME", "EMAIL")
        }
        worktree.git.run("commit", "--message=mine", environment=who)
        (worktree.path / "tests" / "test_new.py").write_text("x = 1\n")

        assert self.files(worktree) == [MODULE, "tests/test_new.py"]

    def test_ignored_files_are_none(
        self, repository: Repository, checkout: Checkout, tmp_path: Path
    ) -> None:
        repository.write(".gitignore", "__pycache__/\n*.log\n")
        made = checkout.worktree(tmp_path / "work", repository.commit())
        (made.path / "tests" / "__pycache__").mkdir()
        (made.path / "tests" / "__pycache__" / "x.pyc").write_bytes(b"\0")
        (made.path / "agent.log").write_text("x")

        assert self.files(made) == []

    def test_a_file_that_is_ignored_and_in_the_commit_all_the_same_is_still_there(
        self, repository: Repository, checkout: Checkout, home: Path, tmp_path: Path
    ) -> None:
        repository.write(".gitignore", "build/\n")
        repository.write("openhands-sdk/build/kept.txt", "x")
        repository.write("docs/notes.log", "x")
        repository.commit()
        (home / "ignored").write_text("*.log\n")
        repository.git("config", "--global", "core.excludesFile", str(home / "ignored"))
        made = checkout.worktree(tmp_path / "work", "main")

        assert self.files(made) == []
        (made.path / "docs" / "notes.log").write_text("y")
        assert self.files(made) == ["docs/notes.log"]

    def test_a_repository_around_code_hides_none_of_it(self, worktree: Worktree) -> None:
        inner = Repository(worktree.path / "openhands-sdk")
        inner.git("init", "--quiet")
        inner.commit()
        (worktree.path / MODULE).write_text("x = 1\n")

        assert self.files(worktree) == [MODULE]


class TestWhatAnAgentCanLeaveBehind:
    """Each of these made an earlier prototype run a command of the agent's, as the user."""

    @pytest.fixture
    def marker(self, tmp_path: Path) -> Path:
        """A file that a command of the agent's would write."""
        return tmp_path / "marker"

    @pytest.fixture
    def command(self, tmp_path: Path, marker: Path) -> Path:
        """The agent's command."""
        file = tmp_path / "command"
        file.write_text(f"#!/bin/sh\necho $0 $* >> {marker}\ncat\n")
        file.chmod(0o755)
        return file

    def hostile(self, folder: Path, command: Path) -> Repository:
        """A repository whose configuration starts the command at every occasion."""
        folder.mkdir(parents=True, exist_ok=True)
        made = Repository(folder)
        made.git("init", "--quiet", "--template=")
        hooks = made.root / ".git" / "hooks"
        hooks.mkdir()
        for name in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
            (hooks / name).symlink_to(command)
        for name, value in {
            "core.fsmonitor": command,
            "core.hooksPath": hooks,
            "core.editor": command,
            "core.pager": command,
            "core.sshCommand": command,
            "diff.external": command,
            "filter.evil.clean": command,
            "filter.evil.smudge": command,
            "diff.evil.textconv": command,
            "diff.evil.command": command,
            "gpg.program": command,
            "commit.gpgSign": "true",
            "credential.helper": command,
            "uploadpack.packObjectsHook": command,
        }.items():
            made.git("config", name, str(value))
        return made

    def used(self, worktree: Worktree, tmp_path: Path) -> None:
        """Everything that the parent does with it."""
        checkout = worktree.checkout
        base = checkout.git.run("rev-parse", "main").strip()
        patch = Patch(checkout.git, base, worktree.tree())
        assert patch.content is not None
        try:
            patch.check(Redactor({}))
        except PatchRefused:
            pass
        else:
            judged = checkout.worktree(tmp_path / "judged", base)
            judged.git.run("read-tree", "-u", "--reset", patch.tree)
        worktree.git.run("status", "--porcelain")
        checkout.existing(worktree.path)
        checkout.remove(worktree.path)

    def test_the_command_would_be_run_by_somebody_who_is_not_careful(
        self, worktree: Worktree, command: Path, marker: Path
    ) -> None:
        self.hostile(worktree.path.parent / "evil", command)
        (worktree.path / ".git").write_text(f"gitdir: {worktree.path.parent}/evil/.git\n")

        Repository(worktree.path).git("status")

        assert marker.exists()

    @pytest.mark.parametrize("how", ["a file", "a folder", "a link"])
    def test_another_git_file(
        self, worktree: Worktree, command: Path, marker: Path, tmp_path: Path, how: str
    ) -> None:
        evil = self.hostile(worktree.path.parent / "evil", command).root / ".git"
        own = worktree.path / ".git"
        own.unlink()
        if how == "a file":
            own.write_text(f"gitdir: {evil}\n")
        elif how == "a folder":
            shutil.copytree(evil, own, symlinks=True)
        else:
            own.symlink_to(evil)
        (worktree.path / MODULE).write_text("x = 1\n")

        self.used(worktree, tmp_path)

        assert not marker.exists(), marker.read_text()

    def test_attributes_that_name_a_filter(
        self, worktree: Worktree, command: Path, marker: Path, tmp_path: Path
    ) -> None:
        evil = self.hostile(worktree.path.parent / "evil", command).root / ".git"
        (worktree.path / ".git").write_text(f"gitdir: {evil}\n")
        (worktree.path / ".gitattributes").write_text("* filter=evil diff=evil\n")
        (worktree.path / MODULE).write_text("x = 1\n")

        self.used(worktree, tmp_path)

        assert not marker.exists(), marker.read_text()

    @pytest.mark.parametrize("where", ["tests/inner", "openhands-sdk", "openhands-sdk/openhands"])
    def test_a_repository_within(
        self, worktree: Worktree, command: Path, marker: Path, tmp_path: Path, where: str
    ) -> None:
        inner = self.hostile(worktree.path / where, command)
        quiet = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
        inner.write(".gitattributes", "* filter=evil diff=evil\n")
        inner.git(*quiet, "-c", "commit.gpgSign=false", "commit", "--quiet", "--allow-empty", "-mx")
        inner.write("more.py")
        marker.unlink(missing_ok=True)

        self.used(worktree, tmp_path)

        assert not marker.exists(), marker.read_text()

    def test_a_module_of_git(
        self, worktree: Worktree, command: Path, marker: Path, tmp_path: Path
    ) -> None:
        self.hostile(worktree.path / "tests" / "module", command)
        (worktree.path / ".gitmodules").write_text(
            '[submodule "x"]\n\tpath = tests/module\n'
            f"\turl = ext::{command}\n\tupdate = !{command}\n"
        )

        with pytest.raises(AutofixError):
            self.used(worktree, tmp_path)
        worktree.checkout.remove(worktree.path)

        assert not marker.exists(), marker.read_text()


class TestGit:
    def test_a_repository_that_is_gone_is_called_so(self, tmp_path: Path) -> None:
        with pytest.raises(AutofixError, match="is gone"):
            Git(tmp_path / "nothing").run("status")

    def test_no_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))

        with pytest.raises(AutofixError, match="git is not installed"):
            Git(tmp_path).run("version")

    def test_a_command_that_does_not_end(self, repository: Repository) -> None:
        with pytest.raises(GitError, match="no end"):
            Git(repository.root / ".git").run("-c", "alias.wait=!sleep 2", "wait", timeout=0.2)
