"""The functions of the unit square: their formulas, zero sets, slopes, and where they come from."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mgtutorial.data import plane_functions
from mgtutorial.data.plane_functions import FUNCTIONS, signed_distance, star
from mgtutorial.errors import UnknownName
from mgtutorial.reproduction.papers.printed_table import read_table

AT = torch.rand(4000, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def gradient(f, at):
    at = at.clone().requires_grad_()
    (g,) = torch.autograd.grad(f(at).sum(), at)
    return g


def test_the_first_function_is_the_printed_one():
    (line,) = [r for r in read_table("protocols.csv")
               if (r["protocol"], r["field"]) == ("mgic-function", "function")]  # fmt: skip
    assert line["value"] == "cos(x) sin(20 y) on [0, 1]^2"
    for x, y in AT[:50].tolist():
        value = plane_functions.cos_sin(torch.tensor([[x, y]], dtype=torch.float64)).item()
        assert value == pytest.approx(math.cos(x) * math.sin(20 * y), abs=1e-14)


def test_the_first_function_solves_its_equation():
    """It is an eigenfunction of the Laplacian: f_xx + f_yy = -(1 + 400) f."""
    at = AT.clone().requires_grad_()
    (g,) = torch.autograd.grad(plane_functions.cos_sin(at).sum(), at, create_graph=True)
    laplacian = sum(torch.autograd.grad(g[:, i].sum(), at, retain_graph=True)[0][:, i]
                    for i in range(2))  # fmt: skip
    torch.testing.assert_close(laplacian, -401 * plane_functions.cos_sin(AT), rtol=0, atol=1e-10)


def test_the_slope_of_a_signed_distance_is_one():
    g = gradient(signed_distance, AT)  # random points are on no kink
    torch.testing.assert_close(g.norm(dim=1), torch.ones(len(AT)).double(), rtol=0, atol=1e-12)


def test_a_signed_distance_vanishes_on_the_edges_and_says_inside_and_outside():
    corners = star()
    for t in (0.0, 0.3, 0.8):
        edge = (1 - t) * corners + t * corners.roll(-1, 0)
        assert signed_distance(edge).abs().max() < 1e-15
    inward = 0.5 + 0.99 * (corners - 0.5)
    assert (signed_distance(inward) > 0).all()
    assert (signed_distance(0.5 + 1.01 * (corners - 0.5)) < 0).all()
    # the even-odd rule against the angles: the star is seen whole from its middle
    angle = torch.atan2(*(AT - 0.5).unbind(1)[::-1])
    part = math.pi / 5
    folded = (angle - math.pi / 2).remainder(2 * part)
    folded = torch.minimum(folded, 2 * part - folded)  # between a point and the next notch
    a = torch.tensor([0.4, 0.0]).double()
    b = 0.18 * torch.tensor([math.cos(part), math.sin(part)]).double()
    r = (AT - 0.5).norm(dim=1)
    p = torch.stack([r * folded.cos(), r * folded.sin()], dim=1)
    left = (b - a)[0] * (p - a)[:, 1] - (b - a)[1] * (p - a)[:, 0] > 0
    assert torch.equal(signed_distance(AT) > 0, left)


@settings(max_examples=40, deadline=None)
@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_the_distance_to_a_square_is_the_known_one(x, y):
    square = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]).double()
    qx, qy = abs(x - 0.5) - 0.25, abs(y - 0.5) - 0.25
    known = -(math.hypot(max(qx, 0), max(qy, 0)) + min(max(qx, qy), 0))
    ours = signed_distance(torch.tensor([[x, y]], dtype=torch.float64), square).item()
    assert ours == pytest.approx(known, abs=1e-15)


def test_the_photograph_has_the_pixels_of_the_picture_upright():
    from sklearn.datasets import load_sample_image

    n = 128
    rows, columns = torch.meshgrid(torch.arange(n), torch.arange(n), indexing="ij")
    centres = torch.stack([(columns + 0.5) / n, 1 - (rows + 0.5) / n], dim=-1).double()
    values = plane_functions.photograph(centres.reshape(-1, 2)).reshape(n, n)
    picture = load_sample_image("china.jpg")
    left = (picture.shape[1] - picture.shape[0]) // 2
    grey = picture[:, left : left + picture.shape[0]] @ [0.299, 0.587, 0.114] / 127.5 - 1
    for i, j in ((0, 0), (1, 3), (3, 1), (3, 3)):  # means of sixteenths of the picture
        part = grey[i * 427 // 4 : (i + 1) * 427 // 4, j * 427 // 4 : (j + 1) * 427 // 4]
        ours = values[i * 32 : (i + 1) * 32, j * 32 : (j + 1) * 32]
        assert float(ours.mean()) == pytest.approx(part.mean(), abs=0.01)
    assert float(values[:32].mean()) > float(values[-32:].mean())  # the sky is above


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_keeps_the_type_of_the_points(name):
    f = plane_functions.function(name)
    single, double = f(AT.float()), f(AT)
    assert (single.dtype, double.dtype) == (torch.float32, torch.float64)
    assert single.shape == (len(AT),) and single.isfinite().all()
    assert (single - double).abs().max() < 1e-3


def test_an_unknown_function_gets_the_nearest_name():
    with pytest.raises(UnknownName, match="flower"):
        plane_functions.function("flowr")
