"""``benchmarks/search.py``: what it draws, what goes on, and that no work is done twice."""

import csv
import importlib
import json
from pathlib import Path

import numpy as np
import pytest

from scratchgan.gan import build

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def search(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("search")


def test_candidates_differ_and_are_the_same_for_a_seed(search):
    drawn = search.draw("mlp", 30, 1)
    assert len({json.dumps(c, sort_keys=True) for c in drawn}) == 30
    assert drawn[0] == search.complete("mlp", {})
    assert drawn == search.draw("mlp", 30, 1) != search.draw("mlp", 30, 2)
    for candidate in drawn:
        assert ("penalty_weight" in candidate) == (candidate["penalty"] != "none")
        assert all(value in search.SPACES["mlp"][name] for name, value in candidate.items())


def test_a_candidate_is_filled_up(search):
    whole = search.complete("dcgan28", {"width": 64})
    assert whole["width"] == 64 and whole["loss"] == search.SPACES["dcgan28"]["loss"][0]
    assert search.differing("dcgan28", whole) == "width 64"
    with pytest.raises(SystemExit, match="no row depth"):
        search.complete("mlp", {"depth": 3})


def test_each_round_keeps_the_best_third(search, tmp_path, monkeypatch):
    rounds = []

    def trained(self, jobs, minutes):
        rounds.append((minutes, [candidate["id"] for candidate, _ in jobs]))
        return [{"candidate": json.dumps(c), "fid": f"{c['id']}.5"} for c, _ in jobs]

    monkeypatch.setattr(search.Search, "trained", trained)
    found = search.Search("mlp", tmp_path / "rows.csv", 1)
    rows = found.halve([{"id": i} for i in (8, 12, 3, 7, 10, 5, 9, 11, 4)], 9)
    assert rounds == [(1, [8, 12, 3, 7, 10, 5, 9, 11, 4]), (3, [3, 4, 5]), (9, [3])]
    assert len(rows) == 13


def test_what_has_a_row_is_not_trained_again(search, tmp_path, monkeypatch):
    class Pool:  # in this process, so that the trainings can be counted
        def __init__(self, workers, initializer): ...
        def __enter__(self):
            return self

        def __exit__(self, *error): ...
        def submit(self, play, task, row):
            trained.append(json.loads(row["candidate"])["id"])
            return type(
                "Done", (), {"result": lambda _: row | {"steps": 1, "fid": 2, "second": 3}}
            )()

    trained = []
    monkeypatch.setattr(search, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(search, "as_completed", list)
    path = tmp_path / "results" / "rows.csv"
    search.Search("mlp", path, 1).trained([({"id": i}, 0) for i in range(3)], 0.5)
    rows = search.Search("mlp", path, 1).trained([({"id": i}, 0) for i in (4, 1)], 0.5)
    search.Search("mlp", path, 1).trained([({"id": 1}, 1), ({"id": 1}, 0)], 0.5)
    assert trained == [0, 1, 2, 4, 1]  # the last one with another seed
    assert [json.loads(row["candidate"])["id"] for row in rows] == [4, 1]
    assert len(list(csv.DictReader(path.open()))) == 5


@pytest.mark.parametrize("task", ["mlp", "dcgan28"])
def test_every_network_of_a_space_can_be_trained(search, task):
    images = np.zeros((8, 28, 28, 1), np.uint8)
    for name in (*search.SHAPES[task], "loss", "penalty", "augment", "schedule"):
        for value in search.SPACES[task][name]:
            candidate = search.complete(task, {name: value, "batch_size": 4})
            config, networks = search.made(task, candidate, 0)
            trainer = build(config, images, "numpy", networks=networks)
            assert np.isfinite(float(trainer.step().d_loss)), (name, value)
