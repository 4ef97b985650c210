"""Shows one failure of a model with the OpenHands SDK again, with the SDK that Python finds.

It needs openhands-sdk, and openhands-tools where the agent has a terminal. Exit codes: 0 green, the
failing step works; 1 red, it fails as it was seen; 3 something else went wrong.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

CASE: dict[str, Any] = {}
"""Settings of ``LLM``, the scene, how it failed, and, for the offline twin, recorded answers."""

GREEN, RED, OTHER = 0, 1, 3


def main() -> int:
    """Play the scene once, and say whether it fails as it did."""
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("OPENHANDS_SUPPRESS_BANNER", "1")
    settings, key = dict(CASE["settings"]), os.environ.get(CASE["key_variable"])
    endpoint = Endpoint(CASE["answers"]) if CASE.get("answers") else None
    if endpoint is not None:
        settings["base_url"], key = endpoint.address(CASE["base_path"]), "offline"
    elif CASE["wants_key"] and not key:
        print(f"set {CASE['key_variable']} to a key for {settings.get('base_url') or 'the model'}")
        return OTHER
    error: BaseException | None = None
    try:
        play(settings, key or "not-needed", CASE["scene"])
    except Exception as raised:
        error = raised
    return judged(error, endpoint)


def judged(error: BaseException | None, endpoint: Endpoint | None) -> int:
    """What came of it, in one line; the traceback where it went wrong."""
    if endpoint is not None and endpoint.passed:
        print("GREEN: the step that failed works with this SDK")
        return GREEN
    if error is None:
        return silent(endpoint)
    traceback.print_exception(error)
    words = " ".join(str(telling(error)).split())[:300]
    if alike(error):
        print(f"RED, as it was seen: {words}")
        return RED
    print(f"OTHER: it fails in another way than it was seen: {words}")
    return OTHER


def silent(endpoint: Endpoint | None) -> int:
    """What it means that nothing was raised: an error that is passed over is not repaired."""
    if endpoint is None or (endpoint.failed and not endpoint.answers["conditions"]):
        print("GREEN: no error")
        return GREEN
    if endpoint.failed:
        print("RED: the request is the one that failed, and its refusal was passed over")
        return RED
    print("OTHER: the request that failed was never sent")
    return OTHER


def alike(error: BaseException) -> bool:
    """Whether it failed as it did: by the same HTTP status, or by the same exception."""
    seen, links = CASE["failure"], list(chain_of(error))
    if seen["status"]:
        return seen["status"] in {getattr(link, "status_code", None) for link in links}
    return seen["type"] in {f"{type(one).__module__}.{type(one).__qualname__}" for one in links}


def chain_of(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it came of."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "original_exception", None)
        error = error.__cause__ or error.__context__ or inner


def telling(error: BaseException) -> BaseException:
    """The deepest exception that knows the HTTP status, or the one that started it all."""
    links = list(chain_of(error))
    knowing = [link for link in links if getattr(link, "status_code", None)]
    return (knowing or links)[-1]


def play(settings: dict[str, Any], key: str, scene: dict[str, Any]) -> None:
    """Ask the model as it was asked when it failed."""
    from openhands.sdk import LLM, Message, TextContent

    known = {name: value for name, value in settings.items() if name in LLM.model_fields}
    known |= scene.get("changes", {})
    if scene.get("stream"):
        known["stream"] = True
    if scene.get("tool_mode"):
        known["native_tool_calling"] = scene["tool_mode"] == "native"
    # A saved profile says all of these as well.
    known |= {"api_key": key, "usage_id": "repro", "num_retries": 0, "timeout": 120}
    llm: Any = LLM(**known)
    if "prompt" in scene:
        message = Message(role="user", content=[TextContent(text=scene["prompt"])])
        more: dict[str, Any] = {"on_token": lambda _chunk: None} if scene.get("stream") else {}
        responses = llm.uses_responses_api() and not hasattr(llm, "generate")
        name = (
            "responses" if responses else "generate" if hasattr(llm, "generate") else "completion"
        )
        getattr(llm, name)([message], **more)
    else:
        converse(llm, scene)


def converse(llm: Any, scene: dict[str, Any]) -> None:
    """The SDK's agent with a terminal, in which only the commands of the scene may run."""
    from openhands.sdk import Agent, Conversation, Tool
    from openhands.sdk.conversation.state import ConversationState
    from openhands.sdk.security.confirmation_policy import AlwaysConfirm
    from openhands.tools.terminal import TerminalTool

    with tempfile.TemporaryDirectory() as workspace:
        for name, text in scene.get("files", {}).items():
            (Path(workspace) / name).write_text(text, encoding="utf-8")
        agent: Any = Agent(llm=llm, tools=[Tool(name=TerminalTool.name)])
        conversation: Any = Conversation(
            agent=agent, workspace=workspace, visualizer=None, max_iteration_per_run=8
        )
        conversation.set_confirmation_policy(AlwaysConfirm())
        for turn in scene["turns"]:
            conversation.send_message(turn)
            for _ in range(8):
                conversation.run()
                if conversation.state.execution_status.value != "waiting_for_confirmation":
                    break
                pending = ConversationState.get_unmatched_actions(conversation.state.events)
                if not all(allowed(action, scene.get("allow", [])) for action in pending):
                    conversation.reject_pending_actions("not a part of this test")
        conversation.close()


