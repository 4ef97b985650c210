"""How long `ohllm-autofix` takes for a real gap, beside the model that fixes.

The simulated model answers at once, so what is measured is what a user waits for in any case: the
evidence, the agent's process and its tools, and both halves of the proof.
"""

from __future__ import annotations

import re
import subprocess
import sys

TARGET = 60.0
TEST = "test_a_real_gap_becomes_a_proved_pull_request"
WHOLE = re.compile(r"^. the pull request is there \((\d+) s", re.M)
ROUND = re.compile(r"round \d+: \w+ after (\d+) s")
STEP = re.compile(r"^\[\w+ +(\d+) s\] (.*)", re.M)


def main() -> None:
    """Run it once, and print when each step was reached."""
    command = ["-m", "pytest", "tests/autofix/test_pipeline.py", "-k", TEST, "-q", "-rP"]
    done = subprocess.run(
        [sys.executable, *command, "-p", "no:cacheprovider"],
        capture_output=True,
        text=True,
        check=False,
    )
    whole, agent = WHOLE.search(done.stdout), ROUND.search(done.stdout)
    if done.returncode or whole is None or agent is None:
        sys.exit(done.stdout[-3000:] + done.stderr)
    for seconds, line in STEP.findall(done.stdout):
        print(f"{seconds:>5} s  {line[:100]}")
    print(f"autofix: {whole[1]} s in all, {agent[1]} s of it the agent (target: {TARGET:g} s)")


if __name__ == "__main__":
    main()
