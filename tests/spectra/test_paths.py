"""Paths of other systems: what a command writes stays in its folder, what it is given is a path.

Nothing here was run on Windows: its rules for paths are those that Python's pathlib has of them.
"""

from pathlib import PurePosixPath, PureWindowsPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mgtutorial.errors import InvalidValue
from mgtutorial.spectra import weight_files, written
from mgtutorial.training import convolutions_of


@pytest.mark.parametrize(
    ("source", "stem"),
    [
        (r"C:\runs\a.pt", "a"),
        (r"C:a.pt", "a"),  # in the working folder of that drive
        ("C:/runs/a b.pt", "a_b"),
        (r"\\server\share\a.safetensors", "a"),
        (r"\\?\C:\runs\a.pt", "a"),
        (r"D:\runs\12:30\a.pt", "a"),
        (r"runs\con", "con"),
        (r"runs\aux.pt", "aux"),
        (r"C:\runs\..\..", "network"),
        (r"C:\\", "network"),
        ("runs/a.pt.", "a.pt"),
        ("runs/a:b?*<>|.pt", "b"),
    ],
)
def test_files_about_a_path_of_windows_stay_in_their_folder(source, stem):
    assert written.stem_of(source) == stem


@given(st.text(max_size=30))
@example("con.pt")
@example("..\\..\\a.pt")
def test_files_about_anything_stay_in_their_folder_on_every_system(source):
    name = f"{written.stem_of(source)}-spectrum.csv"
    for kind in (PureWindowsPath, PurePosixPath):
        folder = kind("D:/out")
        assert (folder / name).parent == folder and (folder / name).name == name
    assert not PureWindowsPath(name).drive and not set(name) & set('<>:"/\\|?*')
    assert name.partition("-spectrum")[0] and not name.startswith((".", " "))


@pytest.mark.parametrize(
    "source",
    [r"C:\net.pt", r"C:net.pt", "C:/net", r"\\server\net", r"runs\net", "d:net.SAFETENSORS"],
)
def test_a_path_of_windows_is_never_taken_for_a_module(source):
    assert weight_files.is_path(source)
    with pytest.raises(InvalidValue, match="there is no file") as said:
        convolutions_of(source)
    assert "module" not in str(said.value)
