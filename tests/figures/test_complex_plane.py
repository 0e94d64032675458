"""Pictures of the complex plane: each value in its place and its colour."""

import numpy as np

from mgtutorial.figures import images, style
from mgtutorial.figures.complex_plane import DENSITY, REDUCTION, Plane, Relief
from mgtutorial.linalg.polynomials import q


def test_a_plane_has_each_eigenvalue_in_its_pixel():
    plane = Plane(2.0, centre=1.0, pixels=41)
    z = plane.z[[3, 20], [7, 40]]
    plane(np.append(z, 99.0))  # the last one is outside
    black = plane.pixels.sum(-1) == 0
    assert black.sum() == 2 and black[3, 7] and black[20, 40]


def test_bands_and_title_change_with_the_values():
    plane = Plane(2.0, bands=REDUCTION, pixels=21)
    fig = plane([], np.full((21, 21), 0.9), roots=[1.0], title="one")
    below = plane.pixels[0, 0]
    assert plane(np.array([]), np.full((21, 21), 1.1), title="two") is fig
    above = plane.pixels[0, 0]
    assert below[2] > below[0] and above[0] > above[2]  # blue, orange
    assert fig.axes[0].get_title() == "two" and 1.0 in REDUCTION.edges


def test_each_value_has_the_colour_of_its_band():
    for bands in (REDUCTION, DENSITY):
        assert len(bands.edges) == len(bands.colours) and bands.edges[0] == 0
        colours = bands(np.array(bands.edges))
        assert len(np.unique(colours, axis=0)) == len(colours)
        np.testing.assert_array_equal(bands(np.array(bands.edges[1:]) - 1e-9), colours[:-1])


def test_a_density_has_the_mass_of_what_is_inside_and_is_flat_in_an_even_disc():
    plane, radius = Plane(2.0), 1.4
    n = np.arange(20_000)  # an even disc, by the golden angle
    z = radius * np.sqrt((n + 0.5) / len(n)) * np.exp(1j * np.pi * (3 - np.sqrt(5)) * n)
    side = 4 / len(plane.z)
    density = plane.density(np.append(z, [5.0] * len(n)), width=0.1)  # half is outside
    assert abs(density.sum() * side**2 - 0.5) < 1e-3
    middle = 2 * np.pi * radius**2 * density[np.abs(plane.z) < 1]
    assert np.abs(middle - 1).max() < 0.05


def test_a_peak_reaches_its_root_even_between_the_points_of_the_mesh():
    relief = Relief(2.0, slices=6, points=8)
    relief(lambda z: q(z, [0.123, 1 + 0.9j, 1 - 0.9j]), [0.123, 1 + 0.9j, 1 - 0.9j])
    top = [path.vertices for path in relief._slices.get_paths()]
    for x, y in np.transpose(relief._roots.get_data()):
        assert min(np.abs(v - (x, y)).max(axis=1).min() for v in top) < 1e-12


def test_the_frames_of_a_figure_do_not_depend_on_what_was_drawn_before():
    plane, relief = Plane(2.0), Relief(2.0, slices=5, points=9)
    first = images.to_svg(plane([1.0], circle=1.0, title="a"))
    plane([1j], roots=[1.0], title="b")
    assert images.to_svg(plane([1.0], circle=1.0, title="a")) == first
    first = images.to_svg(relief(lambda z: q(z, [1.0]), [1.0], "a"))
    relief(lambda z: q(z, [0.5]), [0.5], "b")
    assert images.to_svg(relief(lambda z: q(z, [1.0]), [1.0], "a")) == first


def test_axes_stay_where_they_are_when_saved_in_the_house_style():
    import matplotlib

    with matplotlib.rc_context():
        style.use_style()
        plane = Plane(2.0)
        place = plane.ax.get_position().bounds
        for _ in range(2):
            images.to_svg(plane([1.0]))
        assert plane.ax.get_position().bounds == place
        assert plane.figure.get_layout_engine() is None  # else each frame is drawn twice
