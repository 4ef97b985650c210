"""A conversation through a real openhands-agent-server process, over its REST API.

The profile is saved on the server twice, as ``one`` and ``two``; the key travels in that request
and nowhere else. A conversation cannot be started with the name of a profile: as the server's own
web client does, this one reads ``one`` back with its secrets encrypted under the server's key, and
puts it into the start request as it is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pytest_ohllm.model import End, Transcript
from pytest_ohllm.sdk import server_events
from pytest_ohllm.sdk.conversation import MAX_REJECTIONS, MAX_STEPS
from pytest_ohllm.sdk.events import final_text
from pytest_ohllm.sdk.guard import CommandGuard
from pytest_ohllm.sdk.scene import Scene, UnsupportedBySdk
from pytest_ohllm.sdk.server_process import ServerProcess
from pytest_ohllm.sdk.server_rest import Rest, ServerFailed
from pytest_ohllm.wire.tape import Tape

FIRST, SECOND = "one", "two"
"""The names of the profiles on the server."""

GRACE_SECONDS = 5.0
"""Beyond the time for the scene: the LLM's own timeout comes first, and says what was awaited."""

_PROFILE = "/api/profiles/"
_CONVERSATIONS = "/api/conversations"
_POLL_SECONDS = 0.1
_WAITING = "waiting_for_confirmation"
_END: dict[str, End] = {
    "finished": "finished",
    "stuck": "stuck",
    "error": "error",
    "timeout": "timeout",
}


def is_installed() -> bool:
    """Whether this environment has the package openhands-agent-server."""
    return find_spec("openhands") is not None and find_spec("openhands.agent_server") is not None


def plain_settings(llm: Any) -> dict[str, Any]:
    """``llm`` as JSON with its secrets in plain text: a request's body, and nothing else."""
    settings: dict[str, Any] = llm.model_dump(mode="json", context={"expose_secrets": True})
    return settings


