"""Every named case runs both ways, something happens in it, its walls do not matter; files, parameters."""

import pickle

import numpy as np
import pytest

from wassflow import ParticleCloud, WassflowError, cases
from wassflow.functional import SpikeFeatures

REQUIRED = {
    "cosine-2d": 2,
    "cosine-3d": 3,
    "deconvolution-2d": 2,
    "deconvolution-3d": 3,
    "relu-2d": 2,
    "relu-3d": 3,
    "sigmoid-3d": 3,
}
every = pytest.mark.parametrize("name", cases.names())


def small_mesh(case):
    return case.mesh(cells=16 if case.dim == 2 else 10)


def test_the_promised_cases_exist():
    assert set(REQUIRED) <= set(cases.names())
    for name, dim in REQUIRED.items():
        assert cases.get(name).dim == dim
        assert f"(d = {dim})" in cases.get(name).summary


@every
def test_case_is_complete_and_can_be_sent_to_another_process(name):
    case = cases.get(name)
    assert case.name == name
    assert case.parameters == cases.parameters(name)
    assert len(case.cells) == case.dim == case.functional.dim
    assert np.isfinite(case.domain.volume)
    assert case.times[0] == 0.0
    assert case.t_end == case.times[-1]
    assert len(case.times) >= 4
    copy = pickle.loads(pickle.dumps(case))
    u = case.domain.lower + np.random.default_rng(0).random((5, case.dim)) * (
        case.domain.upper - case.domain.lower
    )
    assert np.array_equal(copy.initial(u), case.initial(u))
    assert np.array_equal(copy.functional.features.value(u), case.functional.features.value(u))


@every
def test_start_is_continuously_differentiable_with_support_off_the_walls(name):
    case = cases.get(name)
    rng = np.random.default_rng(1)
    lower, upper = case.domain.lower, case.domain.upper
    u = lower + rng.random((2000, case.dim)) * (upper - lower)
    if case.exact is None:
        for axis in np.flatnonzero(~np.array(case.domain.periodic)):
            for wall in (lower, upper):
                at_wall = u.copy()
                at_wall[:, axis] = wall[axis]
                assert not case.initial(at_wall).any()
    # slopes of a C^1 function, taken on both sides of a point, agree; a jump or a kink would leave O(1/h) or
    # O(1)
    h = 1e-6
    largest = max(np.abs(case.initial(u)).max(), 1e-3)
    for axis in range(case.dim):
        step = np.zeros(case.dim)
        step[axis] = h * (upper - lower)[axis]
        inside = np.all((u - step > lower) & (u + step < upper), axis=1)
        left, middle, right = (case.initial(u[inside] + s * step) for s in (-1.0, 0.0, 1.0))
        assert np.abs(right - 2.0 * middle + left).max() / h < 1e-2 * largest


@every
def test_something_happens_and_walls_do_not_matter(name):
    case = cases.get(name)
    cloud = ParticleCloud.sample(case.start(small_mesh(case)), 200, method="stratified", seed=2)
    trajectory = case.particle_flow(tolerance=1e-4).run(cloud, case.t_end, save=case.times)
    assert trajectory.saved_times == list(case.times)
    rounding = 1e-13 * trajectory.energy[0]
    assert np.diff(trajectory.energy).max() <= rounding
    assert trajectory.energy[-1] < 0.5 * trajectory.energy[0]
    moved = case.domain.difference(trajectory.final.points, cloud.points)
    spread = np.sqrt(np.trace(cloud.covariance()))
    assert np.sqrt(np.mean(np.sum(moved**2, axis=1))) > 0.3 * spread
    # between any two of the times something happens too
    energies = [trajectory.energy[np.argmin(np.abs(trajectory.times - t))] for t in case.times]
    assert np.all(np.diff(energies) < -0.005 * trajectory.energy[0])
    walls = ~np.array(case.domain.periodic)
    for measure in trajectory.measures:
        points = measure.points[:, walls]
        assert np.all(points > case.domain.lower[walls])
        assert np.all(points < case.domain.upper[walls])


@every
def test_density_flow_of_a_coarse_mesh_loses_energy_too(name):
    case = cases.get(name)
    mesh = small_mesh(case)
    start = case.start(mesh)
    assert start.mass == pytest.approx(case.mass, rel=1e-13)
    trajectory = case.density_flow(mesh).run(start, case.times[1])
    assert trajectory.energy[-1] < trajectory.energy[0]
    assert trajectory.final.mass == pytest.approx(case.mass, rel=1e-13)


def test_cosine_cases_follow_their_exact_solution():
    case = cases.get("cosine-2d", y=(0.3, -0.2), z0=(0.0, 0.5))
    assert case.exact.y == pytest.approx([0.3, -0.2])
    nodes = (np.arange(60) + 0.5) / 60 * np.pi
    u = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    # the midpoint rule is exact for trigonometric polynomials of a smooth even periodic density
    cloud = ParticleCloud(u, case.initial(u) * (np.pi / 60) ** 2)
    trajectory = case.particle_flow().run(cloud, case.t_end)
    assert trajectory.moments[-1] == pytest.approx(case.exact.moment(case.t_end), abs=1e-8)


