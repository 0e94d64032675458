"""Part 3, what the networks have learned: convolutions as operators, and their spectra.

>>> from mgtutorial.spectra import Convolution, singular_values
>>> float(singular_values(Convolution([[[-1.0, 2.0, -1.0]]]), (4,)).max())
4.0
"""

from .convolutions import PADDING_MODES, Convolution
from .extremal import extremal_eigenvalues, extremal_singular_values
from .layers import as_convolution, convolutions_in, fold_norm, input_grids
from .nonnormality import (
    Normality,
    NumericalRange,
    normality,
    numerical_range,
    power_norms,
    pseudospectrum,
    smoothing_damping,
)
from .report import LayerSpectrum, draw, frequencies, spectra, table, write, write_csv
from .symbols import (
    convolution_symbol,
    eigenvalues,
    operator_norm,
    propagation_symbol,
    singular_values,
    smoothing_symbol,
    symbol,
)

__all__ = [
    "PADDING_MODES",
    "Convolution",
    "LayerSpectrum",
    "Normality",
    "NumericalRange",
    "as_convolution",
    "convolution_symbol",
    "convolutions_in",
    "draw",
    "eigenvalues",
    "extremal_eigenvalues",
    "extremal_singular_values",
    "fold_norm",
    "frequencies",
    "input_grids",
    "normality",
    "numerical_range",
    "operator_norm",
    "power_norms",
    "propagation_symbol",
    "pseudospectrum",
    "singular_values",
    "smoothing_damping",
    "smoothing_symbol",
    "spectra",
    "symbol",
    "table",
    "write",
    "write_csv",
]
