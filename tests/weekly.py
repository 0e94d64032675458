"""What is tested each week and not at each change: the long ones that have a quicker sibling.

A pattern is searched for in a test's identifier. ``make test ARGS=--weekly`` runs these as well;
``make check-book ARGS=--weekly`` visits the pages of the last pattern, and looks at notebooks as
thoroughly as at chapters. Families whose cases are computed mark them themselves.
"""

import re

WEEKLY = {
    # notebooks with other sizes and seeds
    r"test_notebook_parameters\.py::test_assertions_hold": "`make book`, with what they ship",
    # exporters and compilers, kind by kind
    r"test_habits\.py::test_every_network_goes_every_way\[(?!mgnet-).*(ONNX|compile)": "MgNet",
    r"test_point_clouds\.py::test_every_network_goes_every_way\[(?!edge-conv-).*(ONNX|export)":
        "the plain edge convolutions",
    r"test_lraspp\.py::test_every_network_goes_every_way\[mgic-(ONNX|torch\.compile)":
        "MobileNetV3's blocks",
    r"test_step\.py::test_a_network_is_one_graph\[(False|True-(poly|mgic)\])":
        "MgNet and MGiaD in training mode",
    # the side programs, small
    r"test_benchmarks\.py::test_a_subject_runs_in_small\[(spectra|frontier|mobile|networks|compil)":
        "the other subjects",
    r"test_summary\.py::test_the_file_is_what_the_program_computes": "its numbers' tests",
    # processes that are killed, started or full
    r"test_driver\.py::test_kill_9_of_workers_and_driver": "the kill in a single run",
    r"test_records\.py::test_four_processes_that_append_a_thousand": "fewer lines",
    r"test_distributed\.py::test_the_command_prints_once.*fabric run": "this program by itself",
    r"test_surroundings\.py::test_processes_that_nobody_started.*\[(other|tasks|one task\])":
        "the two other ways to be left alone",
    r"test_ends\.py::test_a_signal_reaches_the_grandchildren\[2": "one of them",
    r"sweeps/test_anywhere\.py::test_a_script_without_a_guard.*_as_a_module": "the same as a file",
    r"test_cli\.py::test_an_output_that_is_full.*\[(data|reproduce)": "help and counts",
    # one size or variant more
    r"test_prose_coarse_spaces\.py::test_the_table_of_cycles_over_pairs\[1024": "up to 256",
    r"test_mgiad\.py::test_digits_are_learned\[fas": "the printed correction",
    r"test_mgic\.py::test_it_learns_the_digits\[(mobile|basic)": "the bottleneck",
    r"test_poly_mgnet\.py::test_digits_are_learned\[q2": "groups of four",
    r"test_files_on_disks\.py::test_a_folder_that_may_not_be_entered.*\[(imagenet|tiny)":
        "the folder above",
    r"test_toy_data_set\.py::test_a_data_set_is_added.*\[known": "a new one",
    r"test_constrained\.py::test_the_norm_on_periodic_images.*\[1": "the first seed",
    r"test_shipped\.py::test_on_the_whole_test_set": "the hundred images that are shipped",
}  # fmt: skip

# Of the pages whose cells come from one template, Tables 1 and 2 of MGiaD are visited always.
WEEKLY_PAGES = r"notebooks/reproduce/(mgiad_(table3|poster|figure)|mgic_table(3|5|7|12)\.|poly)"


def is_weekly(identifier):
    """Whether a test waits for the week's run."""
    return any(re.search(pattern, identifier) for pattern in WEEKLY)