def test_spikes_are_where_the_figure_shows_them():
    """At the end of deconvolution-2d the weights near each spike add up to nearly its amplitude."""
    case = cases.get("deconvolution-2d")
    assert isinstance(case.functional.features, SpikeFeatures)
    cloud = ParticleCloud.sample(case.start(case.mesh(cells=(8, 40))), 300, method="stratified", seed=0)
    final = case.particle_flow().run(cloud, 2.0 * case.t_end).final
    spikes = 2.0 * np.pi * np.array(case.parameters["positions"])
    amplitudes = np.array(case.parameters["amplitudes"])
    along = case.domain.difference(np.stack([0 * spikes, spikes], axis=1)[:, None], final.points)[..., 1]
    near = np.abs(along).argmin(axis=0)
    masses = np.array([final.weights[near == k] @ final.points[near == k, 0] for k in range(5)])
    # soft thresholding by strength / (scale |psi|^2) = 0.03, and neighbours that overlap
    assert np.abs(masses - amplitudes).max() < 0.05
    assert np.array_equal(np.sign(masses), np.sign(amplitudes))
    assert np.mean(final.points[:, 0] == 0.0) > 0.1


def test_parameters_change_the_case():
    case = cases.get("sigmoid-3d", inputs=20, strength=0.3, times=[0.0, 0.5])
    assert case.functional.features.size == 20
    assert case.functional.regularizer.strength == 0.3
    assert case.t_end == 0.5
    assert case.parameters["inputs"] == 20


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("cosine-4d", {}, "the case must be one of 'cosine-2d'.*found 'cosine-4d'"),
        ("cosine-2d", {"gamma": 1.0}, "the parameter of cosine-2d must be one of 'y', 'z0'.*found 'gamma'"),
        ("cosine-2d", {"y": (0.1, 0.2, 0.3)}, r"y must have shape \(2,\), found shape \(3,\)"),
        ("cosine-2d", {"z0": (1.5, 0.0)}, "z0 must lie strictly between -1 and 1"),
        ("cosine-2d", {"times": (0.5, 1.0)}, "times must start at 0 and increase"),
        ("deconvolution-2d", {"order": 0}, "order must be an integer, at least 1, found 0"),
        ("deconvolution-2d", {"amplitudes": (1.0, 2.0)}, r"amplitudes must have shape \(5,\)"),
        ("deconvolution-3d", {"positions": (1.0, 2.0)}, r"positions must have shape \(n, d\)"),
        ("sigmoid-3d", {"strength": -0.1}, "strength must be a finite number, at least 0"),
        ("sigmoid-3d", {"teacher": "two"}, "teacher must hold real numbers, found str"),
        ("relu-2d", {"spread": 3.0}, "spread must be a finite number, above 0.0, at most 2.5"),
        ("relu-3d", {"scale": 0}, "scale must be a finite number, above 0"),
        ("relu-3d", {"inputs": 2.5}, "inputs must be an integer, at least 3, found 2.5"),
    ],
)
def test_refusals(name, given, message):
    with pytest.raises(ValueError, match=message):
        cases.get(name, **given)


@pytest.mark.parametrize(
    "text",
    [
        'case = "relu-2d"\n[parameters]\nstrength = 0.2\n[run]\nm = 50\n',
        '[case]\nname = "relu-2d"\n[case.parameters]\nstrength = 0.2\n',
    ],
)
def test_cases_come_from_files(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    case = cases.load(path)
    assert case.name == "relu-2d"
    assert case.functional.regularizer.strength == 0.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('case = "relu-2d"\n[extra]\n', "a key of .*mine.toml must be one of 'case'.*found 'extra'"),
        ("[case]\nname = 3\n", "must name a case.*found 3"),
        ('[case]\nname = "relu-2d"\nm = 3\n', r"a key of \[case\] in .* must be one of .*found 'm'"),
        ('case = "relu-2d"\nparameters = 3\n', "parameters in .* must be a table, found 3"),
        ('case = "relu-2d"\n[parameters]\nx = 1.0\n', "the parameter of relu-2d must be one of .*'x'"),
        ('[case]\nname = "relu-2d"\n[case.parameters]\n[parameters]\n', "must give parameters once"),
        ("case = ", "mine.toml must be a TOML file"),
    ],
)
def test_files_are_refused_by_name(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        cases.load(path)


def test_a_missing_file_is_an_error_of_its_own(tmp_path):
    with pytest.raises(WassflowError, match="cannot read the case file"):
        cases.load(tmp_path / "none.toml")
