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

# Stage D. Words in braces are filled with what the check knows and the model must find out.
COUNT = "Count from one to thirty in English words, one word per line, and write nothing else."
COLOURS = (
    "The picture has four quadrants, each of one colour. Name the four colours, from left to "
    "right, the upper row first. Use only these names: red, green, blue, yellow, black, white."
)
REMEMBER = "Remember this word: {word}. Do not use any tool; just answer OK."
RECALL = "Which word did I ask you to remember? Do not use any tool; answer with the word only."
TWO_COMMANDS = (
    "Run these two commands in parallel, as two calls of the terminal tool in one response: "
    "`{first}` and `{second}`\nThen tell me both words that they printed."
)
FALL_BACK = (
    "Use the terminal tool to run `{failing}`. If that fails, run `{working}` instead. "
    "Then tell me the word that the second command printed."
)
LONG_OUTPUT = (
    "Use the terminal tool to run exactly this command, once: `{command}`\n"
    "Then tell me the first and the last line that it printed."
)
MANY_SCRIPTS = [
    f"{number:04d} text · 日本語 · עברית · العربية · 🦜🚀👩🏽‍💻 · e\u0301 · \u202eabc\u202c · \x7f"
    for number in range(150)
]
"""Lines in many scripts, with emoji, marks, a right-to-left override and a control character."""

CALL_WITH_JSON = (
    "Call the tool `{tool}` once, with exactly these arguments:\n```json\n{arguments}\n```\n"
    "Then tell me the receipt that it returned."
)
NO_TOOL = "What is {left} + {right}? You need no tool for this; answer with the number only."
RECALL_OUTPUT = "Which word did the command print? Do not use any tool; answer with the word only."