class ServedScene:
    """One scene: all turns but the last, then another profile, a restart, and the last turn.

    ``facts`` fills as it goes, and ``transcript`` tells as much of the conversation as was heard.
    """

    def __init__(self, scene: Scene, workspace: Path, tape: Tape, facts: dict[str, Any]) -> None:
        if not is_installed():
            raise UnsupportedBySdk(
                "a server (openhands-agent-server): pip install 'pytest-ohllm[server]'"
            )
        self._scene, self._workspace, self._tape, self._facts = scene, workspace, tape, facts
        self._guard = CommandGuard(scene.allow, workspace, scene.allow_tools)
        self._items: list[Mapping[str, Any]] = []
        self._info: Mapping[str, Any] = {}
        self._judged: set[str] = set()
        self._end: End = "error"

    def play(self, settings: Mapping[str, Any], redact: Callable[[Any], Any]) -> None:
        """Play it with these settings of an ``LLM``. Raises ServerFailed and UnsupportedBySdk."""
        folder = self._workspace.parent / f"{self._workspace.name}-server"
        server = ServerProcess(folder, self._workspace)
        self._facts |= {"rest": server.log, "start_seconds": server.start_seconds}
        *turns, last = self._scene.turns
        try:
            with server.running() as rest:
                self._own_time(server)
                self._facts["key_enforced"] = _key_enforced(rest)
                _save_profiles(rest, settings)
                self._start(rest, _encrypted(rest, settings))
                if not all(self._say(rest, turn) for turn in turns):
                    return
                rest.post(f"{self._path}/switch_profile", {"profile_name": SECOND})
            with server.running() as rest:
                self._own_time(server)
                self._look_at_state(rest)
                self._facts["restored_llm"] = self._info["agent"]["llm"]["usage_id"]
                self._say(rest, last)
        except BaseException:
            self._end = "error"
            raise
        finally:
            self._facts |= server.left_behind(redact)

    def transcript(self) -> Transcript:
        """What the server told of the conversation; an end in an error carries its reason."""
        events = server_events.reduce_json(self._items)
        return Transcript(
            scenario="server",
            events=events,
            usage=server_events.usage(self._info.get("stats") or {}),
            end=self._end,
            final_text=final_text(events),
            error=server_events.failure(self._items) if self._end == "error" else None,
        )

    @property
    def _path(self) -> str:
        return f"{_CONVERSATIONS}/{self._info['id']}"

    def _own_time(self, server: ServerProcess) -> None:
        """The scene's clock is for the endpoint: a start of the server does not count."""
        if self._tape.deadline is not None:
            self._tape.deadline += server.start_seconds[-1] + GRACE_SECONDS

    def _start(self, rest: Rest, config: Mapping[str, Any]) -> None:
        request = {
            "agent": {"kind": "Agent", "llm": config, "tools": [{"name": "terminal"}]},
            "secrets_encrypted": True,
            "workspace": {"kind": "LocalWorkspace", "working_dir": str(self._workspace)},
            "tool_module_qualnames": {"terminal": "openhands.tools.terminal"},
            "confirmation_policy": {"kind": "AlwaysConfirm"},
            "max_iterations": MAX_STEPS,
            # Otherwise the model is asked for a title, too, beside the conversation.
            "autotitle": False,
        }
        self._info = rest.post(_CONVERSATIONS, request)

    def _say(self, rest: Rest, text: str) -> bool:
        """Say ``text``, confirm or reject what the agent wants to do; whether it finished."""
        self._require_confirmation()
        message = {"role": "user", "content": [{"type": "text", "text": text}], "run": False}
        rest.post(f"{self._path}/events", message)
        self._end = self._confirming(rest)
        self._look_at_state(rest)
        self._look_at_events(rest)
        if self._end == "error" and server_events.failure(self._items) is None:
            # The server calls it an error, as the SDK does.
            self._end = "iteration_limit"
        return self._end == "finished"

    def _confirming(self, rest: Rest) -> End:
        """Run, confirm or reject, and run on, until the turn ends by itself or by a limit."""
        rejections = 0
        for _ in range(MAX_STEPS):
            status = self._run(rest)
            if status != _WAITING:
                return _END.get(status, "error")
            reason = self._refusal()
            if reason is None:
                continue
            rejections += 1
            answer = {"accept": False, "reason": reason}
            rest.post(f"{self._path}/events/respond_to_confirmation", answer)
            if rejections > MAX_REJECTIONS:
                return "rejected"
        return "iteration_limit"

    def _require_confirmation(self) -> None:
        """Nothing is said to the model while its commands would run unseen."""
        policy = (self._info.get("confirmation_policy") or {}).get("kind")
        if policy != "AlwaysConfirm":
            raise ServerFailed(f"the server does not keep the confirmation policy: {policy}")

    def _run(self, rest: Rest) -> str:
        """Run, or run on with what waits for confirmation, until the status means something new.

        ``respond_to_confirmation`` would accept in silence while the last run is still ending, and
        do nothing; ``run`` says so (409), and is repeated.
        """
        started = False
        while self._tape.remaining != 0:
            started = started or _accepted(rest, f"{self._path}/run")
            time.sleep(_POLL_SECONDS)
            if not started:
                continue
            # A status of waiting may be old until a call is there that was not judged before, and
            # only what is read after a fresh one are all the calls that wait.
            fresh = bool(self._unjudged())
            status = self._look_at_state(rest)
            if status in ("idle", "running"):
                continue
            self._look_at_events(rest)
            if status != _WAITING or fresh:
                return status
        return "timeout"

    def _refusal(self) -> str | None:
        """Judge what waits for confirmation; why it must not run, if it must not."""
        calls = self._unjudged()
        self._judged |= {call["id"] for call in calls}
        reasons = (self._guard.refusal(call["tool_name"], call["action"]) for call in calls)
        return next(filter(None, reasons), None)

    def _unjudged(self) -> list[Mapping[str, Any]]:
        waiting = server_events.pending(self._items)
        return [call for call in waiting if call["id"] not in self._judged]

    def _look_at_state(self, rest: Rest) -> str:
        self._info = rest.get(self._path)
        self._facts["calls_by_llm"] = server_events.calls_by_llm(self._info.get("stats") or {})
        return str(self._info["execution_status"])

    def _look_at_events(self, rest: Rest) -> None:
        items: list[Mapping[str, Any]] = []
        page: dict[str, Any] | None = {}
        while page is not None:
            answer = rest.get(f"{self._path}/events/search", {"limit": 100, **page})
            items += answer["items"]
            following = answer.get("next_page_id")
            page = {"page_id": following} if following else None
        self._items = items


def _key_enforced(rest: Rest) -> bool:
    """Whether nobody gets in without the server's key, while its health is for all to see."""
    return [rest.status("/api/profiles", key) for key in (None, "another")] == [401, 401]


def _save_profiles(rest: Rest, settings: Mapping[str, Any]) -> None:
    for name in (FIRST, SECOND):
        rest.post(f"{_PROFILE}{name}", {"llm": settings, "include_secrets": True})


def _encrypted(rest: Rest, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first profile as the server hands it out, its secrets encrypted."""
    answer = rest.get(f"{_PROFILE}{FIRST}", headers={"X-Expose-Secrets": "encrypted"})
    config: Mapping[str, Any] = answer["config"]
    if settings.get("api_key") and not config.get("api_key"):
        raise UnsupportedBySdk("profiles with encrypted secrets from openhands-agent-server")
    return config


def _accepted(rest: Rest, path: str) -> bool:
    try:
        rest.post(path)
    except ServerFailed as failure:
        if failure.refusal == 409:
            return False
        raise
    return True
