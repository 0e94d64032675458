r"""Where the roots of Poly-MgNet's steps start: drawn, given, or eigenvalues of ``A``.

What a step trains are numbers that stand for the roots: :mod:`mgtutorial.models.poly_steps`.

References
----------
.. [1] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

import math

import numpy as np
import torch

from ..errors import InvalidValue, choose
from ..linalg.polynomials import coefficients
from ..linalg.roots import extremes
from .poly_steps import DEGREES, KINDS, numbers


def spectrum(weight, samples=4):
    r"""Return eigenvalues of a convolution: those on periodic images of a few pixels.

    Parameters
    ----------
    weight : tensor or array, shape (c, c / groups, *sizes)
    samples : int
        Pixels along each axis. The eigenvalues at the frequencies of any multiple of it include
        these.

    Returns
    -------
    array of complex, shape (c * samples ** axes,)

    Raises
    ------
    InvalidValue
        If the shape is different.

    Examples
    --------
    >>> spectrum(torch.tensor([-1.0, 2.0, -1.0]).view(1, 1, 3)).real
    array([0., 2., 4., 2.])

    Book: poly_mgnet, poly-mgnet-spectrum
    """
    from ..spectra.symbols import (
        eigenvalues,  # it brings SciPy; networks with other starts need none
    )

    weight = torch.as_tensor(weight).detach().cpu()
    weight = weight.to(torch.promote_types(weight.dtype, torch.double)).numpy()
    if weight.ndim < 3 or not weight.size or len(weight) % weight.shape[1]:
        raise InvalidValue(
            f"a weight of shape {weight.shape} has no eigenvalues: give one of shape "
            "(c, c / groups, *sizes), from c channels to as many."
        )
    size = (samples,) * (weight.ndim - 2)
    # In groups the operator is block diagonal: its eigenvalues are those of its blocks.
    blocks = weight.reshape(-1, weight.shape[1], *weight.shape[1:])
    return np.concatenate([eigenvalues(block, size).ravel() for block in blocks])


def check_law(law, kinds):
    """Return `law`, the start of the roots, as a tuple; raise if it is not valid.

    ``"xavier"`` draws from :math:`U(-w, w)` with :math:`w^2 = 6/(2c)`, as the public code does;
    ``("uniform", a, b)`` from U(a, b); ``"spectrum"`` takes eigenvalues of ``A``'s initial
    weights; ``("fixed", x, ...)`` gives one number per root, two for a pair. For a ``p_d`` step,
    its `d + 1` coefficients are drawn or given.

    Parameters
    ----------
    law : str or sequence
    kinds : sequence of str
        Of the steps on a level.

    Raises
    ------
    UnknownName, InvalidValue

    Examples
    --------
    >>> check_law(("fixed", 1.0, 0.5, 2.0), ("linear", "pair"))
    ('fixed', 1.0, 0.5, 2.0)

    Book: poly_mgnet, poly-mgnet-spectrum
    """
    name, *values = (law,) if isinstance(law, str) else tuple(law) or ("",)
    choose("law of the initial roots", name, ("xavier", "spectrum", "uniform", "fixed"))
    number = all(isinstance(v, int | float) and math.isfinite(v) for v in values)
    count = {"uniform": 2, "fixed": sum(KINDS[k] for k in kinds)}.get(name, 0)
    if not number or len(values) != count or (name == "uniform" and not values[0] < values[1]):
        wanted = {
            "uniform": "two finite numbers, the lesser one first",
            "fixed": f"{count} finite numbers: one for each step, two for a pair (a, b), "
            "d + 1 for the coefficients of a p_d",
        }
        raise InvalidValue(f"roots={law!r}: {name!r} takes {wanted.get(name, 'no numbers')}.")
    return (name, *values)


def check_start(kinds, parametrisation, law):
    """Raise :class:`InvalidValue` if steps of these kinds cannot start from the roots of a law.

    Parameters
    ----------
    kinds : sequence of str
    parametrisation : str
        Which numbers are trained.
    law : tuple
        From :func:`check_law`.

    Raises
    ------
    InvalidValue
        For a root at zero, and for a start that the parametrisation cannot represent; for
        ``"spectrum"``, which has four roots, with a ``p_d`` of a degree other than three.

    Examples
    --------
    >>> check_start(("linear",), "root", ("fixed", 0.0))
    Traceback (most recent call last):
    ...
    mgtutorial.errors.InvalidValue: a root at 0: give a finite one that is not zero, since q(0) = 1.

    Book: poly_mgnet, poly-mgnet-numbers
    """
    if law[0] == "fixed":  # needs no weights
        start(kinds, parametrisation, law, torch.empty(0, device="cpu"))
    elif law[0] == "spectrum" and (wrong := {*kinds} & (DEGREES.keys() - {"p3"})):
        raise InvalidValue(
            f"roots='spectrum' chooses four roots, and a step {min(wrong)} has another number of "
            "them: choose 'p3', or give coefficients, roots=('fixed', ...)."
        )
    elif law[0] == "spectrum" and parametrisation == "public" and {"repeated", "pair"} & {*kinds}:
        raise InvalidValue(
            "roots='spectrum' with parametrisation='public': it ignores the signs of a repeated "
            "or pair step, and an eigenvalue may have either; choose 'root', 'reciprocal' or "
            "'coefficients'."
        )


def initial_roots(law, kinds, weight):
    """Return the roots that the steps of a level start from.

    Parameters
    ----------
    law : tuple
        From :func:`check_law`. ``"spectrum"``: steps with real roots take the least and the
        greatest real part in turn, pairs the pair of greatest imaginary part; a ``p_3`` takes all
        four.
    kinds : sequence of str
    weight : tensor, shape (c, c / groups, 3, 3)
        ``A``'s initial weights.

    Returns
    -------
    list of tensor, shape (1,) or (2,), or (d + 1,) with the coefficients of a ``p_d``

    Examples
    --------
    >>> laplace = torch.tensor([-1.0, 2.0, -1.0]).view(1, 1, 3)
    >>> initial_roots(("fixed", 1.0, 0.5, 2.0), ("linear", "pair"), laplace)
    [tensor([1.]), tensor([0.5000, 2.0000])]

    Book: poly_mgnet, poly-mgnet-spectrum
    """
    counts = [KINDS[kind] for kind in kinds]
    name, *values = law
    if name == "fixed":
        return list(weight.new_tensor(values).split(counts))
    if name == "spectrum":
        if weight.is_meta:  # where only shapes are wanted
            return [weight.new_empty(n) for n in counts]
        z = extremes(spectrum(weight))
        top = z[2] if len(z) == 4 else z[1]
        real, out = 0, []
        for kind, n in zip(kinds, counts, strict=True):
            if kind in DEGREES:
                all_four = [z[0].real, z[1].real, top, top.conjugate()]
                out.append(weight.new_tensor(coefficients(all_four)))
                continue
            out.append(weight.new_tensor([top.real, top.imag] if n == 2 else [z[real % 2].real]))
            real += n == 1
        return out
    edge = math.sqrt(6 / (2 * weight.shape[0]))
    low, high = values or (-edge, edge)
    return [weight.new_empty(n).uniform_(low, high) for n in counts]


def start(kinds, parametrisation, law, weight):
    """Return the numbers that the steps of a level start with.

    The public code draws ``v`` and starts its number at ``1/v``, whatever the number stands for;
    so does this function where that parametrisation meets a law that draws. Otherwise it is
    the roots that are drawn, computed or given.

    Parameters
    ----------
    kinds : sequence of str
    parametrisation : str
    law : tuple
        From :func:`check_law`.
    weight : tensor, shape (c, c / groups, 3, 3)
        ``A``'s initial weights.

    Returns
    -------
    list of tensor, shape (1,) or (2,)

    Raises
    ------
    InvalidValue
        As for :func:`numbers`.

    Examples
    --------
    >>> start(("linear",), "reciprocal", ("fixed", 4.0), torch.zeros(1, 1, 3, 3))
    [tensor([0.2500])]

    Book: poly_mgnet, poly-mgnet-numbers
    """
    drawn = parametrisation == "public" and law[0] in ("xavier", "uniform")

    def number(kind, x):
        # Coefficients are what is trained, whatever else is; and a network that is only counted
        # has no values (torch computes with such tensors by a compiler that takes 4 s to import).
        if kind in DEGREES or x.is_meta:
            return x
        return 1 / x if drawn else numbers(kind, parametrisation, x)

    roots = initial_roots(law, kinds, weight)
    return [number(kind, x) for kind, x in zip(kinds, roots, strict=True)]
