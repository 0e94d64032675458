"""Where a run departs from its paper's protocol: one compared with a print departs nowhere."""

from dataclasses import fields, replace

from .protocols import (
    FREE,
    PROTOCOLS,
    TrainConfig,
    for_network,
    initial_weights,
    own_normalisation,
    settings,
)


def deviation(config):
    """Return the fields in which a run departs from its paper's protocol on its data set.

    Of the network, this checks the law of the initial weights; which network it is, a table says.
    The seed, `compile` and `memory` are free (:data:`.protocols.FREE`), and so is the device of a
    run.

    Parameters
    ----------
    config : TrainConfig

    Returns
    -------
    tuple of str
        Empty if a run of `config` may be compared with the print. ``"budget"`` is among them if
        it is not ``"paper"``, ``"data"`` if the paper has no such data set.

    Examples
    --------
    >>> from mgtutorial.training import configure
    >>> config = configure("mgnet", "cifar10", "paper", seed=5, compile=True)
    >>> deviation(config)
    ()
    >>> deviation(replace(config, lr=0.3, precision="float16"))
    ('lr', 'precision')
    """
    wanted = {f.name: f.default for f in fields(TrainConfig)}
    wanted |= {"budget": "paper", "protocol": config.protocol, "data": config.data}
    wanted |= settings("paper", config.data, config.protocol)
    wanted |= for_network(config.model, config.data, config.protocol)
    if config.data not in PROTOCOLS[config.protocol]:
        wanted["data"] = None
    if config.normalisation is None:  # that of the data set, which may be the protocol's
        config = replace(config, normalisation=own_normalisation(config.data))
    unused = ("step_epochs",) if config.schedule != "step" else ()
    differing = [
        name
        for name, value in wanted.items()
        if name not in ("model", *FREE, *unused) and getattr(config, name) != value
    ]
    if config.model.initial_weights != initial_weights(config.protocol):
        differing.append("initial_weights")
    return tuple(differing)
