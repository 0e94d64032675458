"""The budget ``fast``: for each kind of network, on a data set, how it is trained in few minutes.

``experiments/recipe.py`` has the rungs of the search, one change at a time, judged on
validation images (``results/recipe.json``). A recipe is the best rung so far.
"""

from ..errors import InvalidValue
from .recipe import Recipe

_RECIPES = {
    ("MgNetConfig", "fashion-mnist"): {
        "schedule": "one-cycle",
        "lr": 0.2,
        "batch_size": 128,
        "epochs": 8,
        "recipe": Recipe(orthogonal_lr=0.03),
    },
    ("MGiaDConfig", "fashion-mnist"): {
        "schedule": "one-cycle",
        "lr": 0.2,
        "batch_size": 128,
        "epochs": 8,
        "recipe": Recipe(orthogonal_lr=0.03),
    },
}


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
    kind = type(model).__name__
    try:
        return dict(_RECIPES[kind, data_name])
    except KeyError:
        there = ", ".join(f"{k.removesuffix('Config')} on {d}" for k, d in _RECIPES)
        raise InvalidValue(
            f"budget fast has no recipe for {kind.removesuffix('Config')} on {data_name} (it has "
            f"them for {there}): choose one of these, or the budget short."
        ) from None
