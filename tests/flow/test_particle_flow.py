"""Particles against closed forms, against their own energy, and against themselves on several ranks."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wassflow import (
    Box,
    CallableFeatures,
    Functional,
    NeuronFeatures,
    ParticleCloud,
    ParticleFlow,
    Polytope,
    SpikeFeatures,
    SquaredLoss,
    WassflowError,
    regularizer,
)
from wassflow.cases.exact import (
    CosineMoments,
    LogisticDilation,
    QuadraticMean,
    RadialAbsorption,
    WallAccumulation,
    WallRelaxation,
    WeightAbsorption,
)
from wassflow.cases.features import MeanFeatures


def random_points(domain, n, seed=0):
    return domain.lower + np.random.default_rng(seed).random((n, domain.dim)) * (domain.upper - domain.lower)


def random_weights(n, seed=0):
    weights = np.random.default_rng(seed).random(n)
    return weights / weights.sum()


def drift(c, V, dim=2):
    """F whose velocity without V is the constant ``c``."""
    return Functional(
        MeanFeatures(dim),
        SquaredLoss(np.zeros(dim), scale=0.0),
        regularizer.Sum(regularizer.Linear(-np.asarray(c, float)), V),
    )


def balance(trajectory):
    """F(t) - F(0) + int int |v|^2 dmu ds."""
    return trajectory.energy - trajectory.energy[0] + trajectory.diagnostics["dissipated"]


EXACT = {
    "O1": lambda d: QuadraticMean(
        np.eye(d) + 0.3, np.diag([0.7, -0.2, 0.4][:d]), [0.7, -0.4, 0.3][:d], [0.2, 0.1, -0.3][:d]
    ),
    "O2": lambda d: LogisticDilation(y=0.6, kappa=1.5, dim=d),
    "O4": lambda d: WeightAbsorption(alpha=0.8, dim=d),
    "O5": lambda d: RadialAbsorption(alpha=0.7, dim=d),
    "O7 linear": lambda d: WallAccumulation([0.8, -0.5, 0.3][:d]),
    "O7 quadratic": lambda d: WallRelaxation([1.5, -0.4, 0.6][:d]),
    "O8": lambda d: CosineMoments([0.4, -0.3, 1.3][:d], [-0.4, 0.3, 0.1][:d], [1.0, 2.0, 0.7][:d]),
}


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("name", list(EXACT))
def test_particles_are_at_the_exact_positions(name, dim):
    exact, t = EXACT[name](dim), 0.9
    u, weights = random_points(exact.domain, 60), random_weights(60)
    cloud = ParticleCloud(exact.domain.project(0.5 * u) if name in ("O1", "O2") else u, weights)
    tolerance = 1e-10
    dt = 1e-3 if name == "O7 quadratic" else None
    trajectory = ParticleFlow(exact.functional, exact.domain, dt=dt, tolerance=tolerance).run(cloud, t)
    expected = exact.particles(t, cloud.points, weights)
    assert trajectory.final.points == pytest.approx(expected, abs=1e-8)
    assert np.array_equal(trajectory.final.weights, weights)
    # absorbed particles are on the kink or the wall, not near it
    if name.startswith("O7"):
        stopped = (expected == 0.0) | (expected == 1.0)
    else:
        stopped = expected == 0.0
    assert np.array_equal(trajectory.final.points[stopped], expected[stopped])
    assert stopped.any() == (exact.singular_mass(t) > 0.0)
    assert np.diff(trajectory.energy).max() < 1e-14
    if name in ("O4", "O5", "O7 linear"):  # constant velocities: exact to rounding
        bound = 1e-12
    elif name == "O7 quadratic":
        # a coordinate stops at most once; in that step its velocity c - u, at most 1.5 and of slope 1,
        # changes by no more than 1.5 dt, and the work of its first velocity is off by at most (1.5 dt)^2/2
        bound = dim * 0.5 * (1.5 * dt) ** 2
    else:
        # a displacement that is off by the tolerance costs that times the speed, in every step
        bound = tolerance * trajectory.steps * np.sqrt(trajectory.dissipation.max())
        assert bound < 1e-7  # of the energies, which are of order 1
    assert np.abs(balance(trajectory)).max() < bound


@pytest.mark.parametrize("integrator", ["rk4", "rk45"])
@pytest.mark.parametrize(("name", "t"), [("O1", 4.0), ("O2", 1.0), ("O8", 4.0)])
def test_errors_are_proportional_to_the_tolerance(name, t, integrator):
    """In the sense of W2: the root mean square distance to the exact positions of the same particles."""
    exact = EXACT[name](2)
    u = random_points(exact.domain, 40)
    cloud = ParticleCloud(0.25 * u if name == "O1" else u)
    tolerances = np.array([1e-9, 1e-10, 1e-11, 1e-12])
    expected = exact.particles(t, cloud.points)
    errors, steps = [], []
    for tolerance in tolerances:
        flow = ParticleFlow(exact.functional, None, integrator, tolerance=tolerance)
        trajectory = flow.run(cloud, t)
        errors.append(np.sqrt(np.mean(np.sum((trajectory.final.points - expected) ** 2, axis=1))))
        steps.append(trajectory.steps)
        assert trajectory.diagnostics["rejected_steps"] < 0.1 * trajectory.steps
    assert np.all(np.array(errors) < 2.0 * tolerances)  # O1 spreads errors by exp(0.2 t) = 2.2 along one axis
    slope = np.polyfit(np.log(tolerances), np.log(errors), 1)[0]
    assert 0.8 < slope < 1.25  # steps come from a ladder of ratio 2^(1/8): a factor of 1.5 in dt^5
    # order 5 needs 10^(1/5) times the steps for one more digit, order 4 (estimated by order 3) 10^(1/4)
    growth = (steps[-1] / steps[0]) ** (1.0 / 3.0)
    assert growth == pytest.approx(10.0 ** (0.2 if integrator == "rk45" else 0.25), rel=0.1)


@pytest.mark.parametrize("dim", [2, 3])
def test_gauss_grid_follows_the_density_of_the_cosine_oracle(dim):
    exact = CosineMoments([0.5, -0.3, 0.0][:dim], [-0.4, 0.3, 0.6][:dim])
    nodes, factors = np.polynomial.legendre.leggauss(24)
    x, factors = 0.5 * np.pi * (nodes + 1.0), 0.5 * np.pi * factors
    u = np.stack(np.meshgrid(*[x] * dim, indexing="ij"), axis=-1).reshape(-1, dim)
    product = np.prod(
        np.stack(np.meshgrid(*[factors] * dim, indexing="ij"), axis=-1).reshape(-1, dim), axis=1
    )
    cloud = ParticleCloud(u, exact.initial(u) * product)
    trajectory = ParticleFlow(exact.functional, exact.domain).run(cloud, 2.0)
    expected = np.array([exact.moment(t) for t in trajectory.times])
    assert np.abs(trajectory.moments - expected).max() < 1e-6


def test_recorded_dissipation_is_that_of_the_least_norm_velocity():
    exact = WeightAbsorption(alpha=0.5)
    u = random_points(exact.domain, 40)
    trajectory = ParticleFlow(exact.functional, exact.domain).run(ParticleCloud(u), 1.0)
    moving = [np.mean(exact.flow_map(t, u)[:, 0] != 0.0) for t in trajectory.times]
    assert trajectory.dissipation == pytest.approx(0.25 * np.array(moving), abs=1e-14)
    assert trajectory.moments[:, 1] == pytest.approx(u[:, 1].mean(), abs=1e-13)


def smooth_problem():
    features = NeuronFeatures(np.linspace(-2.0, 2.0, 9)[:, None], "tanh")
    return Functional(features, SquaredLoss(np.sin(np.linspace(-2.0, 2.0, 9))), regularizer.SquaredNorm(0.05))


def kinked_problem(V):
    """Strong enough for absorption: of 12 particles some die, some cross zero, some live."""
    inputs = np.column_stack([np.linspace(-2.0, 2.0, 9), np.ones(9)])
    return Functional(NeuronFeatures(inputs, "sigmoid"), SquaredLoss(np.sin(2.0 * inputs[:, 0])), V)


def order(flow_of_dt, cloud, steps, reference_steps, t_end=1.0):
    """Observed order of positions over three halvings, and the residuals of the energy balance."""
    reference = flow_of_dt(t_end / reference_steps).run(cloud, t_end).final.points
    errors, residuals = [], []
    for n in steps:
        trajectory = flow_of_dt(t_end / n).run(cloud, t_end)
        assert trajectory.diagnostics["rejected_steps"] == 0
        assert trajectory.steps == n
        errors.append(np.sqrt(np.mean((trajectory.final.points - reference) ** 2)))
        residuals.append(abs(balance(trajectory)[-1]))
    return -np.polyfit(np.log(steps), np.log(errors), 1)[0], np.array(residuals)


@pytest.mark.parametrize(
    ("integrator", "expected"),
    [("euler", 1), ("rk2", 2), ("rk4", 4), ("rk45", 5), ("rkc", 2), ("forward-backward-2", 2)],
)
def test_orders_for_smooth_regularizers(integrator, expected):
    F = smooth_problem()
    cloud = ParticleCloud(np.random.default_rng(1).standard_normal((20, 2)))
    steps = [8, 16, 32, 64]
    positions, residuals = order(lambda dt: ParticleFlow(F, None, integrator, dt), cloud, steps, 2048)
    assert positions > expected - 0.15
    assert -np.polyfit(np.log(steps), np.log(residuals), 1)[0] > expected - 0.15


@pytest.mark.parametrize("V", [regularizer.AbsWeight(0.3), regularizer.WeightTimesNorm(0.2)], ids=repr)
@pytest.mark.parametrize(("integrator", "expected"), [("forward-backward", 1), ("forward-backward-2", 2)])
def test_orders_with_kinks(V, integrator, expected):
    F = kinked_problem(V)
    cloud = ParticleCloud(np.random.default_rng(4).standard_normal((400, 3)))
    steps = [16, 32, 64, 128]
    positions, residuals = order(lambda dt: ParticleFlow(F, None, integrator, dt), cloud, steps, 1024)
    final = ParticleFlow(F, None, "forward-backward-2", 1 / 128).run(cloud, 1.0).final.points
    assert np.sum((final[:, 0] * cloud.points[:, 0] < 0.0) | (final[:, 0] == 0.0)) > 20
    # kinks are met anywhere within a step, which scatters single particles: their mean over 400 does not
    assert positions > expected - 0.25
    assert -np.polyfit(np.log(steps), np.log(residuals), 1)[0] > expected - 0.25


@pytest.mark.parametrize("integrator", ["forward-backward", "forward-backward-2"])
@pytest.mark.parametrize("dt", [0.03, 0.4, 1.0])
def test_constant_fields_are_exact_through_kinks_and_walls(integrator, dt):
    """w: against a force of 2, below, on and above zero; theta: into the wall at 1."""
    F = drift([-2.0, 0.7], regularizer.AbsWeight(0.5))
    u = np.array([[1.0, 0.0], [0.5, 0.9], [0.0, 0.5], [-0.2, 1.0], [3.5, 0.2], [-1.4, 0.0]])
    t = 1.0
    w = np.where(u[:, 0] > 0.0, u[:, 0] - 2.5 * t, u[:, 0] - 1.5 * t)
    late = (u[:, 0] > 0.0) & (w < 0.0)
    w = np.where(late, -1.5 * (t - u[:, 0] / 2.5), w)
    expected = np.column_stack([np.maximum(w, -2.0), np.minimum(u[:, 1] + 0.7 * t, 1.0)])
    box = Box([-2.0, 0.0], [4.0, 1.0])
    trajectory = ParticleFlow(F, box, integrator, dt).run(ParticleCloud(u), t)
    assert trajectory.final.points == pytest.approx(expected, abs=1e-14)
    assert np.abs(balance(trajectory)).max() < 1e-13


def test_particles_held_by_a_kink_do_not_move_at_all():
    F = drift([0.4, 0.0], regularizer.AbsWeight(0.5))
    u = np.array([[0.0, 0.1], [0.0, 0.7]])
    trajectory = ParticleFlow(F).run(ParticleCloud(u), 3.0)
    assert np.array_equal(trajectory.final.points, u)
    assert not trajectory.dissipation.any()


def test_at_late_times_particles_sit_on_kinks_and_nothing_chatters():
    F = kinked_problem(regularizer.AbsWeight(0.3))
    cloud = ParticleCloud(np.random.default_rng(4).standard_normal((12, 3)))
    trajectory = ParticleFlow(F, integrator="forward-backward-2", dt=0.05).run(cloud, 60.0, save=[50.0])
    dead = trajectory.at(50.0).points[:, 0] == 0.0
    assert 0 < dead.sum() < 12
    assert np.all(trajectory.final.points[dead, 0] == 0.0)
    assert np.diff(trajectory.energy).max() <= 1e-13 * trajectory.energy[0]


def test_particles_slide_along_an_oblique_wall_into_the_corner():
    triangle = Polytope([[-1.0, 0.0], [0.0, -1.0], [1.0, 1.0]], [0.0, 0.0, 1.0])
    F = drift([1.0, 0.2], regularizer.Zero())
    cloud = ParticleCloud([[0.1, 0.3], [0.6, 0.2]])
    trajectory = ParticleFlow(F, triangle).run(cloud, 5.0, save=[1.0])
    hit = 0.5  # 0.4 + 1.2 t = 1
    expected = np.array([0.6, 0.4]) + (1.0 - hit) * np.array([0.4, -0.4])
    assert trajectory.at(1.0).points[0] == pytest.approx(expected, abs=1e-12)
    assert trajectory.final.points == pytest.approx(np.array([[1.0, 0.0], [1.0, 0.0]]), abs=1e-12)
    assert np.all(triangle.contains(trajectory.final.points))


@pytest.mark.parametrize("integrator", ["euler", "rk4", "rk45", "forward-backward", "forward-backward-2"])
def test_particles_go_round_an_obtuse_corner_exactly(integrator):
    # along the wall x + 2 y = 3 to the corner (1, 1), then along 2 x + y = 3, as fast as the walls let them
    kite = Polytope([[1.0, 2.0], [2.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], [3.0, 3.0, 0.0, 0.0])
    F = drift([1.0, 0.0], regularizer.Zero())
    run = ParticleFlow(F, kite, integrator=integrator, dt=0.3).run(ParticleCloud([[0.6, 1.2]]), 1.0)
    # 1/sqrt(5) (2, -1) takes the time 1/2, at the speed 2/sqrt(5); then 1/sqrt(5) (1, -2) at 1/sqrt(5)
    expected = np.array([1.0, 1.0]) + 0.5 / 5.0 * np.array([1.0, -2.0])
    assert run.final.points[0] == pytest.approx(expected, abs=1e-12)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.sampled_from([2, 3]), st.booleans())
def test_particles_stay_in_polytopes_and_lose_energy(seed, dim, kinked):
    rng = np.random.default_rng(seed)
    omega = Polytope.from_points(rng.standard_normal((8, dim)))
    V = regularizer.AbsWeight(0.3) if kinked else regularizer.Zero()
    F = drift(rng.standard_normal(dim), V, dim)
    cloud = ParticleCloud(omega.project(rng.standard_normal((10, dim))))
    trajectory = ParticleFlow(F, omega, dt=0.1).run(cloud, 2.0)
    assert np.all(omega.contains(trajectory.final.points))
    assert np.diff(trajectory.energy).max() <= 1e-13 * (1.0 + np.abs(trajectory.energy).max())


def spikes(strength=0.02):
    theta = np.array([0.02, 0.35, 0.8])
    features = SpikeFeatures("dirichlet", 5)
    u = np.column_stack([[1.0, -1.0, 0.7], theta])
    target = features.moment(u, np.ones(3))
    return Functional(features, SquaredLoss(target, scale=0.1), regularizer.AbsWeight(strength))


def spike_cloud(m=40):
    return ParticleCloud(np.column_stack([0.01 * np.ones(m), (np.arange(m) + 0.4) / m]))


def test_periodic_coordinates_are_wrapped_and_change_nothing():
    F = spikes()
    torus = Box([-5.0, 0.0], [5.0, 1.0], periodic=(False, True))
    cloud = spike_cloud()
    wrapped = ParticleFlow(F, torus, dt=0.02).run(cloud, 2.0).final.points
    free = ParticleFlow(F, Box([-5.0, -9.0], [5.0, 9.0]), dt=0.02).run(cloud, 2.0).final.points
    assert np.any(free[:, 1] != wrapped[:, 1])
    assert np.all((wrapped[:, 1] >= 0.0) & (wrapped[:, 1] < 1.0))
    assert torus.difference(wrapped, free) == pytest.approx(np.zeros_like(free), abs=1e-11)


def test_automatic_steps_obey_the_tolerance():
    F, cloud = spikes(), spike_cloud()
    torus = Box([-5.0, 0.0], [5.0, 1.0], periodic=(False, True))
    reference = ParticleFlow(F, torus, tolerance=1e-7).run(cloud, 0.5).final.points
    errors, steps = [], []
    for tolerance in (1e-3, 1e-4, 1e-5):
        trajectory = ParticleFlow(F, torus, tolerance=tolerance).run(cloud, 0.5)
        errors.append(np.sqrt(np.mean(torus.difference(trajectory.final.points, reference) ** 2)))
        steps.append(trajectory.steps)
    assert np.all(np.array(errors) < 20.0 * np.array([1e-3, 1e-4, 1e-5]))
    assert np.all(np.diff(errors) < 0.0)
    assert np.all(np.diff(steps) >= 0)


@pytest.mark.parametrize("integrator", ["forward-backward", "forward-backward-2"])
def test_a_step_that_raises_the_energy_is_halved(integrator):
    F, cloud = spikes(), spike_cloud()
    trajectory = ParticleFlow(F, None, integrator, dt=3.0).run(cloud, 9.0)
    assert trajectory.diagnostics["rejected_steps"] > 0
    assert np.diff(trajectory.energy).max() <= 1e-13 * trajectory.energy[0]
    assert trajectory.energy[-1] < 0.3 * trajectory.energy[0]


@pytest.mark.parametrize("m", [1, 2, 7, 50])
def test_energy_never_rises_for_any_number_of_particles(m):
    F = kinked_problem(regularizer.WeightTimesNorm(0.1))
    cloud = ParticleCloud(2.0 * np.random.default_rng(m).standard_normal((m, 3)))
    trajectory = ParticleFlow(F).run(cloud, 3.0)
    assert np.diff(trajectory.energy).max() <= 1e-13 * trajectory.energy[0]


def test_a_gradient_that_does_not_belong_to_its_function_is_noticed():
    features = CallableFeatures(lambda u: u, lambda u: -np.tile(np.eye(2), (len(u), 1, 1)), size=2)
    F = Functional(features, SquaredLoss([1.0, 0.0]), regularizer.Zero())
    with pytest.raises(WassflowError, match=r"F rises from .* however short the step"):
        ParticleFlow(F).run(ParticleCloud([[0.0, 0.0]]), 1.0)


def test_save_times_are_hit_exactly_and_the_start_is_kept_on_request():
    exact = WeightAbsorption()
    cloud = ParticleCloud(random_points(exact.domain, 10))
    saves = [0.0, 0.1, 1 / 3, 0.7]
    for dt in (None, 0.09):
        trajectory = ParticleFlow(exact.functional, exact.domain, dt=dt).run(cloud, 1.0, save=saves)
        assert trajectory.saved_times == [*saves, 1.0]
        assert set(trajectory.saved_times) <= set(trajectory.times)
        assert np.array_equal(trajectory.at(0.0).points, cloud.points)
        for t, measure in zip(trajectory.saved_times, trajectory.measures, strict=True):
            assert measure.points == pytest.approx(exact.flow_map(t, cloud.points), abs=1e-14)
        assert np.diff(trajectory.times).min() > 0.005


def test_default_integrators():
    assert ParticleFlow(smooth_problem()).integrator == "rk45"
    assert ParticleFlow(spikes()).integrator == "forward-backward-2"
    assert ParticleFlow(spikes(strength=0.0)).integrator == "rk45"


def test_a_users_kink_away_from_zero_is_met_exactly():
    """V = |w - 1/2|, given by value, prox and velocity."""

    def prox(u, step):
        w = u[:, 0] - 0.5
        return np.column_stack([0.5 + np.sign(w) * np.maximum(np.abs(w) - step, 0.0), u[:, 1:]])

    def velocity(u, vt):
        force = np.where(u[:, 0] == 0.5, np.clip(vt[:, 0], -1.0, 1.0), np.sign(u[:, 0] - 0.5))
        return vt - np.column_stack([force, np.zeros(len(u))])

    V = regularizer.Callable(lambda u: np.abs(u[:, 0] - 0.5), prox=prox, velocity=velocity)
    F = Functional(MeanFeatures(2), SquaredLoss([0.0, 0.0], scale=0.0), V)
    trajectory = ParticleFlow(F).run(ParticleCloud([[0.0, 1.0], [0.9, 1.0], [-0.7, 0.0]]), 1.0)
    assert trajectory.final.points[:, 0] == pytest.approx([0.5, 0.5, 0.3], abs=1e-14)
    assert trajectory.final.points[0, 0] == 0.5


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda F: ParticleFlow(F, integrator="leapfrog"), "integrator must be one of 'euler', 'rk2', 'rk4'"),
        (
            lambda F: ParticleFlow(F, integrator="rk4"),
            "integrator must be 'forward-backward'.*AbsWeight.*'rk4'",
        ),
        (lambda F: ParticleFlow(F, dt=0.0), "dt must be a finite number, above 0"),
        (lambda F: ParticleFlow(F, tolerance=-1.0), "tolerance must be a finite number, above 0"),
        (lambda F: ParticleFlow("F"), "functional must be a Functional, found str"),
        (lambda F: ParticleFlow(F, "box"), "domain must be a Domain or None, found str"),
        (lambda F: ParticleFlow(F, Box([0.0], [1.0])), "domain must have dimension 2, found 1"),
        (
            lambda F: ParticleFlow(F, Box([0, 0], [1, 1])).run(ParticleCloud([[2.0, 0.5], [0.5, 0.5]]), 1.0),
            "found 1 particles outside",
        ),
        (
            lambda F: ParticleFlow(F).run(ParticleCloud([[2.0, 0.5, 0.0]]), 1.0),
            "cloud must have the dimension of the functional, 2, found 3",
        ),
        (lambda F: ParticleFlow(F).run(ParticleCloud([[2.0, 0.5]]), -1.0), "t_end"),
        (lambda F: ParticleFlow(F).run(ParticleCloud([[2.0, 0.5]]), 1.0, save=[2.0]), "save"),
    ],
)
def test_refusals(build, message):
    with pytest.raises(ValueError, match=message):
        build(spikes())


PARALLEL = """
import sys
import numpy as np
from mpi4py import MPI
from wassflow import Box, Functional, ParticleCloud, ParticleFlow, SpikeFeatures, SquaredLoss, regularizer

