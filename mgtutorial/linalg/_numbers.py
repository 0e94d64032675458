"""Numbers of any kind as numbers to compute with, and norms over the whole range of a float."""

import math
import sys

import numpy as np

from ..errors import InvalidValue


def floating(u, *coefficients, what="the right-hand side"):
    """Return `u` in a type to compute in; single and double precision stay as they are.

    Whole numbers, truth values and half precision become doubles, since their squares and products
    can leave their range. If a coefficient is complex, so is the result. A tensor keeps its device
    and its graph.

    Parameters
    ----------
    u : array_like or tensor
    *coefficients : number
    what : str
        What error messages call `u`.

    Raises
    ------
    InvalidValue
        If `u` holds no numbers.

    Examples
    --------
    >>> floating(np.array([200], dtype=np.uint8)).dtype, floating([1, 2], 1j).dtype
    (dtype('float64'), dtype('complex128'))
    """
    turns = any(isinstance(c, complex) for c in coefficients)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(u, torch.Tensor):
        return _tensor(u, turns, what, torch)
    if np.ma.is_masked(u):  # a plain array would keep the numbers under the mask
        raise InvalidValue(
            f"{what} has {int(np.ma.getmaskarray(u).sum())} masked entries, whose numbers are not "
            "known: give a plain array, such as its filled(0)."
        )
    try:
        u = np.asarray(u)
        if u.dtype == object:  # whole numbers beyond 64 bits, fractions, None
            u = u.astype(complex if any(isinstance(v, complex) for v in u.ravel()) else float)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise InvalidValue(f"{what} holds no numbers ({error}): give an array.") from error
    if u.dtype.kind not in "biufc":
        raise InvalidValue(f"{what} is of type {u.dtype}: give an array of numbers.")
    if u.dtype.kind in "biu" or u.dtype.itemsize < 4:
        u = u.astype(float)
    return u.astype(np.result_type(u.dtype, np.complex64)) if turns else u


def in_type(u, coefficients):
    """Return `u` in the type of its product with the coefficients; half precision stays as it is.

    Whole numbers would wrap around in products, and a real array cannot take a complex entry.

    Parameters
    ----------
    u : array or tensor
    coefficients : sequence of number

    Examples
    --------
    >>> in_type(np.array([200], dtype=np.uint8), (2,)).dtype
    dtype('float64')
    """
    turns = any(isinstance(c, complex) for c in coefficients)
    if hasattr(u, "detach"):
        plain = u.is_floating_point() or u.is_complex()
        if plain and (u.is_complex() or not turns):
            return u
    elif u.dtype.kind == "c" or (u.dtype.kind in "fO" and not turns):
        return u
    return floating(u, *coefficients, what="the array")


def _tensor(u, turns, what, torch):
    if u.device.type == "meta":
        raise InvalidValue(f"{what} lies on the device meta, which keeps no numbers: give them.")
    u = u.resolve_conj().resolve_neg()  # a tensor that is only marked so has no real view
    if u.is_quantized:
        u = u.dequantize()
    if u.layout is not torch.strided:
        u = u.to_dense()
    if u.is_complex():
        return u if u.dtype.itemsize >= 8 else u.to(torch.complex128)
    if not u.is_floating_point() or u.dtype.itemsize < 4:
        u = u.double()
    return u.to(u.dtype.to_complex()) if turns else u


def doubles(u, what):
    """Return a matrix as an array in double precision, real or complex, without its graph."""
    u = floating(u, what=what)
    u = u.detach().cpu().numpy() if hasattr(u, "detach") else u
    return u.astype(complex if np.iscomplexobj(u) else float, copy=False)


def common(f, u, what="the start"):
    """Return `f` and `u` in one type, that of their sum.

    Raises
    ------
    InvalidValue
        If one is an array and the other a tensor, or their shapes differ.
    """
    u = floating(u, what=what)
    if isinstance(f, np.ndarray) != isinstance(u, np.ndarray):
        raise InvalidValue(
            f"{what} is a {type(u).__name__} and the right-hand side a {type(f).__name__}: give "
            "both as arrays or both as tensors."
        )
    if tuple(f.shape) != tuple(u.shape):
        raise InvalidValue(
            f"{what} has shape {tuple(u.shape)} and the right-hand side {tuple(f.shape)}: give one "
            "of the same shape."
        )
    if isinstance(f, np.ndarray):
        dtype = np.result_type(f, u)
        return f.astype(dtype, copy=False), u.astype(dtype, copy=False)
    dtype = sys.modules["torch"].promote_types(f.dtype, u.dtype)
    return f.to(dtype), u.to(f.device, dtype)


def norm(r):
    """Return the 2-norm of all entries as a float; squares neither over- nor underflow.

    Parameters
    ----------
    r : array or tensor

    Returns
    -------
    float
        inf or NaN only if an entry is.

    Examples
    --------
    >>> norm(np.full(4, 1e-200)), norm(np.full(4, 200, dtype=np.uint8))
    (2e-200, 400.0)
    """
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(r, torch.Tensor):
        r = floating(r.detach(), what="the residual").ravel()
        r = (torch.view_as_real(r) if r.is_complex() else r).double().ravel()
    else:
        r = np.asarray(r).ravel()
        r = r.astype(np.result_type(r.dtype, float), copy=False)
        r = r.view(r.real.dtype) if np.iscomplexobj(r) else r
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        square = float(r @ r)
        if 1e-280 < square < math.inf:
            return math.sqrt(square)
        size = largest(r)
        if not 0 < size < math.inf:
            return size
        r = r / size
        return size * math.sqrt(float(r @ r))


