"""What a density does at one instant: its velocity, its rates of change, and how long a step may be."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wassflow.arguments import Array
from wassflow.errors import WassflowError
from wassflow.flow.cached_fluxes import CachedFluxes, leave_cache
from wassflow.flow.cell_quadrature import CellQuadrature, CentroidQuadrature, FaceQuadrature
from wassflow.flow.face_sums import faces_with_mass
from wassflow.flow.face_velocity import FaceVelocity
from wassflow.flow.muscl import MusclTransport
from wassflow.flow.reconstruction import Limiter, LinearReconstruction
from wassflow.flow.stage import stage_masses
from wassflow.flow.threads import threads_on
from wassflow.flow.upwind import Change, UpwindTransport
from wassflow.functional import FirstVariation, Functional
from wassflow.functional.evaluation import FixedPoints, over_rows

# The positivity bound dt * outflow <= 1, less the rounding errors of the outflow of a cell and the 1e-12 by
# which a step may be stretched to hit a save time: a full step empties a cell without going below zero, and
# no mass is put back.
_FULL_OUTFLOW = 1.0 - 2e-12
# Share of int |v|^2 dmu that "pointwise" velocities are trusted to gain. Where the scheme gains less, at rest
# on its own terms, steps limited by that gain would shrink to nothing (seen in 3 of 12 random problems);
# 1/100 costs no more steps than 1/2 and lets F_h rise a hundred times less.
_LEAST_DESCENT = 0.01
# Masses below this share of the whole are dropped: products of such numbers lose their relative accuracy, on
# which positivity rests, and arithmetic with subnormal numbers is slow. The mass of the whole, known to 1e-16
# of itself, does not notice.
_LEAST_MASS = 1e-300


@dataclass(frozen=True, slots=True)
class CellMasses:
    """Masses of owned and ghost cells and what F knows of them.

    Attributes:
        masses: (cells,).
        moment: int Phi dmu, (N,).
        regularization: int V dmu.
        everywhere: whether fluxes are wanted at all faces: all cells have mass, or may get some in a step.
        slopes: of the density in each cell, (cells, d); None where the scheme has none.
    """

    masses: Array
    moment: Array
    regularization: float
    everywhere: bool
    slopes: Array | None = None


@dataclass(frozen=True, slots=True)
class State:
    """A density and how it changes.

    Attributes:
        cells: the density.
        rate: dm/dt of the owned cells.
        moment_rate, regularization_rate: the same of int Phi dmu and int V dmu.
        energy_rate: the same of F_h.
        descent: the loss of energy per time that steps may count on.
        curvature: a bound of d^2 F_h / dt^2 along the rate.
        dissipation: int |v|^2 dmu.
        outflow: the largest share of its mass that a cell loses per unit time.
        mass: of all cells.
    """

    cells: CellMasses
    rate: Array
    moment_rate: Array
    regularization_rate: float
    energy_rate: float
    descent: float
    curvature: float
    dissipation: float
    outflow: float
    mass: float

    def positivity_bound(self) -> float:
        """The longest explicit step that leaves no negative mass."""
        return _FULL_OUTFLOW / self.outflow if self.outflow > 0.0 else np.inf

    def steepest_step(self) -> float:
        """The step s that minimises -s descent + s^2/2 curvature; at twice this step the decay is used up."""
        return self.descent / self.curvature if self.curvature > 0.0 else np.inf


class DensityScheme(ABC):
    """Finite volumes for dm/dt = -div(v m), v the velocity of F, on the cells of a mesh.

    Args:
        functional: F.
        mesh: a :class:`wassflow.mesh.Mesh`.
        velocity: v.n on its faces.
        quadrature: where F looks at a density.

    Attributes:
        fluxes: |f| v.n of the faces, as last evaluated; zero between cells without mass.
        active_faces, seen_faces: counts of faces at which the velocity was evaluated, and of all.
        steepest_share: what share of the steepest step a step may take.
    """

    steepest_share = 1.0

    def __init__(
        self, functional: Functional, mesh: Any, velocity: FaceVelocity, quadrature: CellQuadrature
    ) -> None:
        self.functional = functional
        self.mesh = mesh
        self.velocity = velocity
        self.active_faces = self.seen_faces = 0
        self._threads = threads = threads_on(mesh)
        centroids = mesh.centroids[: mesh.num_owned]
        self._at_centroids = self._at_nodes = FixedPoints(functional.features, centroids, threads)
        self._potential = self._node_potential = self._regularizer(centroids, "cell centroids")
        self._quadrature = quadrature
        if not isinstance(quadrature, CentroidQuadrature):
            self._at_nodes = FixedPoints(functional.features, quadrature.points, threads)
            self._node_potential = self._regularizer(quadrature.points, "quadrature nodes")
        self.fluxes = np.zeros(len(mesh.face_cells))
        self._all_faces = np.arange(len(mesh.face_cells))
        self._active = np.empty_like(self._all_faces)
        self._least_mass = 0.0

    def start(self, masses: Array) -> CellMasses:
        """Return the density with masses ``(num_owned,)``; collective."""
        cells = np.zeros(self.mesh.num_cells)
        cells[: self.mesh.num_owned] = masses
        self._least_mass = _LEAST_MASS * float(self.mesh.allsum(float(masses.sum())))
        cells = self.mesh.halo.update(cells)
        return self.look(cells, bool(np.all(cells > 0.0)))

    def look(self, masses: Array, everywhere: bool = False) -> CellMasses:
        """Return what F knows of masses with ghosts, of all cells if that is known; collective."""
        slopes = self._slopes(masses)
        nodes = self._quadrature.masses(masses, slopes)
        total = self.mesh.allsum(np.append(self._at_nodes.moment(nodes), self._node_potential @ nodes))
        return CellMasses(masses, total[:-1], float(total[-1]), everywhere, slopes)

    def state(self, cells: CellMasses, rate: Array) -> State:
        """Evaluate velocity and rates of change, with a single sum over the ranks; ``rate`` is written to."""
        mesh, features, masses = self.mesh, self.functional.features, cells.masses
        variation = self.functional.linearize(cells.moment)
        faces = self._all_faces if cells.everywhere else self._faces_with_mass(masses)
        self.active_faces += faces.size
        self.seen_faces += self._active.size
        if faces.size < self.fluxes.size:
            self.fluxes[:] = 0.0
        change = self._evaluate(variation, cells, faces, rate)
        # One reduction: sums first, then one slot per rank for the largest outflow.
        size = features.size
        packed = np.zeros(size + 3 + mesh.comm.size)
        packed[:size] = self._at_centroids.moment(rate)
        packed[size : size + 3] = change.potential_rate, change.dissipation, change.mass
        packed[size + 3 + mesh.comm.rank] = change.outflow
        packed = mesh.allsum(packed)
        outflow = float(packed[size + 3 :].max())
        if not np.isfinite(outflow):
            self._refuse_velocity(variation, faces)
        moment_rate, regularization_rate = packed[:size], float(packed[size])
        dissipation = float(packed[size + 1])
        energy_rate = self._energy_rate(variation, moment_rate, regularization_rate, dissipation)
        return State(
            cells=cells,
            rate=rate,
            moment_rate=moment_rate,
            regularization_rate=regularization_rate,
            energy_rate=energy_rate,
            descent=max(-energy_rate, _LEAST_DESCENT * dissipation),
            curvature=self.functional.loss.curvature(moment_rate),
            dissipation=dissipation,
            outflow=outflow,
            mass=float(packed[size + 2]),
        )

    def moment(self, masses: Array) -> Array:
        """Return int Phi dm of masses, or changes of masses, of the owned cells at their centroids, (N,);
        collective."""
        return self.mesh.allsum(self._at_centroids.moment(masses))

    def _faces_with_mass(self, masses: Array) -> NDArray[np.int64]:
        return self._active[: faces_with_mass(self.mesh.face_cells, masses, self._active)]

    @abstractmethod
    def longest_stage(self, state: State) -> float:
        """The longest step that a stage of a Runge-Kutta method may take from ``state``."""

    @abstractmethod
    def stage(self, start: CellMasses, state: State, dt: float, share: float) -> CellMasses:
        """Return (1 - share) start + share (state + dt rate); collective."""

    def _stage_masses(self, start: CellMasses, state: State, dt: float, share: float) -> tuple[Array, bool]:
        """Return the masses (with ghosts) of :meth:`stage`, and whether all of them are positive."""
        masses = np.empty_like(start.masses)
        before, now, rate = start.masses, state.cells.masses, state.rate

        def work(part: slice) -> int:
            given = (before[part], now[part], rate[part], masses[part])
            return stage_masses(*given, share, dt, self._least_mass)

        empty = sum(over_rows(work, rate.size, self._threads))
        masses = self.mesh.halo.update(masses)
        return masses, empty == 0 and bool(np.all(masses[rate.size :] > 0.0))

    def _slopes(self, masses: Array) -> Array | None:
        """Return the slopes of the density in all cells, or None."""
        return None

    def _evaluate(
        self, variation: FirstVariation, cells: CellMasses, faces: NDArray[np.int64], rate: Array
    ) -> Change:
        """Set the fluxes, write dm/dt to ``rate`` and return this rank's part of what goes with it.

        The outflow is nan if a velocity is not finite.
        """
        if faces.size and self.velocity.fluxes(variation, faces, self.fluxes):
            return self._change(cells, faces, rate)
        rate[:] = 0.0
        return Change(np.nan if faces.size else 0.0, float(cells.masses[: rate.size].sum()))

    @abstractmethod
    def _change(self, cells: CellMasses, faces: NDArray[np.int64], rate: Array) -> Change:
        """Write dm/dt for the volume fluxes that are set to ``rate``; return this rank's part of the rest."""

    def _energy_rate(
        self, variation: FirstVariation, moment_rate: Array, regularization_rate: float, dissipation: float
    ) -> float:
        return float(variation.slope @ moment_rate) + regularization_rate

    def _regularizer(self, points: Array, where: str) -> Array:
        """Return V at ``points``, finite on all ranks."""
        values = self.functional.regularizer.value(points)
        if self.mesh.allmin(float(np.all(np.isfinite(values)))) == 0.0:
            raise WassflowError(f"the regularizer V must be finite at all {where} of the mesh")
        return values

    def _refuse_velocity(self, variation: FirstVariation, faces: NDArray[np.int64]) -> None:
        """Report a velocity that is not finite, from all ranks."""
        self.velocity.fluxes(variation, faces, self.fluxes)
        wrong = faces[~np.isfinite(self.fluxes[faces])]
        where = f" at {self.mesh.face_midpoints[wrong[0]].tolist()}" if wrong.size else ""
        raise WassflowError(
            f"the velocity is not finite{where}: features, loss or regularizer overflow on the mesh"
            " or are not defined there"
        )


