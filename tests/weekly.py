"""What is tested each week and not at each change: the long ones that have a quicker sibling.

A pattern is searched for in a test's identifier. ``make test ARGS=--weekly`` runs these as well.
"""

import re

WEEKLY = {
    # beside the first other size and seed of each notebook, a second one
    r"test_notebook_parameters\.py::test_assertions_hold.*-1\]": "its first choice",
    # exporters and compilers, kind by kind
    r"test_habits\.py::test_every_network_goes_every_way\[(?!(mgnet|mgiad|mgic-resnet)-(ONNX|torch))"
    r".*(ONNX|compile)": "MgNet, MGiaD and MGIC",
    r"test_point_clouds\.py::test_every_network_goes_every_way\[(?!edge-conv-).*(ONNX|export)":
        "the plain edge convolutions",
    r"test_lraspp\.py::test_every_network_goes_every_way\[mgic-(ONNX|torch\.compile)":
        "MobileNetV3's blocks",
    r"test_step\.py::test_a_network_is_one_graph\[False": "the same in training mode",
    # the side programs, in small
    r"test_benchmarks\.py::test_a_subject_runs_in_small\[(spectra|frontier|mobile|networks|compil)":
        "the other subjects",
    r"test_summary\.py::test_the_file_is_what_the_program_computes": "its numbers' tests",
    # processes that are killed, started or full
    r"test_driver\.py::test_kill_9_of_workers_and_driver": "the kill in a single run",
    r"sweeps/test_anywhere\.py::test_a_script_without_a_guard.*_as_a_module": "the same as a file",
    r"test_cli\.py::test_an_output_that_is_full.*\[(data|reproduce)": "help and counts",
    # one size or variant more
    r"test_prose_coarse_spaces\.py::test_the_table_of_cycles_over_pairs\[1024": "up to 256",
    r"test_mgiad\.py::test_digits_are_learned\[fas": "the printed correction",
}  # fmt: skip


def is_weekly(identifier):
    """Whether a test waits for the week's run."""
    return any(re.search(pattern, identifier) for pattern in WEEKLY)
