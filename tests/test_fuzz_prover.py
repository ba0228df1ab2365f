"""Random statements: no false one is proved, every true one is, and a fault in the prover shows."""

import pytest
from sympy import KroneckerDelta

from companion.symbolic import grammar, normal
from tools.fuzz_prover import fuzz, j, p, q, r


def test_random_statements():
    tally = fuzz(12, seed=7)
    assert tally.proved_false == tally.refuted_true == []
    assert tally.true.total() == tally.false.total() == 12
    assert tally.proved.total() >= 11, tally.unproved


def deltas_are_one(factors, limits, around):
    return [f for f in factors if not isinstance(f, KroneckerDelta)], limits


def free_indices_alike(expr):
    return grammar.read(expr).xreplace({p: r, q: j})


FAULTS = {  # where, what is put there, and what shows it
    "products lose a factor": ("_multiplied", lambda parts: [([parts[0]], {})], "proved_false"),
    "free indices are alike": ("read", free_indices_alike, "proved_false"),
    "deltas are 1": ("_contract", deltas_are_one, "unproved"),
}


@pytest.mark.parametrize("name, fault, seen", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_prover_is_seen(monkeypatch, name, fault, seen):
    monkeypatch.setattr(normal, name, fault)
    assert any(getattr(fuzz(4, seed), seen) for seed in range(8))
