"""Parameters laid end to end: still themselves, and optimized as each would be alone."""

import torch
from torch import nn

from neurodsr.training.state import TrainingState
from neurodsr.training.vectors import ParameterVector, as_vectors


def draw(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def three():
    return [nn.Parameter(draw(*s, seed=i)) for i, s in enumerate([(3, 4), (), (2, 1, 5)])]


def test_what_changes_the_vector_changes_the_parameters_and_the_other_way_round():
    parameters = three()
    before = [p.detach().clone() for p in parameters]
    vector = ParameterVector(parameters)
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
    vector.whole += 1
    assert all(torch.equal(p, b + 1) for p, b in zip(parameters, before, strict=True))
    with torch.no_grad():
        parameters[1].zero_()
    assert vector.whole[12] == 0


def test_gradients_are_collected_in_order_and_missing_ones_are_zero():
    parameters = three()
    vector = ParameterVector(parameters)
    (2 * parameters[0].sum() + 3 * parameters[1]).backward()
    vector.collect_gradients()
    assert vector.whole.grad.tolist() == [2.0] * 12 + [3.0] + [0.0] * 10


def test_number_formats_are_kept_apart():
    parameters = [*three(), nn.Parameter(torch.ones(2, dtype=torch.float64))]
    single, double = as_vectors(parameters)
    assert (len(single.whole), single.whole.dtype) == (23, torch.float32)
    assert (len(double.whole), double.whole.dtype) == (2, torch.float64)


class Mixed(nn.Module):
    """A scalar, a matrix, a number in double precision, and one that nothing depends on."""

    def __init__(self):
        super().__init__()
        self.scalar = nn.Parameter(torch.tensor(0.5))
        self.matrix = nn.Parameter(draw(3, 4))
        self.precise = nn.Parameter(torch.ones(2, dtype=torch.float64))
        self.idle = nn.Parameter(draw(2))

    def loss(self, k):
        bowl = (self.matrix - self.scalar + draw(3, 4, seed=k)).square().sum()
        return bowl + (self.precise - k).square().sum().float()


def steps(module, state, numbers):
    for k in numbers:
        module.zero_grad()
        loss = module.loss(k)
        loss.backward()
        assert state.apply(loss.item(), 100)


def test_a_step_is_that_of_each_parameter_alone():
    together, alone = Mixed(), Mixed()
    steps(together, TrainingState.start(together, (0.1, 0.1)), range(12))
    optimizer = torch.optim.RAdam(alone.parameters(), lr=0.1)
    for k in range(12):  # the rectification of RAdam sets in at the sixth
        optimizer.zero_grad(set_to_none=False)
        alone.loss(k).backward()
        optimizer.step()
    for p, q in zip(together.parameters(), alone.parameters(), strict=True):
        # Element by element the same operations; vectorized ones may round differently.
        torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-7)


def test_a_checkpoint_holds_what_the_optimizer_remembers_of_each_parameter():
    module = Mixed()
    state = TrainingState.start(module, (0.1, 0.1))
    steps(module, state, range(3))
    _, tensors = state.capture()
    for i, p in enumerate(module.parameters()):
        assert tensors[f"optimizer/{i}/exp_avg"].shape == p.shape
        assert tensors[f"optimizer/{i}/exp_avg_sq"].dtype == p.dtype
        assert tensors[f"optimizer/{i}/step"] == 3


def test_a_restored_state_goes_on_in_the_same_bits():
    whole, first, second = Mixed(), Mixed(), Mixed()
    steps(whole, TrainingState.start(whole, (0.1, 0.001)), range(20))
    state = TrainingState.start(first, (0.1, 0.001))
    steps(first, state, range(9))
    resumed = TrainingState.start(second, (0.1, 0.001))
    resumed.restore(*state.capture())
    steps(second, resumed, range(9, 20))
    for p, q in zip(second.parameters(), whole.parameters(), strict=True):
        assert torch.equal(p, q)


def test_a_gradient_that_is_not_finite_changes_nothing():
    module = Mixed()
    state = TrainingState.start(module, (0.1, 0.1))
    before = {k: v.clone() for k, v in module.state_dict().items()}
    (module.loss(0) + (0 * module.idle).sqrt().sum()).backward()
    assert not state.apply(1.0, 100)
    assert state.step == 0
    assert all(torch.equal(before[k], v) for k, v in module.state_dict().items())
