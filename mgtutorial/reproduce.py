"""One published table from one command: plan, train what is missing, execute its notebook."""

import os
from importlib.util import find_spec
from pathlib import Path

from . import protocols, records, tables, train
from .errors import InvalidValue, choose


def plan(table, budget, *, rows=None, seeds=(0,), data=None, root=None):
    """Return the configs of the runs that a table needs at a budget.

    Parameters
    ----------
    table : str
        A name of :data:`mgtutorial.tables.TABLES`.
    budget : str
    rows : sequence of str, optional
        Default: every row whose network exists.
    seeds : sequence of int
    data : str, optional
        Default: the table's own data set; for ``smoke`` the embedded digits.
    root : path, optional
        Where the data are.

    Returns
    -------
    list of TrainConfig

    Examples
    --------
    >>> [c.data for c in plan("mgiad-table2", "smoke", rows=["mgnet-20"], seeds=[0, 1])]
    ['digits', 'digits']
    """
    described = tables.TABLES[choose("table", table, tables.TABLES)]
    choose("budget", budget, protocols.BUDGETS)
    for row in rows or ():
        choose(f"row of {table}", row, described.rows)
    data = data or data_of(table, budget)
    return [
        protocols.configure(described.rows[row][1], data, budget, root=root, seed=seed)
        for row in rows or described.rows
        for seed in seeds
    ]


def data_of(table, budget):
    """Return the data set that a budget uses: the paper's, but for ``smoke`` the embedded one."""
    return "digits" if budget == "smoke" else tables.TABLES[table].data


def run(configs, **options):
    """Train each config that has no record yet; return all their records.

    Keyword arguments are those of :func:`mgtutorial.train.train`.
    """
    return [train.train(config, **options) for config in configs]


def notebook_of(table):
    """Return the path of a table's notebook.

    Raises
    ------
    InvalidValue
        If this is no checkout of the project: the notebooks are not part of the wheel.
    """
    path = Path(__file__).resolve().parent.parent / "notebooks" / "reproduce"
    path /= f"{table.replace('-', '_')}.ipynb"
    if not path.exists():
        raise InvalidValue(
            f"the notebook {path.name} is not here: it is part of a checkout of the project, "
            "not of the installed package. Clone the project and run the command there."
        )
    return path


def check(table):
    """Raise if the notebook of a table could not be executed here.

    Raises
    ------
    InvalidValue
        If papermill is not installed, or the notebook is not here.
    """
    notebook_of(table)
    if find_spec("papermill") is None:
        raise InvalidValue(
            "papermill is not installed, so the notebook cannot be executed: "
            "type: pip install 'mgtutorial[book]'. Training alone needs only: mgtutorial train."
        )


def execute(table, parameters, output=None):
    """Execute a table's notebook with papermill; return the path of the executed notebook.

    Parameters
    ----------
    table : str
    parameters : dict
        For the notebook's cell tagged ``parameters``.
    output : path, optional
        Default: ``_build/reproduce`` in the checkout.

    Raises
    ------
    InvalidValue
        If papermill is not installed, or the notebook is not here.
    """
    check(table)
    import papermill

    source = notebook_of(table)
    output = Path(output or source.parents[2] / "_build" / "reproduce") / source.name
    output.parent.mkdir(parents=True, exist_ok=True)
    static = os.environ.get("MGTUTORIAL_STATIC")
    os.environ["MGTUTORIAL_STATIC"] = "1"  # nobody moves a slider in papermill
    try:
        papermill.execute_notebook(
            source, output, parameters, progress_bar=False, kernel_name="python3"
        )
    finally:
        if static is None:
            del os.environ["MGTUTORIAL_STATIC"]
        else:
            os.environ["MGTUTORIAL_STATIC"] = static
    return output


def missing(configs, *, runs=None, root=None):
    """Return those configs that have no record yet."""

    def recorded(config):
        digest = train.run_digest(config, train.training_images(config, root))
        return records.find(digest, records.file_of(config.budget, runs)) is not None

    return [config for config in configs if not recorded(config)]
