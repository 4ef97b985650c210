"""What a person sees on the terminal, whatever the models said."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from pytest_ohllm.model import Diagnosis, ProfileReport, Remedy, Run, Stage, Usage
from pytest_ohllm.report.safe_text import ascii_only, block, one_line
from pytest_ohllm.report.terminal import MOST_FINDINGS, render, render_short

type Make[T] = Callable[..., T]

ANY_TEXT = st.text(st.characters(codec=None), max_size=300)
HOSTILE = st.sampled_from(
    [
        "\x1b[2J\x1b[H",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\click",
        "\x9b31m",
        "\u202eevil",
        "\u2066",
        "[bold red]markup[/]",
        "[/nothing]",
        ":smile:",
        "\r overwritten",
        "\x00\x08\x7f",
        "\udc80",
        "漢字" * 50,
        "e" + "\u0301" * 200,
        "\U000e0041",
    ]
)
MESSAGES = st.lists(ANY_TEXT | HOSTILE, max_size=5).map("".join)


def shown(run: Run, width: int = 80, *, color: bool = False, ascii: bool = False) -> str:
    return render(run, width=width, color=color, ascii=ascii, run_dir=".ohllm/runs/x")


@pytest.fixture
def mixed(run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]) -> Run:
    """Profiles of every sort, one with a long name."""
    remedy = Remedy(settings={"native_tool_calling": False}, summary="by prompt")
    return run(
        profile("sim", "A+++ B++ C++ D+"),
        profile("vllm", usage=Usage(llm_calls=3), remedy=remedy),
        profile("sim:parrot", "A+ B+ Cxx"),
        profile("openrouter-deepseek-r1-distill-llama-70b-free", "Ax B- C-"),
        profile("azure", "A?? B- C-", why=diagnosis("the key is refused"), tool_mode=None),
        profile("partly", "C+", selected=(Stage.C,)),
    )


class TestAnswer:
    def test_one_working_profile_is_answered_in_the_first_line(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        text = shown(run(profile("sim")))
        assert "sim WORKS" in text.splitlines()[0]
        assert "openhands-sdk 1.28.0 3f2a1c9d" in text.splitlines()[0]
        assert "native tools · 9 calls · 12.3k tokens · $0.0123 · 8.2 s" in text
        assert text.rstrip().endswith("evidence in .ohllm/runs/x")

    def test_the_last_line_names_the_page(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        folder = ".ohllm/runs/" + "x" * 100
        text = render(
            run(profile("sim")),
            width=80,
            color=False,
            ascii=True,
            run_dir=folder,
            page=f"{folder}/report.html",
        )
        assert text.endswith(f"\n  open {folder}/report.html\n"), "in one piece, to be copied"

    def test_every_profile_has_its_verdict(self, mixed: Run) -> None:
        text = shown(mixed)
        assert re.search(r"sim +✓ WORKS +✓ 3/3 +✓ 2/2 +✓ 2/2 +✓ 1/1$", text, re.MULTILINE)
        assert re.search(r"vllm +✓ WORKS WITH SETTINGS", text)
        assert re.search(r"sim:parrot +✗ DOES NOT WORK +✓ 1/1 +✓ 1/1 +✗ 0/2 +-$", text, re.M)
        assert re.search(r"azure +\? INCONCLUSIVE +\? 0/2 +not run +not run +-$", text, re.M)

    def test_each_failure_has_a_diagnosis_and_a_next_step(self, mixed: Run) -> None:
        lines = [line.strip() for line in shown(mixed).splitlines()]
        where = lines.index(
            "✗ sim:parrot  C calls tools · 2 checks · model limitation, blame: model"
        )
        assert lines[where + 1 : where + 3] == ["no tool was called", "→ choose another model"]

    def test_settings_that_help_can_be_copied(self, mixed: Run) -> None:
        assert "    LLM(..., native_tool_calling=False)\n" in shown(mixed)

    def test_a_verdict_without_findings_says_its_reason(self, mixed: Run) -> None:
        assert "stages A, B were not selected" in shown(mixed)

    def test_one_call_is_one_call(self, run: Make[Run], profile: Make[ProfileReport]) -> None:
        assert "· 1 call · " in shown(run(profile(usage=Usage(llm_calls=1))))

    def test_unknown_cost_is_said(self, mixed: Run) -> None:
        assert "tokens unknown · cost unknown" in shown(mixed)

    def test_failures_of_stage_d_are_shown_beside_a_good_verdict(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        text = shown(run(profile("sim", "A+ B+ C+ Dx")))
        assert "sim WORKS" in text and "✗ sim  D advanced gates" in text

    def test_a_run_without_profiles_is_no_crash(self, run: Make[Run]) -> None:
        assert "nothing was tested" in shown(run())
        assert render_short(run(), width=80, color=False, ascii=False) == ""


class TestLayout:
    @pytest.mark.parametrize("width", [70, 80, 100, 120, 160, 200])
    @pytest.mark.parametrize("ascii", [False, True])
    def test_no_line_is_wider_than_the_terminal(self, mixed: Run, width: int, ascii: bool) -> None:
        lines = shown(mixed, width, ascii=ascii).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert cell_len(lines[0]) == width

    def test_usage_stands_in_the_table_where_there_is_room(self, mixed: Run) -> None:
        wide, narrow = shown(mixed, 160), shown(mixed, 80)
        assert re.search(r"tool mode +calls +tokens +cost +time$", wide, re.MULTILINE)
        assert "tool mode" not in narrow
        assert len(wide.splitlines()) < len(narrow.splitlines())

    def test_a_narrow_terminal_gets_a_list_instead_of_a_table(self, mixed: Run) -> None:
        text = shown(mixed, 40)
        assert "connects  converses" not in text
        assert re.search(r"^sim +✓ WORKS", text, re.MULTILINE)

    @pytest.mark.parametrize("width", [-1, 0, 1, 20])
    def test_absurd_widths_are_no_crash(self, mixed: Run, width: int) -> None:
        assert "DOES NOT WORK" in shown(mixed, width)

    def test_names_that_differ_at_their_ends_stay_different(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        names = [f"{'provider-with-a-long-name/' * 3}model-{n}" for n in (1, 2)]
        text = shown(run(*map(profile, names)), 80)
        assert "model-1  ✓" in text and "model-2  ✓" in text

    def test_wide_characters_do_not_break_the_columns(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        lines = shown(run(profile("通义千问"), profile("gpt"))).splitlines()
        starts = {cell_len(line[: line.index("✓ WORKS")]) for line in lines if "✓ WORKS" in line}
        assert len(starts) == 1

    def test_many_findings_do_not_scroll_the_matrix_away(
        self, run: Make[Run], profile: Make[ProfileReport]
    ) -> None:
        text = shown(run(*(profile(f"p{n}", "Ax") for n in range(50))))
        assert text.count("no tool was called") == MOST_FINDINGS
        assert "and 20 more findings in run.json" in text
        assert "0 of 50 profiles work" in text

    def test_no_line_ends_in_blanks(self, mixed: Run) -> None:
        for width in (60, 80, 160):
            assert not re.search(r"[ \t]$", shown(mixed, width), re.MULTILINE)


class TestColour:
    def test_without_colour_there_is_no_escape(
        self, mixed: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FORCE_COLOR", "1")
        assert "\x1b" not in shown(mixed)

    def test_with_colour_the_text_is_the_same(
        self, mixed: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setenv("TERM", "dumb")
        coloured = shown(mixed, color=True)
        assert "\x1b[1;92mno" not in coloured and "\x1b[1;32m" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(mixed)

    def test_ascii_terminals_get_ascii(self, mixed: Run, run: Make[Run]) -> None:
        text = shown(mixed, 80, ascii=True)
        assert text.isascii() and "x DOES NOT WORK" in text and "-> choose" in text


class TestShort:
    def test_each_profile_is_one_line(self, mixed: Run) -> None:
        lines = render_short(mixed, width=80, color=False, ascii=False).splitlines()
        assert len(lines) == 6
        assert max(map(cell_len, lines)) <= 80
        assert re.fullmatch(r"sim:parrot +✗ DOES NOT WORK +stage C: no tool was.*", lines[2])


class TestHostileText:
    @settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(name=MESSAGES, message=MESSAGES, step=MESSAGES, ascii=st.booleans())
    def test_nothing_a_model_says_reaches_the_terminal_as_a_command(
        self,
        run: Make[Run],
        profile: Make[ProfileReport],
        diagnosis: Make[Diagnosis],
        name: str,
        message: str,
        step: str,
        ascii: bool,
    ) -> None:
        hostile = run(profile(name, "Ax B-", why=diagnosis(message, next_step=step)))
        text = shown(hostile, ascii=ascii)
        allowed = {"\n", " "}
        bad = {c for c in text if unicodedata.category(c)[0] in "CZ" and c not in allowed}
        # Spaces of other widths are not commands.
        assert {c for c in bad if unicodedata.category(c) != "Zs"} == set()
        assert text.encode("ascii" if ascii else "utf-8")
        assert max(map(cell_len, text.splitlines())) <= 80
        assert "DOES NOT WORK" in text

    def test_markup_is_shown_and_not_obeyed(
        self, run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]
    ) -> None:
        message = "[bold]loud[/bold] :smile: [link=http://evil]x[/link]"
        text = shown(run(profile("[red]name", "Ax", why=diagnosis(message))), color=True)
        assert message in text and "[red]name" in text

    def test_a_megabyte_is_cut_quickly(
        self, run: Make[Run], profile: Make[ProfileReport], diagnosis: Make[Diagnosis]
    ) -> None:
        for piece in ("x", "\x1b]", "\u0301", "漢", "\x1b[", "\n", "\x9d"):
            why = diagnosis(piece * 1_000_000, next_step=piece * 1_000_000)
            started = time.perf_counter()
            text = shown(run(profile("gpt", "Ax", why=why)))
            assert time.perf_counter() - started < 1
            assert len(text) < 5_000

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("a\x1b[31mred\x1b[0m", "ared"),
            ("a\x1b]0;title\x07b", "ab"),
            ("a\x1b]0;never ends", "a0;never ends"),
            ("a\x9b2Jb", "ab"),
            ("one\ntwo\tthree  four", "one two three four"),
            ("a\u202eb\u200bc\ufeff", "abc"),
            ("a\x00b\udc80", "a\ufffdb\ufffd"),
            ("a\u2028b\x85c", "a b\ufffdc"),
            ("شكرا 漢字 é 👩", "شكرا 漢字 é 👩"),
        ],
    )
    def test_only_visible_characters_stay(self, text: str, line: str) -> None:
        assert one_line(text) == line

    def test_text_that_is_cut_says_so(self) -> None:
        assert one_line("x" * 301) == "x" * 299 + "…"
        assert block("x" * 30, limit=10) == "x" * 10 + "\n… 20 more characters"
        assert block("x\ny", limit=10) == "x\ny"

    def test_ascii_spells_out_what_it_cannot_show(self) -> None:
        assert ascii_only("é → “x”…") == '\\xe9 -> "x"...'
