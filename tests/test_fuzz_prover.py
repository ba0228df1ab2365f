"""Random statements: no false one is proved, every true one is, and a fault in the prover shows."""

import pytest

from companion.symbolic import normal
from tools.fuzz_prover import fuzz


def test_random_statements():
    tally = fuzz(12, seed=7)
    assert tally.proved_false == tally.refuted_true == []
    assert tally.true.total() == tally.false.total() == 12
    assert tally.proved.total() >= 11, tally.unproved


FAULTS = {
    "products lose a factor": ("_multiplied", lambda parts: [([parts[0]], {})]),
    "deltas are 1": ("_contract", lambda factors, limits, around: (
        [f for f in factors if not f.is_Function or f.func.__name__ != "KroneckerDelta"], limits
    )),
}  # fmt: skip


@pytest.mark.parametrize("name, fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_in_the_prover_is_seen(monkeypatch, name, fault):
    monkeypatch.setattr(normal, name, fault)
    seen = (fuzz(12, seed) for seed in range(3))
    assert any(tally.proved_false or tally.unproved for tally in seen)