class UpwindScheme(DensityScheme):
    """First order; moments are linear in the masses and are carried along by their rates.

    Args:
        functional: F.
        mesh: a :class:`wassflow.mesh.Mesh`.
        velocity: v.n on its faces.
        keeps_fluxes: whether ``fluxes`` and the rates of the transport are asked for after an evaluation.
    """

    def __init__(
        self, functional: Functional, mesh: Any, velocity: FaceVelocity, keeps_fluxes: bool = True
    ) -> None:
        super().__init__(functional, mesh, velocity, CentroidQuadrature(mesh))
        self.transport = UpwindTransport(mesh, threads_on(mesh))
        self._cached: CachedFluxes | None = None
        if not keeps_fluxes and leave_cache(velocity):
            self._cached = CachedFluxes(velocity, self.transport, threads_on(mesh))

    def longest_stage(self, state: State) -> float:
        """Decay holds up to twice the steepest step, positivity up to a full outflow, whatever cfl is."""
        return min(state.positivity_bound(), 2.0 * state.steepest_step())

    def stage(self, start: CellMasses, state: State, dt: float, share: float) -> CellMasses:
        """Return (1 - share) start + share (state + dt rate), without a sum over the ranks."""
        moment = state.cells.moment + dt * state.moment_rate
        regularization = state.cells.regularization + dt * state.regularization_rate
        masses, everywhere = self._stage_masses(start, state, dt, share)
        return CellMasses(
            masses,
            (1.0 - share) * start.moment + share * moment,
            (1.0 - share) * start.regularization + share * regularization,
            everywhere,
        )

    def _evaluate(
        self, variation: FirstVariation, cells: CellMasses, faces: NDArray[np.int64], rate: Array
    ) -> Change:
        if cells.everywhere and faces.size and self._cached is not None:
            return self._cached.change(variation, self._potential, cells.masses, rate)
        return super()._evaluate(variation, cells, faces, rate)

    def _change(self, cells: CellMasses, faces: NDArray[np.int64], rate: Array) -> Change:
        velocity, transport, masses = self.velocity, self.transport, cells.masses
        change = transport.change(self.fluxes, velocity.values, self._potential, masses, rate)
        if velocity.decays_energy:
            return replace(change, dissipation=velocity.dissipation(transport, masses))
        return change

    def _energy_rate(
        self, variation: FirstVariation, moment_rate: Array, regularization_rate: float, dissipation: float
    ) -> float:
        if self.velocity.decays_energy:
            # The same number without cancellation: near rest, where it is a difference of large terms.
            return -dissipation
        return super()._energy_rate(variation, moment_rate, regularization_rate, dissipation)


