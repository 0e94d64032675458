r"""The weight that a layer uses, from the parts of it that a file of weights holds.

A weight that a network computes afresh in each pass is saved as its parts. The file alone gives

* weight norm: :math:`w = g\, v / \|v\|`, with the norm over all axes but one,
* spectral norm: :math:`w = v / (p^T V q)` with the saved vectors `p`, `q` and `v` as a matrix `V`,
* pruning: the weight times its mask.

References
----------
.. [1] T. Salimans and D. P. Kingma, Weight normalization, NeurIPS 2016.
.. [2] T. Miyato et al., Spectral normalization for generative adversarial networks, ICLR 2018.
"""

from ..errors import InvalidValue


def weight(parts):
    """Return the weight that a layer uses, from its parts by name: tensors to compute with."""
    new = "parametrizations.weight."
    short = {name.removeprefix(new): value for name, value in parts.items()}
    kinds = (
        (("weight",), lambda w: w),
        (("weight_g", "weight_v"), _weight_norm),
        (("original0", "original1"), _weight_norm),
        (("weight_orig", "weight_mask"), lambda w, mask: w * mask),
        (("weight_orig", "weight_u", "weight_v"), _spectral_norm),
        (("original", "0._u", "0._v"), _spectral_norm),
    )
    for names, make in kinds:
        if set(short) == set(names) and len(short) == len(parts):
            return make(*(short[name] for name in names))
    raise InvalidValue(
        f"it is made of {', '.join(parts)} in a way that the file does not say: give the network, "
        "with --network."
    )


def _weight_norm(g, v):
    kept = [axis for axis in range(v.ndim) if g.ndim == v.ndim and g.shape[axis] > 1]
    fits = len(kept) <= 1 and (not kept or g.shape[kept[0]] == v.shape[kept[0]])
    if not fits or (g.numel() != 1 and g.ndim != v.ndim):
        raise InvalidValue(
            f"it is made of parts of shapes {tuple(g.shape)} and {tuple(v.shape)}, which are not "
            "those of weight norm: give the network, with --network."
        )
    axes = [axis for axis in range(v.ndim) if axis not in kept]
    v = v.double() if not v.is_complex() else v
    size = abs(v).square().sum(axes, keepdim=True).sqrt()
    return g.reshape(g.shape if g.ndim == v.ndim else [1] * v.ndim) * v / size


def _spectral_norm(v, left, right):
    """Divide by the norm that the saved vectors give; the axis of the rows is the one that fits."""
    found = []
    for axis in range(min(2, v.ndim)):  # 1 for transposed convolutions
        V = v.movedim(axis, 0).reshape(v.shape[axis], -1).double()
        if (len(left), len(right)) == tuple(V.shape):
            image = V @ right.double()
            sigma = left.double() @ image
            found.append((float(sigma / image.norm()), sigma))
    if not found:
        raise InvalidValue(
            f"it has shape {tuple(v.shape)}, which is not that of its vectors of spectral norm, "
            f"{len(left)} and {len(right)}: give the network, with --network."
        )
    return v / max(found, key=lambda one: one[0])[1]
