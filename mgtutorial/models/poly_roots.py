r"""The numbers that Poly-MgNet trains: which they are, and where they start.

A step of Poly-MgNet is the smoother of a factor :math:`q(z) = 1 - z\, p(z)` with
:math:`p(z) = s - t z`, as in :mod:`mgtutorial.linalg.polynomials`.

==========  ======================  ==========================
kind        roots of q              in the public code
==========  ======================  ==========================
linear      x                       the steps of q2
double      x and -x                the steps of g4, g6, g8
repeated    x, twice                the last step of g6 and g8
pair        a + ib and a - ib
==========  ======================  ==========================

A step of the kind ``"p2"``, ``"p3"``, ... trains the coefficients of a :math:`p_d` of that degree,
:math:`p_d(z) = \alpha_0 + \alpha_1 z + \dots + \alpha_d z^d`, so that `q` has `d + 1` roots
anywhere. The public code has no such step; the summary of the paper writes :math:`p_d` so.

References
----------
.. [1] A. van Betteray, M. Rottmann, K. Kahl, Poly-MgNet, ICPRAM 2025.
"""

import math

import numpy as np
import torch

from ..errors import InvalidValue, choose
from ..linalg.polynomials import Factor, coefficients
from ..linalg.roots import extremes

#: The kinds that train coefficients: the degree of their p.
DEGREES = {f"p{d}": d for d in range(2, 9)}

#: How many numbers each kind of step trains.
KINDS = {"linear": 1, "double": 1, "repeated": 1, "pair": 2}
KINDS |= {kind: d + 1 for kind, d in DEGREES.items()}

#: What is trained: see :func:`factor`.
PARAMETRISATIONS = ("public", "reciprocal", "root", "coefficients")


def factor(kind, parametrisation, numbers):
    r"""Return the factor :math:`q(z) = 1 - s z + t z^2` that trained numbers stand for.

    ============  ================  ===================  =================  ====================
    numbers are   linear            double               repeated           pair
    ============  ================  ===================  =================  ====================
    root          x                 x                    x                  a, b
    reciprocal    1/x               1/x                  1/x                real and imaginary
                                                                            part of 1/(a + ib)
    coefficients  s                 t, negative for      s, with            s, t
                                    real roots           t = s^2/4
    public        s = 1/x           -t = 1/x^2, of       x, its sign        a, b, their signs
                                    either sign          is ignored         are ignored
    ============  ================  ===================  =================  ====================

    Parameters
    ----------
    kind : {"linear", "double", "repeated", "pair"}
    parametrisation : {"public", "reciprocal", "root", "coefficients"}
    numbers : tensor, shape (1,) or (2,)
        The factor keeps their graph.

    Returns
    -------
    mgtutorial.linalg.polynomials.Factor

    Examples
    --------
    >>> factor("linear", "root", torch.tensor([4.0]))
    Factor(s=tensor(0.2500), t=0.0)
    >>> factor("pair", "root", torch.tensor([1.0, 2.0])).q(1 + 2j)  # a root
    tensor(0.+0.j)

    Book: poly_mgnet, poly-mgnet-numbers
    """
    x = numbers[0]
    if kind == "linear":
        return Factor(1 / x if parametrisation == "root" else x)
    if kind == "double":
        return Factor(0.0, _DOUBLE[parametrisation](x))
    y = numbers[1] if kind == "pair" else None
    if parametrisation == "coefficients":
        return Factor(x, x**2 / 4 if y is None else y)
    size = x**2 if y is None else x**2 + y**2
    if parametrisation == "reciprocal":
        return Factor(2 * x, size)
    a = x.abs() if parametrisation == "public" else x
    return Factor(2 * a / size, 1 / size)


_DOUBLE = {  # t of q = 1 + t z^2
    "root": lambda x: -1 / x**2,
    "reciprocal": lambda x: -(x**2),
    "coefficients": lambda x: x,
    "public": lambda x: -x,
}