class MusclScheme(DensityScheme):
    """Second order: a linear reconstruction that the fluxes see, and F too at the nodes on faces.

    Where the moments come to rest, mass moves by less than a cell in the time 1/lambda in which they do, and
    positivity no longer limits the steps. The steepest step is about 1/lambda: there three stages turn
    exp(-1) into 1/3, an error of the size of what is left to go, O(h). A quarter of it makes that error 80
    times smaller.
    """

    steepest_share = 0.25

    def __init__(
        self,
        functional: Functional,
        mesh: Any,
        velocity: FaceVelocity,
        limiter: Limiter = "positivity",
        quadrature: str = "faces",
        curved: bool = False,
    ) -> None:
        threads = threads_on(mesh)
        rule = FaceQuadrature(mesh, threads) if quadrature == "faces" else CentroidQuadrature(mesh)
        super().__init__(functional, mesh, velocity, rule)
        self.transport = MusclTransport(mesh, curved and limiter == "positivity", threads)
        self._reconstruction = LinearReconstruction(mesh, limiter, threads)

    def longest_stage(self, state: State) -> float:
        """Positivity alone: the energy is not known to fall."""
        return state.positivity_bound()

    def stage(self, start: CellMasses, state: State, dt: float, share: float) -> CellMasses:
        """Return (1 - share) start + share (state + dt rate), with new slopes and moments."""
        return self.look(*self._stage_masses(start, state, dt, share))

    def _slopes(self, masses: Array) -> Array | None:
        return self._reconstruction.slopes(masses)

    def _change(self, cells: CellMasses, faces: NDArray[np.int64], rate: Array) -> Change:
        assert cells.slopes is not None
        masses, slides = cells.masses, self.velocity.slides()
        outflow = self.transport.set_fluxes(self.fluxes, slides, masses, cells.slopes, faces, rate)
        return Change(
            outflow=outflow,
            mass=float(masses[: self.mesh.num_owned].sum()),
            dissipation=self.velocity.dissipation(self.transport, masses),
            potential_rate=float(self._potential @ rate),
        )
