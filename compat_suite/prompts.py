"""What the model is asked."""

from __future__ import annotations

HELLO = "Say hello in one word."
GREETING = "Please echo 'Hello!'"
GREETING_COMMAND = "echo 'Hello!'"

MARKER = "TOOL_OK"
MARKER_COMMAND = f"echo {MARKER}"
MARKER_TASK = (
    f"Use the terminal tool to run exactly this command, once: `{MARKER_COMMAND}`\n"
    "Then tell me what it printed and its exit code."
)

NONCE_FILE = "nonce.txt"
NONCE_COMMAND = f"cat {NONCE_FILE}"
NONCE_TASK = (
    f"Use the terminal tool to run exactly this command, once: `{NONCE_COMMAND}`\n"
    "Then tell me the word that it printed."
)
