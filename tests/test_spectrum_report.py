"""The command ``mgtutorial spectrum``, the files that it reads, the snapshots and their figures."""

import csv
import sys
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from mgtutorial import _paths, models
from mgtutorial.cli import main
from mgtutorial.errors import DataDamaged, InvalidValue, UnknownName
from mgtutorial.figures import images, style
from mgtutorial.figures.complex_plane import DENSITY, REDUCTION, Plane, Relief
from mgtutorial.linalg.polynomials import q
from mgtutorial.spectra.layers import of
from mgtutorial.spectra.report import draw, frequencies, spectra, table, write_csv
from mgtutorial.spectra.symbols import eigenvalues, singular_values
from mgtutorial.training import loop, protocols, records, snapshots
from mgtutorial.training.weights import convolutions_of
from mgtutorial.training.workspace import Workspace


def small():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
    )


def dense(A, side):
    return of(A, padding_mode="circular").sparse((side, side)).toarray()


def same_set(a, b, tolerance):
    """Whether two lists of complex numbers agree in some order."""
    a, b = list(np.ravel(a)), list(np.ravel(b))
    for x in a:
        nearest = min(range(len(b)), key=lambda i: abs(b[i] - x))
        assert abs(b.pop(nearest) - x) < tolerance
    assert not b


def test_the_spectra_are_those_of_the_dense_operators():
    net, side = small(), 6
    found = {s.name: s for s in spectra(net, size=side)}
    assert list(found) == ["0", "2", "3"]
    for name, s in found.items():
        A = dense(net[int(name)], side)
        values = np.linalg.svd(A, compute_uv=False)
        same_set(s.singular_values, values, 1e-6)  # float32 weights
        assert abs(s.norm - values.max()) < 1e-6
        if name == "2":
            z = np.linalg.eigvals(A)
            same_set(s.eigenvalues, z, 1e-5)
            departure = np.sqrt(1 - (abs(z) ** 2).sum() / (A**2).sum())
            assert abs(s.departure - departure) < 1e-6
        else:
            assert s.eigenvalues is None and s.radius is None and s.departure is None


def test_eigenvalues_can_be_left_out():
    assert all(s.eigenvalues is None for s in spectra(small(), size=4, eigenvalues=False))


@pytest.mark.parametrize("side", [4, 5])
def test_the_csv_stands_for_every_value(side, tmp_path):
    (found,) = spectra(small(), ["2"], size=side)
    write_csv([found], tmp_path / "s.csv")
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    z, values = [], []
    for row in rows:
        assert row["layer"] == "2" and row["theta3"] == ""
        assert all(-np.pi < float(row[f"theta{i}"]) <= np.pi + 1e-8 for i in (1, 2))
        times = int(row["multiplicity"])
        if row["kind"] == "eigenvalue":
            value = complex(float(row["real"]), float(row["imag"]))
            z += [value, value.conjugate()][:times]
        else:
            values += [float(row["real"])] * times
    same_set(z, found.eigenvalues, 1e-6)
    np.testing.assert_allclose(np.sort(values), np.sort(found.singular_values.ravel()), atol=1e-7)


def test_the_frequency_in_the_csv_is_the_one_of_the_symbol():
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 1, 2] = 1.0  # a shift along the second axis: its symbol is e^(i theta2)
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    layer.weight = nn.Parameter(kernel)
    (found,) = spectra(layer, size=5)
    index, theta, _ = frequencies(found)
    np.testing.assert_allclose(found.eigenvalues[index][:, 0], np.exp(1j * theta[:, 1]), atol=1e-6)


def test_a_checkpoint_of_a_training(tmp_path, capsys):
    config = protocols.configure("mgnet-20", "digits", "smoke", epochs=1)
    path = tmp_path / "run.pt"
    config = replace(config, n_train=64)
    loop.train(config, Workspace(tmp_path / "runs"), checkpoint_path=path)
    code = main(["spectrum", str(path), "--layer", "levels.*.A", "--size", "4",
                 "--output", str(tmp_path / "out")])  # fmt: skip
    said = capsys.readouterr()
    assert code == 0 and "levels.2.A" in said.out and "R" not in said.out.split("departure")[1]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "run-spectrum.csv",
        "run-spectrum.svg",
    }
    weight = torch.load(path, weights_only=True)["model"]["levels.1.A.weight"]
    radius = np.abs(eigenvalues(weight.double().numpy(), (4, 4))).max()
    line = next(row for row in said.out.splitlines() if row.startswith("levels.1.A"))
    assert f"{radius:.4g}" in line


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}])
def test_a_state_dict_alone(wrap, tmp_path):
    net = small()
    torch.save(wrap(net.state_dict()), tmp_path / "w.pt")
    found = convolutions_of(tmp_path / "w.pt")
    assert list(found) == ["0", "2", "3"]
    # the file does not know of groups and strides
    assert found["2"].c_in == 2 and found["3"].stride == (1, 1)


