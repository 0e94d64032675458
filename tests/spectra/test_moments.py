"""Second moments: what a linear map loses, and what none can keep."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.models.mgic import TransfersConfig
from mgtutorial.spectra.moments import error_of, principal_components, second_moments


def features(seed, c=16):
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(c, c, generator=generator, dtype=torch.float64)
    x = torch.randn(5, c, 4, 3, generator=generator, dtype=torch.float64)
    return torch.einsum("oi,nihw->nohw", mix, x) + 0.3


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_error_from_the_moments_is_the_error_at_the_pixels(seed):
    x = features(seed)
    M = torch.randn(16, 16, generator=torch.Generator().manual_seed(seed + 1)).double()
    lost = (x - torch.einsum("oi,nihw->nohw", M, x)).square().mean().item()
    assert error_of(M, second_moments(x)) == pytest.approx(lost, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), rank=st.integers(1, 15))
def test_no_map_of_a_rank_loses_less_than_the_principal_components(seed, rank):
    moments = second_moments(features(seed))
    least = error_of(principal_components(moments, rank), moments)
    values = torch.linalg.eigvalsh(moments)[: 16 - rank]
    assert least == pytest.approx(values.sum().item() / 16, rel=1e-9)
    generator = torch.Generator().manual_seed(seed)
    down = torch.randn(rank, 16, generator=generator, dtype=torch.float64)
    # the best way back from these `rank` channels: least squares
    up = moments @ down.T @ torch.linalg.inv(down @ moments @ down.T)
    assert error_of(up @ down, moments) >= least * (1 - 1e-9)


def test_a_chain_of_transfers_is_its_matrix():
    torch.manual_seed(0)
    chain = TransfersConfig(s_g=4, s_c=4, c=16, start="random rows").build().double()
    x, M = features(0), chain.matrix()
    with torch.no_grad():
        torch.testing.assert_close(
            chain(x), torch.einsum("oi,nihw->nohw", M, x), rtol=0, atol=1e-12
        )
    assert torch.linalg.matrix_rank(M) == 4
    moments = second_moments(x)
    assert error_of(M, moments) > error_of(principal_components(moments, 4), moments)


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_a_rank_in_small_numbers_of_numpy_is_that_in_pythons(kind):
    moments = second_moments(features(0))
    assert torch.equal(principal_components(moments, kind(2)), principal_components(moments, 2))


@pytest.mark.parametrize("rank", [0, 17])
def test_a_rank_that_cannot_be_is_one_sentence(rank):
    with pytest.raises(InvalidValue, match=f"rank={rank}: it must be from 1 to the 16"):
        principal_components(torch.eye(16), rank)


def test_complex_features_are_one_sentence():
    with pytest.raises(InvalidValue, match="features are complex"):
        second_moments(torch.ones(1, 2, 3, 3, dtype=torch.complex64))
