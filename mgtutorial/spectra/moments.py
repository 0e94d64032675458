r"""How much of the features a linear map of channels loses, told by their second moments.

For features :math:`x` with :math:`C = \mathbb E\, x x^T` and a map :math:`M` at each pixel,
:math:`\mathbb E |x - Mx|^2 = \operatorname{tr}(I - M) C (I - M)^T`, and no map of rank `k` does
better than the first `k` principal components (Eckart and Young).
"""

import torch

from ..errors import InvalidValue
from ..linalg._numbers import is_whole


def second_moments(features):
    r"""Return :math:`C`, the mean of :math:`x x^T` over images and pixels, in float64.

    Parameters
    ----------
    features : torch.Tensor
        (n, c, height, width).

    Raises
    ------
    InvalidValue
        For complex features.

    Examples
    --------
    >>> second_moments(torch.ones(2, 3, 4, 4)).tolist() == torch.ones(3, 3).tolist()
    True

    Book: mgic, eq-mgic-moments
    """
    if features.is_complex():
        raise InvalidValue("the features are complex, and moments are those of real ones.")
    x = features.movedim(1, 0).flatten(1).double()
    return x @ x.T / x.shape[1]


def error_of(matrix, moments):
    r"""Return :math:`\operatorname{tr}(I - M) C (I - M)^T / c`, the mean squared error of `M`.

    Parameters
    ----------
    matrix, moments : torch.Tensor
        (c, c), in float64.

    Examples
    --------
    >>> identity = torch.eye(3, dtype=torch.float64)
    >>> error_of(0 * identity, identity), error_of(identity, identity)
    (1.0, 0.0)

    Book: mgic, eq-mgic-moments
    """
    rest = torch.eye(len(moments), dtype=moments.dtype) - matrix
    return ((rest @ moments) * rest).sum().item() / len(moments)


def principal_components(moments, rank):
    r"""Return the projection onto the first eigenvectors of the second moments.

    Of all matrices of this rank it has the least error on these moments.

    Parameters
    ----------
    moments : torch.Tensor
        (c, c), in float64.
    rank : int

    Returns
    -------
    torch.Tensor
        (c, c).

    Raises
    ------
    InvalidValue
        If the rank is not between 1 and c.

    Examples
    --------
    >>> principal_components(torch.diag(torch.tensor([1.0, 3.0, 2.0])), 2).diagonal()
    tensor([0., 1., 1.])

    Book: mgic, eq-mgic-moments
    """
    if not (is_whole(rank, 1) and rank <= len(moments)):
        raise InvalidValue(f"rank={rank}: it must be from 1 to the {len(moments)} channels.")
    vectors = torch.linalg.eigh(moments)[1][:, len(moments) - int(rank) :]
    return vectors @ vectors.T
