"""The command ``mgtutorial spectrum``, the files that it reads, and its figures."""

import csv
import sys

import numpy as np
import pytest
import torch
from torch import nn

from mgtutorial import models
from mgtutorial.cli import main
from mgtutorial.errors import InvalidValue, UnknownName
from mgtutorial.figures import images
from mgtutorial.spectra.layers import as_convolution
from mgtutorial.spectra.planning import planned
from mgtutorial.spectra.report import frequencies, spectra, table
from mgtutorial.spectra.symbols import eigenvalues
from mgtutorial.spectra.written import draw, write_csv
from mgtutorial.training import protocols
from mgtutorial.training.weights import convolutions_of
from mgtutorial.training.workspace import save_checkpoint


def small():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 4, 3, padding=1, groups=2),
        nn.Conv2d(4, 6, 3, stride=2, padding=1),
    )


def dense(A, side):
    return as_convolution(A, padding_mode="circular").sparse((side, side)).toarray()


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


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv1d(2, 2, 3, padding=1, dtype=torch.complex64),
        nn.Conv2d(2, 2, 3, padding=1, groups=2, dtype=torch.complex128),
        nn.ConvTranspose2d(2, 2, 3, padding=1, dtype=torch.complex64),
    ],
    ids=["1d", "grouped", "transposed"],
)
def test_the_csv_of_a_complex_kernel_has_every_frequency(layer, tmp_path):
    # its values at opposite frequencies have nothing to do with each other
    (found,) = spectra(layer, size=4)
    write_csv([found], tmp_path / "s.csv")
    rows = list(csv.DictReader((tmp_path / "s.csv").read_text().splitlines()))
    assert {row["multiplicity"] for row in rows} == {"1"}
    assert len(rows) == planned(layer, size=4).lines
    for kind, expected in [
        ("eigenvalue", found.eigenvalues),
        ("singular value", found.singular_values),
    ]:
        own = [row for row in rows if row["kind"] == kind]
        z = [complex(float(row["real"]), float(row["imag"] or 0)) for row in own]
        same_set(z, expected, 1e-6)


def test_a_size_of_numpys_is_one_of_pythons_for_transposed_layers_too():
    layer = nn.ConvTranspose2d(2, 2, 2, stride=2)
    (task,), (other,) = (planned(layer, size=n).tasks for n in (np.uint8(6), 6))
    assert (task.shape, task.grid) == (other.shape, other.grid) == ((6, 6), (12, 12))


def test_the_frequency_in_the_csv_is_the_one_of_the_symbol():
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 1, 2] = 1.0  # a shift along the second axis: its symbol is e^(i theta2)
    layer = nn.Conv2d(1, 1, 3, padding=1, bias=False)
    layer.weight = nn.Parameter(kernel)
    (found,) = spectra(layer, size=5)
    index, theta, _ = frequencies(found)
    np.testing.assert_allclose(found.eigenvalues[index][:, 0], np.exp(1j * theta[:, 1]), atol=1e-6)


def test_a_checkpoint_of_a_training(tmp_path, capsys):
    config = protocols.configure("mgnet-20", "digits", "smoke")
    path = tmp_path / "run.pt"
    # what the command reads of it is there before the first epoch, too
    state = {"run": "0123", "config": config.as_dict(), "model": config.model.build().state_dict()}
    save_checkpoint(path, state)
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
    (["nan.pt", "--layer", "2"], "layer 2: the kernel has entries that are NaN"),
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
        spectra(models.named("mgnet-20").build(), ["levels.1.a"])


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


def test_a_single_text_is_no_list_of_layers():
    with pytest.raises(InvalidValue, match=r"such as \['conv'\]"):
        spectra({"c": as_convolution(np.ones((1, 1, 3)))}, layers="conv", size=4)
