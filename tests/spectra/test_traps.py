"""What a periodic symbol does not say: other norms, other paddings."""

import numpy as np

from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.symbols import operator_norm, singular_values

from ..project.prose import says


def test_the_norm_of_the_flattened_weight_is_not_the_operator_norm():
    """For 3 x 3 weights the operator norm is between it and three times it."""
    spread = np.ones((1, 1, 3, 3))  # all entries push a constant the same way: 9 against 3
    point = np.zeros((1, 1, 3, 3))
    point[0, 0, 1, 1] = 1
    rng = np.random.default_rng(0)
    for kernel, ratio in ((spread, 3.0), (point, 1.0)):
        flat = np.linalg.norm(kernel.reshape(1, -1), 2)
        assert abs(operator_norm(kernel, (8, 8)) / flat - ratio) < 1e-14
    for _ in range(20):
        kernel = rng.standard_normal((4, 4, 3, 3))
        flat = np.linalg.norm(kernel.reshape(4, -1), 2)
        norm = operator_norm(kernel, (8, 8))
        assert 1.2 * flat < norm <= 3 * flat
        strided = operator_norm(as_convolution(kernel, stride=2), (8, 8))
        assert flat * (1 - 1e-13) <= strided <= norm
        # where patches do not overlap, the two agree
        assert abs(operator_norm(as_convolution(kernel, stride=3), (9, 9)) / flat - 1) < 1e-13
        # with groups it is not even a bound: it puts side by side what never meets
        depthwise = np.abs(kernel[:, :1])
        groups = [np.linalg.norm(w) for w in depthwise]
        norm = operator_norm(as_convolution(depthwise, groups=4, stride=3), (9, 9))
        assert abs(norm - max(groups)) < 1e-13 < np.linalg.norm(depthwise.reshape(4, -1), 2) - norm


def test_periodic_bounds_zero_padding_and_the_bulk_approaches_like_one_over_n():
    """The padded operator is a part of a periodic one on a larger grid: its norm is no greater.

    Means over all singular values differ by the share of the boundary, O(1/n).
    """
    kernel = np.random.default_rng(5).standard_normal((3, 3, 3, 3))
    gaps = []
    for n in (8, 16):
        zero = np.linalg.svd(as_convolution(kernel).sparse((n, n)).toarray(), compute_uv=False)
        periodic = np.sort(singular_values(kernel, (n, n)).ravel())[::-1]
        assert zero[0] <= operator_norm(kernel, (n + 2, n + 2)) * (1 + 1e-12)
        assert abs(operator_norm(kernel, (n, n), "zeros") - zero[0]) < 1e-9 * zero[0]
        gaps.append(np.abs(zero - periodic).mean() / zero[0])
    assert 1.5 < gaps[0] / gaps[1] < 3


def test_the_smallest_singular_values_of_the_paddings_differ_by_orders_of_magnitude():
    """2 u_{j-1} + u_j / 2 enlarges every wave by 3/2 or more; a wall stops what was shifted."""
    kernel = np.array([[[2.0, 0.5, 0.0]]])

    def least(n):
        matrix = as_convolution(kernel).sparse((n,)).toarray()
        return 1 / np.linalg.norm(np.linalg.inv(matrix), 2)

    assert singular_values(kernel, (40,)).min() >= 1.5 and least(40) < 1e-10
    assert least(16) <= 2 * 4.0**-16
    digits = f"{least(16) * 1e10:.1f}"
    says("symbols", f"With sixteen points it is ${digits} \\cdot 10^{{-10}}$.")
