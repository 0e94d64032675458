"""Part 3, what the networks have learned: convolutions as operators, and their spectra.

>>> from mgtutorial.spectra import Convolution, singular_values
>>> float(singular_values(Convolution([[[-1.0, 2.0, -1.0]]]), (4,)).max())
4.0
"""

from .convolutions import PADDING_MODES, Convolution
from .extremal import extremal_eigenvalues, extremal_singular_values
from .layers import (
    Convolutions,
    Transposed,
    as_convolution,
    convolutions_in,
    fold_norm,
    input_grids,
)
from .moments import error_of, principal_components, second_moments
from .nonnormality import (
    Normality,
    NumericalRange,
    normality,
    numerical_range,
    power_norms,
    pseudospectrum,
    smoothing_damping,
)
from .planning import Plan, Task, planned
from .report import LayerSpectrum, frequencies, spectra, table
from .symbols import (
    convolution_symbol,
    eigenvalues,
    operator_norm,
    propagation_symbol,
    singular_values,
    smoothing_symbol,
    symbol,
)
from .written import draw, write, write_csv

__all__ = [
    "PADDING_MODES",
    "Convolution",
    "Convolutions",
    "LayerSpectrum",
    "Normality",
    "NumericalRange",
    "Plan",
    "Task",
    "Transposed",
    "as_convolution",
    "convolution_symbol",
    "convolutions_in",
    "draw",
    "eigenvalues",
    "error_of",
    "extremal_eigenvalues",
    "extremal_singular_values",
    "fold_norm",
    "frequencies",
    "input_grids",
    "normality",
    "numerical_range",
    "operator_norm",
    "planned",
    "power_norms",
    "principal_components",
    "propagation_symbol",
    "pseudospectrum",
    "second_moments",
    "singular_values",
    "smoothing_damping",
    "smoothing_symbol",
    "spectra",
    "symbol",
    "table",
    "write",
    "write_csv",
]