comm = MPI.COMM_WORLD
features = SpikeFeatures("dirichlet", 5)
target = features.moment(np.array([[1.0, 0.02], [-1.0, 0.35], [0.7, 0.8]]), np.ones(3))
F = Functional(features, SquaredLoss(target, scale=0.1), regularizer.AbsWeight(0.02))
torus = Box([-5.0, 0.0], [5.0, 1.0], periodic=(False, True))
rng = np.random.default_rng(0)
results = {}
for m in (2, 40):
    cloud = ParticleCloud(np.column_stack([0.2 * rng.standard_normal(m), rng.random(m)])).distribute(comm)
    trajectory = ParticleFlow(F, torus, tolerance=1e-4).run(cloud, 0.1, save=[0.05])
    for name in ("times", "energy", "dissipation", "moments"):
        results[f"{name} {m}"] = getattr(trajectory, name)
    results[f"dissipated {m}"] = trajectory.diagnostics["dissipated"]
    results[f"points {m}"] = np.array([measure.gather().points for measure in trajectory.measures])
if comm.rank == 0:
    np.savez(sys.argv[1], **results)
"""


def test_ranks_give_the_serial_result(tmp_path):
    """On a torus with a kink, in steps chosen by the flow; of 2 particles on 3 ranks one rank has none."""
    script = tmp_path / "run.py"
    script.write_text(PARALLEL)
    mpiexec = Path(sys.executable).parent / "mpiexec"
    results = []
    for ranks in (1, 3):
        out = tmp_path / f"{ranks}.npz"
        command = [mpiexec, "-n", str(ranks), sys.executable, script, out]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        results.append(np.load(out))
    serial, distributed = results
    assert len(serial.files) == 12
    for name in serial.files:
        assert distributed[name] == pytest.approx(serial[name], abs=1e-12), name