def numbers(kind, parametrisation, root):
    """Return the numbers that :func:`factor` turns into a factor with the given root.

    Parameters
    ----------
    kind, parametrisation : str
    root : tensor, shape (1,) or (2,)
        ``x``, or ``a, b`` for a pair.

    Raises
    ------
    InvalidValue
        For a root that is zero or not finite, or one with a negative real part where the
        parametrisation ignores signs.

    Examples
    --------
    >>> numbers("double", "coefficients", torch.tensor([2.0]))
    tensor([-0.2500])

    Book: poly_mgnet, poly-mgnet-numbers
    """
    if not root.is_meta:
        shown = " + i ".join(f"{v:.6g}" for v in root.tolist())
        if not torch.isfinite(root).all() or not root.any():
            raise InvalidValue(
                f"a root at {shown}: give a finite one that is not zero, since q(0) = 1."
            )
        if parametrisation == "public" and kind in ("repeated", "pair") and root[0] < 0:
            raise InvalidValue(
                f"a root at {shown} of a {kind} step: the parametrisation 'public' ignores its "
                "sign, so give a positive real part or another parametrisation."
            )
    if parametrisation == "root" or (parametrisation == "public" and kind in ("repeated", "pair")):
        return root
    size = (root**2).sum()
    if kind == "pair":
        a, b = root
        if parametrisation == "reciprocal":
            return torch.stack([a, -b]) / size
        return torch.stack([2 * a, torch.ones_like(a)]) / size
    if parametrisation == "reciprocal" or kind == "linear":
        return 1 / root
    if kind == "repeated":
        return 2 / root
    return 1 / root**2 if parametrisation == "public" else -1 / root**2


def spectrum(weight, samples=4):
    r"""Return eigenvalues of a convolution: those on periodic images of a few pixels.

    Parameters
    ----------
    weight : tensor, shape (c, c / groups, *sizes)
    samples : int
        Pixels along each axis. The eigenvalues at the frequencies of any multiple of it contain
        these.

    Returns
    -------
    array of complex, shape (c * samples ** axes,)

    Examples
    --------
    >>> spectrum(torch.tensor([-1.0, 2.0, -1.0]).view(1, 1, 3)).real
    array([0., 2., 4., 2.])

    Book: poly_mgnet, poly-mgnet-spectrum
    """
    from ..spectra.symbols import (
        eigenvalues,  # it brings SciPy; networks with other starts need none
    )

    weight = weight.detach().double().cpu().numpy()
    size = (samples,) * (weight.ndim - 2)
    # In groups the operator is block diagonal: its eigenvalues are those of its blocks.
    blocks = weight.reshape(-1, weight.shape[1], *weight.shape[1:])
    return np.concatenate([eigenvalues(block, size).ravel() for block in blocks])


def check_law(law, kinds):
    """Return `law`, the start of the roots, as a tuple; raise if it is none.

    ``"xavier"`` draws from :math:`U(-w, w)` with :math:`w^2 = 6/(2c)`, as the public code does;
    ``("uniform", a, b)`` from U(a, b); ``"spectrum"`` takes eigenvalues of ``A``'s initial
    weights; ``("fixed", x, ...)`` gives one number a root, two for a pair. Of a ``p_d`` step what
    is drawn or given are its `d + 1` coefficients.

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
        Of :func:`check_law`.

    Raises
    ------
    InvalidValue
        For a root at zero, and for a start that the parametrisation cannot represent; for
        ``"spectrum"``, which has four roots, with a ``p_d`` of another degree than three.

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
        Of :func:`check_law`. ``"spectrum"``: steps with real roots take the least and the
        greatest real part in turn, pairs the pair of greatest imaginary part; a ``p_3`` has all
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
    so does this function where that parametrisation meets a law that draws. Otherwise what is
    drawn, computed or given are roots.

    Parameters
    ----------
    kinds : sequence of str
    parametrisation : str
    law : tuple
        Of :func:`check_law`.
    weight : tensor, shape (c, c / groups, 3, 3)
        ``A``'s initial weights.

    Returns
    -------
    list of tensor, shape (1,) or (2,)

    Raises
    ------
    InvalidValue
        As :func:`numbers`.

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
