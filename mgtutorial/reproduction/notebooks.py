"""The notebooks of published tables: executed with papermill, and only if something is new."""

import hashlib
import json
import os
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path

from .. import _atomic, _locks, _paths
from .._installing import how_to_install
from ..errors import InvalidValue, RecordsUnwritable
from ..training import records
from .papers.catalogue import MADE_BY_NOTEBOOK
from .remembered_counts import digest_of_code
from .tables import TABLES


def notebook_of(table):
    """Return the path of a table's notebook.

    Raises
    ------
    InvalidValue
        If it is not here: the table has none yet, or this is not a checkout.
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


def folder(workspace=None):
    """Return where executed notebooks go: beside their results, if a folder was given for these.

    Otherwise it is ``_build/reproduce`` in the checkout.
    """
    if workspace is not None and workspace.runs:
        return workspace.own / "notebooks"
    return (_paths.checkout() or Path()) / "_build" / "reproduce"


def check_notebook(table, output=None):
    """Raise if the notebook of a table could not be executed here.

    Parameters
    ----------
    table : str
    output : path, optional
        Folder for the executed notebook, if this is to be checked as well.

    Raises
    ------
    InvalidValue
        If papermill is not installed, or the notebook is not here.
    RecordsUnwritable
        If the folder cannot be written.
    """
    notebook_of(table)
    if find_spec("papermill") is None or find_spec("ipykernel") is None:
        raise InvalidValue(
            "papermill and ipykernel are not both installed, so the notebook cannot be executed: "
            f"{how_to_install('book')}. Training alone needs only: mgtutorial train."
        )
    if output is not None:
        try:
            output.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=output):
                pass
        except OSError as error:
            raise RecordsUnwritable(
                f"cannot write executed notebooks to {output} ({error.strerror}): make it "
                "writable, or give --runs with a folder that is."
            ) from error


class _Kernels:
    """A context in which kernels run this Python, and no slider moves.

    A kernel called ``python3`` may run some other Python. Several threads can be inside at once.
    """

    name = "mgtutorial-python"

    def __init__(self):
        self.lock, self.inside = threading.Lock(), 0

    def __enter__(self):
        with self.lock:
            if not self.inside:
                self._change()
            self.inside += 1
        return self.name

    def __exit__(self, *error):
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self._restore()

    def _change(self):
        self.place = tempfile.TemporaryDirectory()
        spec = Path(self.place.name) / "kernels" / self.name
        spec.mkdir(parents=True)
        described = {
            "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "display_name": "Python 3",
            "language": "python",
        }
        (spec / "kernel.json").write_text(json.dumps(described), encoding="utf-8")
        found = os.environ.get("JUPYTER_PATH")
        changed = {
            "MGTUTORIAL_STATIC": "1",
            "JUPYTER_PATH": os.pathsep.join(filter(None, (self.place.name, found))),
        }
        self.before = {key: os.environ.get(key) for key in changed}
        os.environ.update(changed)

    def _restore(self):
        for key, value in self.before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value
        self.place.cleanup()


_kernels = _Kernels()


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
        means that something is not as the notebook claims.
    """
    source = notebook_of(table)
    output = Path(output or folder()) / source.name
    check_notebook(table, output.parent)
    import papermill
    from jupyter_core.utils import ensure_event_loop

    try:
        with _kernels as kernel:
            papermill.execute_notebook(
                _literal(source), _literal(output), parameters, progress_bar=False,
                kernel_name=kernel,
                extra_arguments=["--log-level=ERROR"],  # no advice on how to run a kernel
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        raise InvalidValue(
            f"the notebook of {table} failed in cell {error.exec_count} ({error.ename}: "
            f"{str(error.evalue).strip() or 'no message'}): see {output}."
        ) from error
    except RuntimeError as error:  # the kernel died, or did not start
        raise InvalidValue(
            f"the kernel of the notebook of {table} died or did not start ({error}): is there "
            "enough memory, and does python -m ipykernel start? The records are kept."
        ) from error
    finally:
        if threading.current_thread() is not threading.main_thread():
            ensure_event_loop().close()  # its thread's own, which would be left open
    return output


def _literal(path):
    """Return a path in a form that papermill, which fills parameters into braces, leaves alone."""
    return str(path).replace("{", "{{").replace("}", "}}")


def run_if_changed(table, parameters, found, output=None):
    """Execute a table's notebook, unless nothing that it reads has changed since the last time.

    Parameters
    ----------
    table : str
    parameters : dict
    found : list of Record
        The records of its runs.
    output : path, optional
        Default: :func:`folder`. Two programs that execute there wait for each other.

    Returns
    -------
    (path, bool)
        The path of the executed notebook, and whether it was executed now.
    """
    source = notebook_of(table)
    output = Path(output or folder()) / source.name
    stamp = output.with_suffix(".json")
    results = _paths.packaged_results()
    state = {
        "notebook": records.digest(source.read_text(encoding="utf-8")),
        "package": digest_of_code(),
        "results": records.digest(
            {
                f.relative_to(results).as_posix(): records.digest(f.read_text(encoding="utf-8"))
                for f in sorted(results.rglob("*"))
                if f.suffix in (".csv", ".jsonl") and f.stem != "smoke"
            }
        ),
        "runs": [[r.digest, r.finished] for r in found],
        "parameters": records.digest(parameters),
    }
    check_notebook(table, output.parent)
    with _locks.hold(f"{output}.lock"):
        try:
            kept = json.loads(stamp.read_text(encoding="utf-8"))
            if kept == state | {"output": _digest_of_file(output)}:
                return output, False
        except (OSError, ValueError):
            pass  # none yet, or a torn one
        stamp.unlink(missing_ok=True)  # a notebook that fails leaves none
        path = run(table, parameters, output.parent)
        state["output"] = _digest_of_file(path)
        _atomic.replace(stamp, json.dumps(state))
    return path, True


def _digest_of_file(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


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