def allowed(action: Any, commands: list[str]) -> bool:
    """Whether a call of the model may run here."""
    if action.tool_name in ("finish", "think"):
        return True
    command = str(getattr(action.action, "command", ""))
    return action.tool_name == "terminal" and command.strip() in commands


class Endpoint:
    """Gives the recorded answers: the failing one for as long as the request is the failing one.

    ``answers``: ``before`` are the answers to the requests before the failing one, ``red`` and
    ``green`` those to the failing request and to the one that worked; ``conditions`` tell the first
    from the second (none: the answer itself is what the SDK cannot read). ``failed`` is whether the
    failing answer was given, ``passed`` whether the failing step is behind.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers, self.asked = answers, 0
        self.failed = self.passed = False
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                answer = endpoint.answer(self.path, self.rfile.read(length))
                body = answer["body"].encode()
                self.send_response(answer["status"])
                self.send_header("content-type", answer["type"])
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def address(self, path: str) -> str:
        """The base URL for an ``LLM``."""
        return f"http://127.0.0.1:{self.server.server_address[1]}{path}"

    def answer(self, path: str, content: bytes) -> dict[str, Any]:
        """What was answered to such a request."""
        number, before = self.asked, self.answers["before"]
        self.asked += 1
        if number < len(before):
            return dict(before[number])
        conditions = self.answers["conditions"]
        if self.passed or (number > len(before) and not conditions):
            self.passed = True
            error = '{"error": {"message": "nothing was recorded beyond this step"}}'
            return {"status": 400, "type": "application/json", "body": error}
        try:
            body = json.loads(content)
        except ValueError:
            body = None
        if not conditions or any(holds(condition, path, body) for condition in conditions):
            self.failed = True
            return dict(self.answers["red"])
        self.passed = True
        return dict(self.answers["green"])


def holds(condition: dict[str, Any], path: str, body: Any) -> bool:
    """Whether a request has what made the difference.

    ``kind``: ``url`` (its path ends so), ``present``, ``absent`` in objects that are ``like`` it,
    ``type`` and ``value`` of what stands at ``path``, whose ``*`` is any item of a list; ``item``
    and ``lacking``: the list there has an item ``like`` it, or none.
    """
    if condition["kind"] == "url":
        return path.partition("?")[0].endswith(condition["ends"])
    *outer, name = condition["path"]
    for parent in at(body, outer):
        if condition["kind"] == "absent":
            if like(parent, condition["like"]) and name not in parent:
                return True
            continue
        for value in at(parent, [name]):
            if condition["kind"] == "present":
                return True
            if condition["kind"] == "type" and type(value).__name__ == condition["type"]:
                return True
            if condition["kind"] == "value" and value == condition["value"]:
                return True
            if condition["kind"] in ("item", "lacking") and isinstance(value, list):
                found = any(like(one, condition["like"]) for one in value)
                if found is (condition["kind"] == "item"):
                    return True
    return False


def like(value: Any, wanted: dict[str, Any]) -> bool:
    """Whether an object has the role, the type and the members that the failing one had."""
    if not isinstance(value, dict):
        return False
    same = all(value.get(name) == wanted[name] for name in ("role", "type"))
    return same and set(wanted["names"]) <= set(value)


def at(value: Any, path: list[str]) -> Iterator[Any]:
    """Everything that stands at ``path``."""
    if not path:
        yield value
    elif path[0] == "*":
        for item in value if isinstance(value, list) else ():
            yield from at(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from at(value[path[0]], path[1:])


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    code = main()
    sys.stdout.flush()
    os._exit(code)  # a terminal's threads do not end by themselves
