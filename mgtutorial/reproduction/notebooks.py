"""The notebooks of published tables: executed with papermill, and only if something is new."""

import json
import os
import threading
from importlib.util import find_spec
from pathlib import Path

from .. import _paths
from ..errors import InvalidValue
from ..training import records
from .papers.catalogue import MADE_BY_NOTEBOOK
from .remembered_counts import digest_of_code
from .tables import TABLES


def notebook_of(table):
    """Return the path of a table's notebook.

    Raises
    ------
    InvalidValue
        If it is not here: none of this table exists yet, or this is no checkout.
    """
    notebooks = (_paths.checkout() or Path()) / "notebooks" / "reproduce"
    path = notebooks / f"{_stem(table)}.ipynb"
    if path.exists():
        return path
    if notebooks.exists():
        known = (*TABLES, *MADE_BY_NOTEBOOK)
        there = sorted(t for t in known if (notebooks / f"{_stem(t)}.ipynb").exists())
        raise InvalidValue(
            f"{table} has no notebook yet; there is one for {', '.join(there)}. "
            "Its networks can be trained one by one: mgtutorial train."
        )
    raise InvalidValue(
        f"the notebook {path.name} is not here: it is part of a checkout of the project, "
        "not of the installed package. Clone the project and run the command there."
    )


def _stem(table):
    return table.replace("-", "_")


def folder():
    """Return where executed notebooks go: ``_build/reproduce`` in the checkout."""
    return (_paths.checkout() or Path()) / "_build" / "reproduce"


def check_notebook(table):
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


class _StandStill:
    """Nobody moves a slider in papermill: kernels that start meanwhile, in any thread, know it."""

    def __init__(self):
        self.lock, self.inside, self.before = threading.Lock(), 0, None

    def __enter__(self):
        with self.lock:
            if not self.inside:
                self.before = os.environ.get("MGTUTORIAL_STATIC")
                os.environ["MGTUTORIAL_STATIC"] = "1"
            self.inside += 1

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            if not self.inside and self.before is None:
                del os.environ["MGTUTORIAL_STATIC"]
            elif not self.inside:
                os.environ["MGTUTORIAL_STATIC"] = self.before


_sliders_stand_still = _StandStill()


def run(table, parameters, output=None):
    """Execute a table's notebook with papermill; return the path of the executed notebook.

    Parameters
    ----------
    table : str
    parameters : dict
        For the notebook's cell tagged ``parameters``.
    output : path, optional
        Default: :func:`folder`.

    Raises
    ------
    InvalidValue
        If papermill is not installed, or the notebook is not here; or if a cell fails, which
        says that something is not as the notebook claims.
    """
    check_notebook(table)
    import papermill
    from jupyter_core.utils import ensure_event_loop

    source = notebook_of(table)
    output = Path(output or folder()) / source.name
    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _sliders_stand_still:
            papermill.execute_notebook(
                source, output, parameters, progress_bar=False, kernel_name="python3",
                extra_arguments=["--log-level=ERROR"],  # no advice on how to run a kernel
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise InvalidValue(
            f"the notebook of {table} failed in cell {error.exec_count} ({error.ename}: "
            f"{str(error.evalue).strip() or 'no message'}): see {output}."
        ) from error
    finally:
        if threading.current_thread() is not threading.main_thread():
            ensure_event_loop().close()  # its thread's own, which would be left open
    return output


def run_if_changed(table, parameters, found):
    """Execute a table's notebook, unless that was done for the same of everything it reads.

    Parameters
    ----------
    table : str
    parameters : dict
    found : list of Record
        The records of its runs.

    Returns
    -------
    (path, bool)
        Of the executed notebook, and whether it was executed now.
    """
    source = notebook_of(table)
    output = folder() / source.name
    stamp = output.with_suffix(".json")
    state = {
        "notebook": records.digest(source.read_text(encoding="utf-8")),
        "package": digest_of_code(),
        "results": records.digest(
            {
                f.name: records.digest(f.read_text(encoding="utf-8"))
                for part in ("published", "runs")
                for f in sorted((_paths.packaged_results() / part).glob("*"))
                if f.suffix in (".csv", ".jsonl") and f.stem != "smoke"
            }
        ),
        "runs": [[r.digest, r.finished] for r in found],
        "parameters": records.digest(parameters),
    }
    try:
        done = json.loads(stamp.read_text(encoding="utf-8")) == state
    except (OSError, ValueError):
        done = False
    if done and output.exists():
        return output, False
    stamp.unlink(missing_ok=True)  # a notebook that fails leaves none
    path = run(table, parameters, output.parent)
    stamp.write_text(json.dumps(state), encoding="utf-8")
    return path, True


def table_of(path):
    """Return the Markdown that the cell tagged ``table`` of an executed notebook shows.

    Parameters
    ----------
    path : path

    Returns
    -------
    str
    """
    cells = json.loads(Path(path).read_text(encoding="utf-8"))["cells"]
    outputs = (o for c in cells if "table" in c["metadata"].get("tags", ()) for o in c["outputs"])
    return "".join("".join(o.get("data", {}).get("text/markdown", "")) for o in outputs)
