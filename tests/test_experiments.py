"""The data files of experiments/: they hold what their scripts say, and what chapter 20 claims."""

import copy
import json

import pytest

from experiments import mnist_best, mnist_cured, mnist_published

PUBLISHED = json.loads(mnist_published.RESULTS.read_text(encoding="utf-8"))
CURED = json.loads(mnist_cured.RESULTS.read_text(encoding="utf-8"))
BEST = json.loads(mnist_best.RESULTS.read_text(encoding="utf-8"))


def problems(runs, sizes, epochs, seeds):
    """What is wrong with runs of one setting, which may be given in any order."""
    found = []
    if sorted(r["seed"] for r in runs) != list(seeds):
        found.append(f"seeds {[r['seed'] for r in runs]}")
    for r in runs:
        if r["sizes"] != sizes or len(r["right"]) != epochs:
            found.append(f"seed {r['seed']}: {r['sizes']}, {len(r['right'])} epochs")
        if not all(0 < right <= 10_000 for right in r["right"]):
            found.append(f"seed {r['seed']}: no counts of 10,000 images")
        if len(r["answers"]) != 10 or sum(r["answers"]) != 10_000:
            found.append(f"seed {r['seed']}: {sum(r['answers'])} answers")
        if sum(map(min, zip(r["answers"], TEST_COUNTS, strict=True))) < r["right"][-1]:
            found.append(f"seed {r['seed']}: more are right than these answers allow")
    return found


TEST_COUNTS = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]  # of MNIST, digits 0..9


def published(sizes, weights):
    return [r for r in PUBLISHED["runs"] if (r["sizes"], r["weights"]) == (sizes, weights)]


@pytest.mark.parametrize("weights", mnist_published.WEIGHTS)
@pytest.mark.parametrize("sizes, batch, aside", mnist_published.SETTINGS)
def test_published_settings(sizes, batch, aside, weights):
    runs = published(sizes, weights)
    seeds = range(len(runs))
    assert len(runs) >= 9 and seeds[-1] in mnist_published.SEEDS
    assert problems(runs, sizes, mnist_published.EPOCHS, seeds) == []
    assert {(r["batch"], r["training"]) for r in runs} == {(batch, 60_000 - aside)}


def test_a_changed_file_is_refused():
    runs = published([784, 30, 10], "unit")
    for place, value in ((("right", 0), 10_001), (("answers", 3), 0), (("right", -1), 9999)):
        wrong = copy.deepcopy(runs)
        wrong[1][place[0]][place[1]] = value
        assert problems(wrong, [784, 30, 10], 30, range(len(runs)))
    twice = runs[:1] + runs[:-1]
    assert problems(twice, [784, 30, 10], 30, range(len(runs)))
    assert problems(runs, [784, 32, 10], 30, range(len(runs)))


def test_the_bands_that_the_chapter_claims():
    best = {n: [max(r["right"]) for r in published([784, n, 10], "unit")] for n in (30, 32, 100)}
    assert min(best[30]) < 9542 < max(best[30]) and sum(b > 9500 for b in best[30]) == 6
    assert sum(b > 9500 for b in best[32]) == 8 and sum(b < 8800 for b in best[32]) == 2
    assert max(best[100]) > 9659
    for n in (30, 32, 100):
        scaled = published([784, n, 10], "scaled")
        assert all(max(r["right"]) > 9500 and min(r["answers"]) > 700 for r in scaled)
    dead = [r for r in published([784, 100, 10], "unit") if min(r["answers"]) < 200]
    lost = [max(r["right"]) for r in dead]
    assert len(dead) == 7 and max(lost) < 8800 and min(lost) > 6800
    assert {max(r["right"]) > 9600 for r in published([784, 100, 10], "unit") if r not in dead} == {
        True
    }


def test_no_class_is_dead_with_cross_entropy():
    seeds, epochs = mnist_cured.SEEDS, mnist_cured.EPOCHS
    assert problems(CURED["runs"], mnist_cured.SIZES, epochs, seeds) == []
    assert all(min(r["answers"]) > 700 for r in CURED["runs"])


def test_the_search_was_the_one_of_the_script():
    search = [r for r in BEST["runs"] if r["stage"] == "search"]
    settings = [(r["settings"]["eta"], r["settings"]["decay"]) for r in search]
    assert settings == mnist_best.SEARCH
    assert all(len(r["right"]) == mnist_best.SEARCH_EPOCHS for r in search)
    choice = mnist_best.chosen(search)
    assert (choice["eta"], choice["decay"]) == (0.05, 1e-3)
    spoilt = copy.deepcopy(search)
    spoilt[0]["right"][-1] = 9999
    assert mnist_best.chosen(spoilt) != choice


def test_the_test_images_were_looked_at_once_with_the_choice():
    judged = [r for r in BEST["runs"] if r["stage"] == "test"]
    assert [r["seed"] for r in judged] == list(mnist_best.SEEDS)
    for r in judged:
        assert r["settings"] == mnist_best.chosen(BEST["runs"])
        assert r["epochs"] == mnist_best.EPOCHS and len(r["right"]) == 1
        assert len({i for i, _ in r["missed"]}) == len(r["missed"]) == 10_000 - r["right"][0]
    assert sorted(r["right"][0] for r in judged)[1] >= 9830


def test_eta_falls_along_a_line():
    eta = mnist_best.falling(0.05, 25)
    assert [eta(1), eta(25)] == pytest.approx([0.05, 0.002])
