"""The runs of MGIC's Table 1: features through the transfers alone, and their records."""

from dataclasses import fields, replace

from ..errors import choose
from ..models.mgic import TransfersConfig
from . import records
from .coarse_channels import CoarseConfig, packaged_convolution, remember
from .weights import convolutions_of


def first_convolution(source=None, network=None):
    """Return the first convolution of a trained network.

    Parameters
    ----------
    source : optional
        As for :func:`mgtutorial.training.convolutions_of`. Default: the one that comes with the
        package.
    network : str, optional
        What takes the weights of a file: for a file of torchvision's trained ResNet-50, which
        the paper uses, ``"torchvision.models:resnet50"``.

    Returns
    -------
    mgtutorial.spectra.Convolution

    Raises
    ------
    UnknownName, InvalidValue
        As :func:`mgtutorial.training.convolutions_of`.

    Examples
    --------
    >>> first_convolution("mgnet").kernel.shape
    torch.Size([64, 3, 3, 3])
    """
    if source is None:
        return packaged_convolution()
    return next(iter(convolutions_of(source, network).values()))


def configure(s_g, seed=0, *, start="random rows", convolution=None, **changes):
    """Return the :class:`~mgtutorial.training.CoarseConfig` of a group size.

    Parameters
    ----------
    s_g : int
        Channels in a group.
    seed : int
    start : {"random rows", "means"}
        How the transfers start.
    convolution : mgtutorial.spectra.Convolution, optional
        The one that the features come from; default: that of the package.
    **changes
        Other fields of the config.

    Raises
    ------
    UnknownName, InvalidValue
        If there is no such field, or a value is out of range.

    Examples
    --------
    >>> configure(32).model.start
    'random rows'
    """
    for name in changes:
        choose("training option", name, [f.name for f in fields(CoarseConfig)])
    convolution = packaged_convolution() if convolution is None else convolution
    model = TransfersConfig(s_g, c=len(convolution.kernel), start=start)
    return replace(CoarseConfig(model, remember(convolution), seed=seed), **changes)


def recorded():
    """Return the records that came with the package, then those that were made since.

    Examples
    --------
    >>> sorted({record.metric.name for record in recorded()})
    ['mse']
    """
    return records.all_runs(CoarseConfig.file)
