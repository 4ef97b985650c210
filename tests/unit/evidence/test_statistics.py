"""The exact tests give the values that the books have."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ohllm.evidence.statistics import fisher, settled, sign_test, wilson


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((3, 4, 1, 4), 0.485714),  # Fisher's lady tasting tea, two-sided
        ((1, 1, 0, 1), 1.0),
        ((5, 5, 0, 5), 0.007937),
        ((10, 10, 7, 10), 0.210526),
        ((9, 10, 2, 10), 0.005477),
        ((0, 5, 0, 5), 1.0),
        ((0, 0, 3, 3), 1.0),
    ],
)
def test_fishers_exact_test(table: tuple[int, int, int, int], expected: float) -> None:
    assert fisher(*table) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (3, 3, 1.0), (8, 1, 0.039063)],
)
def test_the_sign_test(one: int, other: int, expected: float) -> None:
    assert sign_test(one, other) == sign_test(other, one) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("passed", "of", "low", "high"),
    [(1, 1, 0.21, 1.0), (5, 5, 0.57, 1.0), (9, 10, 0.60, 0.98), (18, 20, 0.70, 0.97)],
)
def test_wilsons_interval(passed: int, of: int, low: float, high: float) -> None:
    assert wilson(passed, of) == pytest.approx((low, high), abs=0.005)
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("passed", "failed", "enough"),
    [
        *((0, 0, False), (4, 0, False), (5, 0, True), (0, 1, False), (0, 2, True)),
        *((2, 2, True), (3, 2, False), (8, 1, False), (9, 1, True), (4, 1, False)),
    ],
)
def test_the_sequential_test_ends_when_it_can_tell(passed: int, failed: int, enough: bool) -> None:
    assert settled(passed, failed) is enough


COUNTS = st.integers(0, 40).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@given(COUNTS, COUNTS)
def test_a_chance_is_a_chance_and_has_no_direction(a: tuple[int, int], b: tuple[int, int]) -> None:
    chance = fisher(*a, *b)

    assert 0 < chance <= 1
    assert chance == pytest.approx(fisher(*b, *a))
    assert chance == pytest.approx(fisher(a[1] - a[0], a[1], b[1] - b[0], b[1]))


def test_more_passes_than_attempts_are_refused() -> None:
    with pytest.raises(ValueError, match="expected k of n twice, got 3/2 and 0/1"):
        fisher(3, 2, 0, 1)
