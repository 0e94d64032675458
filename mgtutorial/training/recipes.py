"""The budget ``fast``: for each kind of network, on a data set, how it is trained in a few minutes.

The recipe was sought on FashionMNIST, one change at a time, judged on validation images:
``experiments/recipe.py`` has the rungs of the search, ``results/recipe.json`` what they reached.
CIFAR-10 has the same recipe with crops and flips for every kind of network but those for phones, so
that its rows can be laid side by side; nothing was tuned there.
"""

from ..errors import InvalidValue
from .recipe import Recipe

_BEST_RUNG = {
    "schedule": "one-cycle",
    "lr": 0.2,
    "batch_size": 128,
    "epochs": 8,
    "recipe": Recipe(orthogonal_lr=0.03),
}
# data set -> the kinds of networks that have its recipe, the recipe
_RECIPES = {
    "fashion-mnist": (("MgNet", "MGiaD"), _BEST_RUNG),
    "cifar10": (
        (
            "ResNet", "MgNet", "MGiaD", "MGICResNet",
            "PolyMgNet", "PolyMGiaD", "Constrained", "Galerkin",
        ),
        _BEST_RUNG | {"augmentation": "crop-flip"},
    ),
}  # fmt: skip


def recipe_of(model, data_name):
    """Return the fields of a ``TrainConfig`` that the budget ``fast`` sets.

    Parameters
    ----------
    model : config of a network
    data_name : str

    Returns
    -------
    dict

    Raises
    ------
    InvalidValue
        If there is no recipe for this kind of network on this data set.
    """
    kind = type(model).__name__.removesuffix("Config")
    kinds, recipe = _RECIPES.get(data_name, ((), {}))
    if kind in kinds:
        return dict(recipe)
    there = ", ".join(f"{k} on {d}" for d, (ks, _) in _RECIPES.items() for k in ks)
    raise InvalidValue(
        f"budget fast has no recipe for {kind} on {data_name} (it has them for {there}): choose "
        "one of these, or the budget short."
    )