def largest(r):
    """Return the greatest magnitude of the entries as a float: 0.0 if there are none."""
    if hasattr(r, "detach"):
        return float(r.detach().abs().max()) if r.numel() else 0.0
    return float(np.abs(r).max(initial=0.0))


def unit_of(u):
    """Return a power of two near the greatest entry if that is extreme, else 1.

    Squares of ``u / unit`` stay in range, and no digit of what is linear in `u` changes.
    """
    size = largest(u)
    if not 0 < size < math.inf or 1e-10 < size < 1e10:
        return 1.0
    return math.ldexp(1.0, max(math.frexp(size)[1] - 1, -1000))


def inverse(x, root):
    """Return ``1 / x`` for a scalar of any type, if both are numbers other than zero.

    Raises
    ------
    InvalidValue
    """
    # x * 0 == 0 is false for NaN and infinity
    if x * 0 == 0 and x != 0 and 1 / x * 0 == 0:
        return 1 / x
    raise InvalidValue(
        f"a root at {root}: give a finite one that is not zero, since q(0) = 1, and whose square "
        "is in the range of the numbers."
    )


def squared(*parts):
    """Return the sum of the squares of the parts; infinite where it leaves the range."""
    try:
        return sum(part**2 for part in parts)
    except OverflowError:
        return math.inf


def scale_of(f, d=None):
    """Return the power of two by which `f` is divided if its size is extreme, else 1.

    A linear problem is solved for ``f / scale``, so that neither the products of the operator with
    the mesh width nor the reductions of a residual leave the range of the numbers.

    Parameters
    ----------
    f : array or tensor
    d : int, optional
        The number of axes of one grid, if those in front of them are a batch.

    Raises
    ------
    InvalidValue
        If all entries are below the smallest normal number, where a solution might be cut off to
        zero, or if the grids of a batch differ so much in size that one would lose its digits.

    Examples
    --------
    >>> scale_of(np.ones(3)), scale_of(np.full(3, 6e300)) == 2.0**999
    (1.0, True)
    """
    size, double = largest(f), f.dtype.itemsize // (2 if is_complex(f) else 1) >= 8
    tiny = np.finfo(float if double else np.float32).tiny
    if 0 < size < tiny:
        raise InvalidValue(
            f"the greatest entry of the right-hand side is {size:.3g}, too small for "
            f"{'double' if double else 'single'} precision: multiply it by a power of ten, and "
            "divide the solution."
        )
    unit = 1.0
    if 0 < size < math.inf and abs(math.log10(size)) > (100 if double else 15):
        unit = math.ldexp(1.0, min(math.frexp(size)[1] - 1, 1000))
    if d is not None and f.ndim > d:
        sizes = map(largest, f.reshape(-1, *f.shape[f.ndim - d :]))
        least = min(filter(None, sizes), default=size)
        if least and least / unit < tiny / rounding(f):  # some or all of its digits would go
            raise InvalidValue(
                f"the greatest entries of this batch's right-hand sides range from {least:.3g} to "
                f"{size:.3g}: solve them one after the other."
            )
    return unit


def is_complex(f):
    """Whether an array or a tensor is of a complex type."""
    return f.is_complex() if hasattr(f, "detach") else np.iscomplexobj(f)


def rounding(f):
    """Return the rounding unit of the type of `f`; that of doubles for whole numbers."""
    if hasattr(f, "detach"):
        counts = not (f.is_floating_point() or f.is_complex())
        return np.finfo(float).eps if counts else sys.modules["torch"].finfo(f.dtype).eps
    dtype = np.asarray(f).dtype
    return float(np.finfo(dtype if dtype.kind in "fc" else float).eps)


def is_whole(value, least):
    """Whether a value is a whole number, `least` or more; True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= least


def plain(shape):
    """Return the shape of a grid as Python ints: NumPy's small ones wrap around in products."""
    return tuple(int(n) if isinstance(n, np.integer) else n for n in shape)


def whole(name, value, least):
    """Return a whole number as a Python int.

    Raises
    ------
    InvalidValue
        For anything else, or a number below `least`.
    """
    if not is_whole(value, least):
        raise InvalidValue(f"{name} = {value!r}: give a whole number, {least} or more.")
    return int(value)


def two_steps(nu):
    """Return the numbers of smoothing steps before and after a coarse-grid correction.

    Raises
    ------
    InvalidValue
        For anything other than two whole numbers, 0 or more.
    """
    if not isinstance(nu, tuple | list) or len(nu) != 2:
        raise InvalidValue(f"nu = {nu!r}: give two whole numbers, the steps before and after.")
    return whole("nu[0]", nu[0], 0), whole("nu[1]", nu[1], 0)


def solvable(r, values):
    """The type in which SciPy's factors solve for `r`: at most double precision."""
    dtype = np.result_type(r.dtype, np.complex64 if np.iscomplexobj(values) else np.float32)
    if dtype.char not in "fdFD":
        raise InvalidValue(
            f"the solve works in single or double precision, not {r.dtype}: "
            "convert the array to float64."
        )
    return dtype
