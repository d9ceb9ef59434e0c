"""A check that never says no proves nothing: every planted mistake must be found."""

import fnmatch

import pytest

from scratchgan.gradcheck import check

from .planted import PLANTED


@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_the_mistake_is_found_and_named(planted):
    report = check(planted.make(planted.wrong), planted.shape)
    failed = {row.check for row in report.rows if not row.passed}
    assert not report.passed
    assert all(fnmatch.filter(failed, row) for row in planted.rows), str(report)
    assert planted.says in str(report)


@pytest.mark.parametrize("seed", range(1, 4))
@pytest.mark.parametrize("planted", PLANTED, ids=str)
def test_the_mistake_is_found_whatever_the_seed(planted, seed):
    assert not check(planted.make(planted.wrong), planted.shape, seed).passed


RIGHT = {(p.right, p.arguments, p.shape): p for p in PLANTED}


@pytest.mark.parametrize("planted", RIGHT.values(), ids=lambda p: p.right.__name__)
def test_the_original_is_right(planted):
    report = check(planted.make(planted.right), planted.shape)
    assert report.passed, str(report)


def test_the_list_is_long_enough_and_has_each_mistake_once():
    wrong = [planted.wrong for planted in PLANTED]
    assert len(wrong) == len(set(wrong)) >= 24
