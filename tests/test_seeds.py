import subprocess
import sys

import torch
from hypothesis import given
from hypothesis import strategies as st

from neurodsr.seeds import derive_seed, generator

purposes = st.lists(st.one_of(st.integers(0, 1000), st.text("abc", min_size=1)), max_size=3)


@given(st.integers(0, 2**40), purposes)
def test_a_derived_seed_is_the_same_every_time_and_fits_every_generator(seed, purpose):
    derived = derive_seed(seed, *purpose)
    assert derived == derive_seed(seed, *purpose)
    assert 0 <= derived < 2**56


def test_derived_seeds_never_change_between_versions():
    """A changed derivation would silently change every result, and break resumed trainings."""
    assert derive_seed(0, "windows", 7) == 51276726552494890


@given(st.integers(0, 2**40), st.integers(0, 2**40), purposes, purposes)
def test_other_seeds_and_other_purposes_give_other_seeds(a, b, p, q):
    if (a, *map(str, p)) != (b, *map(str, q)):
        assert derive_seed(a, *p) != derive_seed(b, *q)


def test_neighboring_batches_draw_unrelated_numbers():
    n, draws = 2000, []
    for k in range(50):
        draws.append(torch.randn(n, generator=generator(0, "windows", k), dtype=torch.float64))
    correlation = torch.corrcoef(torch.stack(draws)) - torch.eye(50)
    # 1,225 correlations of standard error 1 / sqrt(2000): the largest is some 3.3 of these.
    assert correlation.abs().max() < 5 / n**0.5


def test_generators_leave_the_global_random_state_alone():
    before = torch.get_rng_state()
    torch.rand(5, generator=generator(3, "anything"))
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_are_derived_without_torch():
    code = "import sys; from neurodsr.seeds import derive_seed; derive_seed(0)"
    code += "; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
