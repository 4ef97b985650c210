"""An MCP server on standard input and output with one tool, in the standard library only.

Run as a script. Its argument is JSON: ``{"tool": {…}, "receipts": {"<canonical arguments>":
"<text>"}}``. A library would take seconds to start for what is a page here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

_METHOD_NOT_FOUND = -32601


def canonical(arguments: Any) -> str:
    """One spelling for equal arguments."""
    return json.dumps(arguments, sort_keys=True, ensure_ascii=True)


def answer(request: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any] | None:
    """The response to one JSON-RPC message; ``None`` for a notification."""
    if "id" not in request:
        return None
    method, params = request.get("method"), request.get("params") or {}
    head = {"jsonrpc": "2.0", "id": request["id"]}
    if method == "initialize":
        result: dict[str, Any] = {
            "protocolVersion": params.get("protocolVersion", "2025-03-26"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "ohllm", "version": "1"},
        }
    elif method == "ping":
        result = {}
    elif method == "tools/list":
        result = {"tools": [job["tool"]]}
    elif method == "tools/call":
        result = _called(params, job)
    else:
        return {**head, "error": {"code": _METHOD_NOT_FOUND, "message": f"no method {method}"}}
    return {**head, "result": result}


def _called(params: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    receipt = job["receipts"].get(canonical(params.get("arguments")))
    text = receipt or "error: these are not the arguments that were asked for"
    return {"content": [{"type": "text", "text": text}], "isError": receipt is None}


def main() -> None:
    job = json.loads(sys.argv[1])
    for line in sys.stdin:
        if line.strip() and (response := answer(json.loads(line), job)) is not None:
            sys.stdout.write(json.dumps(response) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