def test_a_state_dict_with_its_network(tmp_path, monkeypatch):
    (tmp_path / "mynet.py").write_text(
        "from torch import nn\n"
        "def net():\n"
        "    return nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 6, 3, stride=2))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "mynet", raising=False)
    net = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2), nn.Conv2d(4, 6, 3, stride=2))
    torch.save(net.state_dict(), "w.pt")
    found = convolutions_of("w.pt", "mynet:net")
    assert (found["0"].groups, found["1"].stride) == (2, (2, 2))
    assert torch.equal(found["0"].kernel, net[0].weight.detach())
    with pytest.raises(InvalidValue, match="does not fit"):
        torch.save(small().state_dict(), "other.pt")
        convolutions_of("other.pt", "mynet:net")


def test_a_resnet_of_torchvision(tmp_path, capsys):
    arguments = ["torchvision.models:resnet18", "--layer", "layer1.*", "--size", "4", "--singular"]
    assert main(["spectrum", *arguments, "--output", str(tmp_path), "--format", "png"]) == 0
    assert "layer1.0.conv2" in capsys.readouterr().out
    assert (tmp_path / "resnet18-spectrum.png").read_bytes().startswith(b"\x89PNG")


def files(tmp_path):
    nothing = nn.Linear(3, 3)
    torch.save(nothing.state_dict(), tmp_path / "linear.pt")
    bad = small()
    with torch.no_grad():
        bad[2].weight[0, 0, 1, 1] = float("nan")
    torch.save(bad.state_dict(), tmp_path / "nan.pt")
    torch.save(small().state_dict(), tmp_path / "good.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(small(), tmp_path / "pickled.pt")  # would run code if it were loaded
    (tmp_path / "text.pt").write_text("no checkpoint")


MISTAKES = [
    (["linear.pt"], "contains no convolution"),
    (["nan.pt"], "2.weight has entries that are NaN"),
    (["good.pt", "--size", "2"], "layer 0: a kernel of sizes (3, 3)"),
    (["good.pt", "--size", "0"], "layer 0"),
    (["good.pt", "--layer", "levels.*"], "unknown layer 'levels.*'"),
    (["list.pt"], "holds a list"),
    (["pickled.pt"], "torch.save(network.state_dict(), path)"),
    (["text.pt"], "no file of weights"),
    (["absent.pt"], "there is no file absent.pt"),
    (["absent.pt", "--network", "mgnet-20"], "there is no file absent.pt"),
    (["good.pt", "--network", "mgnet-20"], "does not fit mgnet-20"),
    (["good.pt", "--network", "mgnet20"], "did you mean 'mgnet-20'"),
    (["mgnet20"], "did you mean 'mgnet-20'"),
    (["mgnet-20", "--layer", "level.0.A"], "or 'levels.0.A'"),
    (["mgnet-20", "--format", "pdf"], "Allowed: svg, png"),
    (["torch.nn:Nothing"], "has no 'Nothing'"),
    (["math:pi"], "gives a float"),
    (["no_such_package_here:net"], "no_such_package_here"),
]


@pytest.mark.parametrize(("arguments", "words"), MISTAKES)
def test_a_mistake_is_one_sentence_and_code_2(arguments, words, capsys, tmp_path, monkeypatch):
    files(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert main(["spectrum", *arguments, "--output", "out"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith("mgtutorial: ") and words in said[-1], said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    arguments = ["mgnet-20", "--layer", "levels.0.A", "--size", "4"]
    assert main(["spectrum", *arguments, "--output", str(tmp_path / "file")]) == 2
    assert "give a folder that can be written to" in capsys.readouterr().err


def test_near_names_of_a_layer():
    with pytest.raises(UnknownName, match=r"did you mean 'levels.1.A'"):
        spectra("mgnet-20", ["levels.1.a"])


def test_many_layers_make_several_figures():
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3) for _ in range(7)))
    figures = draw(spectra(net, size=4))
    assert [len(fig.axes) for fig in figures] == [10, 4]
    assert len(table(spectra(net, size=4)).splitlines()) == 2 + 7


def test_a_layer_of_zeros_is_drawn():
    net = nn.Conv2d(1, 1, 3)
    nn.init.zeros_(net.weight)
    (fig,) = draw(found := list(spectra(net, size=4)))
    assert found[0].departure is None and images.to_svg(fig)


# The trained weights that come with the package.

NAMES = ["mgiad-20-g4", "mgnet-20", "poly-mgnet-20-g4", "poly-mgnet-20-q2", "poly-mgnet-skeleton"]


def test_the_snapshots_are_there_and_small():
    assert snapshots.available() == NAMES
    sizes = [(_paths.shipped() / "spectra" / f"{name}.npz").stat().st_size for name in NAMES]
    assert max(sizes) < 600_000 and sum(sizes) < 1_500_000


@pytest.mark.parametrize("name", NAMES)
def test_snapshots_fit_their_network_and_their_record(name):
    run = snapshots.load(name)
    assert run.epochs[0] == 0 and run.epochs[-1] == run.about["config"]["epochs"]
    record = next(r for r in records.all_runs() if r.digest == run.about["record"])
    assert record.choices == run.about["config"]
    assert record.metric.value == run.about["test_accuracy"]
    end = run.end.state_dict()  # the whole network loads
    for epoch in run.epochs:
        kernels = run.operators(epoch)
        assert kernels.keys() == {n.removesuffix(".weight") for n in end if ".A." in n}
        assert all(np.isfinite(k).all() for k in kernels.values())
    for name, kernel in run.operators(run.epochs[-1]).items():
        np.testing.assert_array_equal(kernel, end[f"{name}.weight"].numpy().astype(float))


def test_half_precision_moves_a_spectrum_by_no_more_than_rounding():
    torch.manual_seed(0)
    kernel = torch.randn(16, 16, 3, 3).numpy() / 12
    stored = kernel.astype(np.float16)
    a, b = (singular_values(k.astype(float), (8, 8)) for k in (kernel, stored))
    assert np.abs(a - b).max() < 2e-3 * a.max()  # Weyl: at most the norm of the difference


def test_the_start_is_that_of_the_training(tmp_path):
    """What a snapshot calls its start is what train starts from."""
    run = snapshots.load("poly-mgnet-20-q2")
    first, again = run.start.state_dict(), snapshots.load("poly-mgnet-20-q2").start.state_dict()
    assert all(torch.equal(first[n], again[n]) for n in first)
    about = {**run.about, "start": {n: 1.01 * v for n, v in run.about["start"].items()}}
    with pytest.raises(InvalidValue, match="cannot be made again"):
        _ = snapshots.Snapshots(about, run.arrays).start


def test_roots_come_with_their_epochs():
    run = snapshots.load("poly-mgnet-skeleton")
    for epoch in run.epochs:
        for x in run.roots(epoch):
            assert x.shape == (4,) and Counter(x.imag > 0)[True] == Counter(x.imag < 0)[True]
    a, b = (np.concatenate(run.roots(e)) for e in (0, run.epochs[-1]))
    assert np.abs(a - b).max() > 0.1


def test_what_is_saved_is_read(tmp_path):
    net = models.named("mgnet-20", in_channels=1).build()
    about = {"config": {"model": models.as_dict(net.config), "seed": 0}, "start": {}}
    snapshots.save(tmp_path / "a.npz", about, {1: net.state_dict()})
    run = snapshots.read(tmp_path / "a.npz")
    for name, value in net.state_dict().items():
        np.testing.assert_allclose(run.end.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    with pytest.raises(InvalidValue, match="epoch 2 was not kept: give one of 0, 1"):
        run.operators(2)


def test_damaged_snapshots_and_unknown_names(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no zip")
    with pytest.raises(DataDamaged, match="train_spectra"):
        snapshots.read(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", about=np.array([{}], dtype=object))  # a pickle: refused
    with pytest.raises(DataDamaged):
        snapshots.read(tmp_path / "b.npz")
    with pytest.raises(UnknownName, match="did you mean 'mgnet-20'"):
        snapshots.load("mgnet20")


# The figures that are dragged.


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


def test_mgnet_computes_the_same_with_permuted_data_but_its_eigenvalues_change():
    """Exercise 3 of the chapter: eigenvalues of MgNet's A belong to a representation."""
    torch.manual_seed(0)
    net = models.MgNetConfig((4, 8), 2, in_channels=1).build().double().eval()
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.running_mean.normal_()
        m.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 1, 12, 12, dtype=torch.float64)

    def spectrum():
        return np.sort_complex(eigenvalues(net.levels[0].A, (4, 4)).detach().numpy().ravel())

    def permute(norm, order):
        for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
            value.copy_(value[order].clone())

    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        before, eigenvalues_before = net(x), spectrum()
        net.stem[0].weight.copy_(net.stem[0].weight[order].clone())
        permute(net.stem[1], order)
        for level in net.levels:
            level.A.weight.copy_(level.A.weight[order].clone())
            B = level.smoothers[0].B.weight  # shared by the steps
            B.copy_(B[:, order].clone())
            for smoother in level.smoothers:
                permute(smoother.norm_in, order)
            if level.R is not None:  # each channel makes two of its own
                order = torch.stack([2 * order, 2 * order + 1], 1).ravel()
                level.R.weight.copy_(level.R.weight[order].clone())
        assert (net(x) - before).abs().max() < 1e-12
    assert np.abs(spectrum() - eigenvalues_before).max() > 0.1
