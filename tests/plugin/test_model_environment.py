"""A curious model looks around in its terminal, and finds nothing that is worth anything.

Names of variables tell, since no redaction hides them: what is not there needs none.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from pytest_ohllm.sdk.environment import IMPORT_SETTINGS
from pytest_ohllm.simulator.server import Simulator
from tests.conftest import Result
from tests.plugin.conftest import MakeProject, leaks

KEY = "sk-canary-7Fh2kQ9xVb3LmZ0aRt5WcYp8"

LOOKS = {
    "env": "env",
    "how the shell was started": "cat -v /proc/$$/environ",
    "the home": "ls -A ~",
    "the workspace": "ls -A",
}
"""What a curious model does, by name."""

OWN = f"""
import json
from pathlib import Path

LOOKS = {LOOKS!r}

def test_looks_around(llm_driver):
    seen = {{}}
    for name, command in LOOKS.items():
        prompt = f"Please run this command with the terminal: `{{command}}`"
        transcript = llm_driver.converse(prompt, allow=[command])
        (observation,) = transcript.observations("terminal")
        assert observation.exit_code == 0, observation
        seen[name] = observation.text
    Path("seen.json").write_text(json.dumps(seen))
"""

USERS = {
    "OPENAI_API_KEY": "sk-fake-of-the-user",
    "OHLLM_KEY": KEY,
    "AN_INNOCENT_NAME": KEY,
    "LLM_API_KEY": KEY,
    "AWS_SECRET_ACCESS_KEY": "fake-aws-secret",
    "GITHUB_TOKEN": "fake-github-token",
    "DATABASE_URL": "postgres://me:fake-password@db.invalid/x",
    "HTTPS_PROXY": "http://me:fake-password@proxy.invalid:3128",
    "SSH_AUTH_SOCK": "/run/fake-agent",
    "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/fake-bus",
    "XDG_CONFIG_HOME": "/fake-config",
}
"""What stands in the environment of the user who starts the run."""

HARMLESS = re.compile(
    r"PATH|LANG|LANGUAGE|LC_\w+|TERM|TZ|USER|LOGNAME|SHELL|TMPDIR|SSL_CERT_\w+|REQUESTS_CA_BUNDLE"
    r"|NO_PROXY|no_proxy|COLUMNS|LINES|PYTEST_\w+|VIRTUAL_ENV|COVERAGE_PROCESS_\w+|HOME|SHLVL|_"
    r"|PWD|OLDPWD"
)
"""Names that the user's environment and the model's terminal may have in common."""

TELLING = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH(?!OR)", re.IGNORECASE)


def looked(project_path: Path, result: Result) -> dict[str, str]:
    """What the model saw, by the name of the look."""
    assert result.ret == 0, result.output
    seen: dict[str, str] = json.loads((project_path / "seen.json").read_text())
    return seen


@pytest.fixture(scope="module", params=["tmux", "without tmux"])
def seen(
    request: pytest.FixtureRequest,
    make_project: MakeProject,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """The SDK has two terminals, one of them for machines without tmux."""
    environ = dict(USERS)
    if request.param == "without tmux":
        environ["PATH"] = str(without_tmux(tmp_path_factory.mktemp("bin")))
    elif shutil.which("tmux") is None:
        pytest.skip("NOT TESTED in tmux, for lack of it: apt-get install tmux")
    project = make_project("curious")
    project.write("test_own.py", OWN)
    with Simulator(api_key=KEY) as simulator:
        result = project.run(
            "test_own.py",
            f"--llm-model=openai/{simulator.model}",
            f"--llm-base-url={simulator.base_url}",
            "--llm-api-key-env=OHLLM_KEY",
            env=environ,
        )
    assert leaks(KEY, result.output, project.path) == []
    return looked(project.path, result)


def without_tmux(folder: Path) -> Path:
    """A folder with all programs of the PATH but that one."""
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            link = folder / program.name
            if program.name != "tmux" and not link.is_symlink():
                link.symlink_to(program)
    return folder


def variables(seen: str) -> dict[str, str]:
    """Names and values in the output of ``env``; a value may go on in further lines."""
    lines = seen.replace("^@", "\n")
    return dict(re.findall(r"^(\w+)=(.*)$", lines, re.MULTILINE))


@pytest.mark.parametrize("look", ["env", "how the shell was started"])
def test_no_variable_of_the_user_is_in_the_models_terminal(seen: dict[str, str], look: str) -> None:
    found = variables(seen[look])

    assert {"PATH", "HOME", "OPENHANDS_SUPPRESS_BANNER"} <= found.keys(), "it was really looked"
    assert not USERS.keys() & found.keys()
    # Where other tests have set a variable that is ours there, its value tells them apart.
    inherited = {name for name, value in found.items() if os.environ.get(name) == value}
    inherited -= IMPORT_SETTINGS.keys()
    assert not {name for name in inherited if not HARMLESS.fullmatch(name)}


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_there_had_to_be_redacted(seen: dict[str, str], look: str) -> None:
    assert "[REDACTED" not in seen[look]
    assert "fake-" not in seen[look]


@pytest.mark.parametrize("look", ["env", "how the shell was started"])
def test_no_name_promises_a_credential(seen: dict[str, str], look: str) -> None:
    found = variables(seen[look])

    assert not {name: value for name, value in found.items() if TELLING.search(name) and value}


def test_home_and_workspace_are_thrown_away_afterwards(seen: dict[str, str]) -> None:
    home = Path(variables(seen["env"])["HOME"])

    assert not home.exists()
    assert not {".ssh", ".netrc", ".aws", ".openhands"} & set(seen["the home"].split())
    assert seen["the workspace"].split() == []
