"""What a tool really said: the terminal's output without the shell's and the SDK's decoration."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_EXIT_CODE = re.compile(r"\[[^\[\]\n]*\bexit code:? (-?\d+)[^\[\]\n]*\]", re.IGNORECASE)
_FOOTER = re.compile(
    r"\[(?:The command|Command|Current working directory|Python interpreter|Shell)\b.*\]"
)

_HEADER = re.compile(r"\[(?:Below is the output|Previous command outputs are truncated)\b.*\]")


@dataclass(frozen=True)
class Observation:
    """One tool result: the exact output, and the exit code where the tool names one."""

    output: str
    exit_code: int | None

    def report(self, command: str | None) -> str:
        """One truthful paragraph on what came out."""
        subject = f"The command `{command}`" if command else "The tool"
        if self.exit_code is None:
            return f"{subject} gave no exit code. The answer was:\n{self.output}"
        if not self.output:
            return f"{subject} finished with exit code {self.exit_code} and printed nothing."
        return f"{subject} finished with exit code {self.exit_code}. Its output was:\n{self.output}"

    def ends(self, command: str | None) -> str:
        """The first and the last line, where only those are asked for."""
        lines = self.output.split("\n")
        subject = f"`{command}`" if command else "The tool"
        code = "" if self.exit_code is None else f" and finished with exit code {self.exit_code}"
        return f"{subject} ran{code}.\nThe first line is: {lines[0]}\nThe last line is: {lines[-1]}"


def read(text: str) -> Observation:
    """Read a tool result as the terminal tool writes it; other text passes as plain output."""
    plain = _ANSI.sub("", text).replace("\r\n", "\n")
    codes = _EXIT_CODE.findall(plain)
    lines = plain.split("\n")
    while lines and (not lines[-1].strip() or _FOOTER.fullmatch(lines[-1].strip())):
        lines.pop()
    while lines and _HEADER.fullmatch(lines[0].strip()):
        del lines[0]
    return Observation("\n".join(lines).strip("\n"), int(codes[-1]) if codes else None)
