"""The notebooks of the chapters with other parameters than they ship: no assertion was luck.

Code cells run in one namespace, in order, with the values of the cell tagged ``parameters``
replaced. Figures are made but not drawn, and sliders draw two of their frames only: the first at
once, the last at the end, as a reader may who moves it after all cells have run. What is tested are
the assertions. The code of the folded solutions runs after its notebook, with the first of the
other parameters, since a reader pastes it there.
"""

import contextlib
import io
import re
from pathlib import Path

import matplotlib
import nbformat
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import mgtutorial.figures.images
import mgtutorial.figures.sliders

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"

# Of the networks' notebooks, which end with a short training.
FEW = {"data_name": "digits", "n_train": 100, "epochs": 1, "seed": 1}
MORE = {"data_name": "digits", "n_train": 1000, "epochs": 2, "seed": 2}

# The ends of what each parameters cell offers, as far as the time allows.
CASES = {
    "smoothing": [{"n": 16, "seed": 1}, {"n": 128, "seed": 2}],
    "coarsening": [{"n": 32, "seed": 1}, {"n": 128, "seed": 2}],
    "fas": [{"n": 32, "seed": 1}, {"n": 128, "seed": 2}],
    "polynomial_smoothers": [
        {"n": 16, "peclet": 4.0, "seed": 1},
        {"n": 128, "peclet": 1.0, "seed": 2},
    ],
    "cycle_polynomials": [
        {"n": 32, "peclet": 3.0, "seed": 1},
        {"n": 128, "peclet": 1.0, "seed": 2},
    ],
    "two_grid_theory": [{"n": 16, "seed": 1}],
    "transposes": [
        {"n": 16, "channels": 2, "seed": 1},
        {"n": 64, "channels": 3, "seed": 2},
    ],
    "from_multigrid_to_networks": [
        {"n": 32, "depth": 2, "nu": 1, "omega": 0.5, "seed": 1},
        {"n": 128, "depth": 4, "nu": 4, "omega": 0.9, "seed": 2},
    ],
    "symbols": [
        {"channels": 2, "largest": 8, "seed": 1},
        {"channels": 6, "largest": 12, "seed": 2},
    ],
    "mgnet": [FEW, MORE],
    "mgic": [FEW, MORE],
    "mgiad": [FEW, MORE],
    "poly_mgnet": [FEW, MORE],
    "verdicts": [
        {"samples": 500, "std": 0.05, "seed": 1},
        {"samples": 5000, "std": 0.5, "seed": 2},
    ],
    "performance": [{"work": "training step", "epochs": 3}, {"work": "forward", "epochs": 8}],
    # one only: it takes as long as all others, and trained networks do not depend on the seed
    "spectra": [{"data_name": "digits", "n_train": 600, "epochs": 2, "seed": 1}],
}


def cells(name):
    """The notebook's cells, without the one that installs the package on Colab."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    return [cell for cell in notebook.cells if "google.colab" not in cell.source]


def run(source, label, names):
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(source, label, "exec"), names)
    plt.close("all")


@pytest.fixture
def sliders(monkeypatch):
    """Those that were made, each as a call that draws its last frame; the first has been drawn."""
    made = []

    def slider(draw, start=None, labels=None, alt=None, **values):
        draw(**{name: next(iter(choices)) for name, choices in values.items()})
        made.append(lambda: draw(**{name: list(choices)[-1] for name, choices in values.items()}))

    monkeypatch.setattr(mgtutorial.figures.images, "show", lambda fig, **_: None)
    monkeypatch.setattr(mgtutorial.figures.sliders, "slider", slider)
    return made


# torch's own, the second where matplotlib draws a tensor
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "number"), [(name, i) for name, cases in CASES.items() for i in range(len(cases))]
)
def test_assertions_hold_for_other_sizes_and_seeds(name, number, sliders):
    chosen, names = CASES[name][number], {"__name__": name}
    for i, cell in enumerate(cells(name)):
        if cell.cell_type != "code":
            continue
        run(cell.source, f"{name}, cell {i}", names)
        if "parameters" in cell.metadata.get("tags", []):
            assert set(chosen) == {key for key in names if not key.startswith("__")}
            names.update(chosen)
    if number == 0:
        text = "\n".join(cell.source for cell in cells(name) if cell.cell_type == "markdown")
        for i, solution in enumerate(re.findall(r"```python\n(.*?)```", text, re.DOTALL)):
            if "_build" not in solution:  # one that reads what a longer training has written
                run(solution, f"{name}, solution {i}", names)
    for draw_last in sliders:
        draw_last()
        plt.close("all")


def test_no_notebook_with_parameters_is_left_out():
    asking = {
        file.stem
        for file in NOTEBOOKS.glob("*.ipynb")
        if any("parameters" in cell.metadata.get("tags", []) for cell in cells(file.stem))
    }
    assert asking == set(CASES)
