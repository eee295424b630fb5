"""What a flow leaves behind: time series at every step and measures at the saved times."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from wassflow.arguments import as_number, as_vector

Array = NDArray[np.float64]

# Two times closer than this, relative to the longest time, are the same time.
_SAME_TIME = 1e-12


@dataclass(eq=False)
class Trajectory:
    """A gradient flow as it was computed, from ``t = 0`` to ``t_end``.

    Attributes
    ----------
    times : (nt,) times of all steps, ``times[0] == 0``
    energy : (nt,) F at these times
    dissipation : (nt,) the rate at which the flow dissipates energy, int |v|^2 dmu (how each flow
        evaluates it is said in the flow's docstring)
    moments : (nt, N) int Phi dmu
    saved_times : the times whose measures are kept, increasing; the last one is ``t_end``
    measures : the measures at ``saved_times`` (of this rank, when the run is distributed)
    diagnostics : numbers, strings and arrays that the flow reports about itself

    >>> import numpy as np
    >>> decay = np.exp(-np.linspace(0.0, 1.0, 101))
    >>> traj = Trajectory(np.linspace(0.0, 1.0, 101), decay, decay, decay[:, None])
    >>> traj.steps
    100
    >>> bool(np.abs(traj.energy_balance()).max() < 1e-5)
    True
    """

    times: Array
    energy: Array
    dissipation: Array
    moments: Array
    saved_times: list[float] = field(default_factory=list)
    measures: list[Any] = field(default_factory=list)
    diagnostics: dict[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """The number of time steps."""
        return self.times.size - 1

    @property
    def final(self) -> Any:
        """The measure at ``t_end``."""
        return self.measures[-1]

    def at(self, t: float) -> Any:
        """Return the measure saved at time ``t``; ``ValueError`` lists the saved times when there is none."""
        t = as_number("t", t)
        tolerance = _SAME_TIME * max(abs(t), *(abs(s) for s in self.saved_times), 0.0)
        for saved, measure in zip(self.saved_times, self.measures, strict=True):
            if abs(saved - t) <= tolerance:
                return measure
        listed = ", ".join(f"{s:g}" for s in self.saved_times)
        raise ValueError(f"t must be one of the saved times {listed}, found {t:g}")

    def energy_balance(self) -> Array:
        """Residual (nt,) of F(t) - F(0) + int_0^t dissipation ds = 0, by the trapezoidal rule.

        Energy identity of Wasserstein gradient flows: Ambrosio, Gigli, Savare, *Gradient Flows* (2008),
        Theorem 11.1.3. Positive where energy was lost more slowly than the dissipation says.
        """
        spent = 0.5 * np.diff(self.times) * (self.dissipation[1:] + self.dissipation[:-1])
        return self.energy - self.energy[0] + np.concatenate(([0.0], np.cumsum(spent)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the trajectory to the npz file ``path``, whole or not at all (collective in parallel).

        Densities are stored in the input numbering of the cells, so that any number of ranks can read them.
        """
        from wassflow.flow.checkpoint import write_trajectory

        write_trajectory(path, self)

    @classmethod
    def load(
        cls, path: str | PathLike[str], *, mesh: Any = None, comm: MPI.Comm | None = None
    ) -> "Trajectory":
        """Read what :meth:`save` wrote.

        ``mesh`` is needed for densities: the mesh of the run (same cells; any number of ranks). ``comm``
        distributes clouds over its ranks; None keeps them whole.
        """
        from wassflow.flow.checkpoint import read_trajectory

        return read_trajectory(path, mesh=mesh, comm=comm)


class TrajectoryRecorder:
    """Collect a trajectory step by step.

    >>> recorder = TrajectoryRecorder(SaveTimes([0.0], t_end=1.0))
    >>> recorder.record(0.0, energy=1.0, dissipation=2.0, moment=[0.5], measure=lambda: "start")
    >>> recorder.record(1.0, energy=0.5, dissipation=0.0, moment=[0.1], measure=lambda: "end")
    >>> recorder.finish(scheme="none").measures
    ['start', 'end']
    """

    def __init__(self, save_times: "SaveTimes") -> None:
        self._save_times = save_times
        self._times: list[float] = []
        self._energy: list[float] = []
        self._dissipation: list[float] = []
        self._moments: list[Array] = []
        self._saved_times: list[float] = []
        self._measures: list[Any] = []

    @property
    def steps(self) -> int:
        """The number of steps recorded so far."""
        return len(self._times) - 1

    def record(
        self, t: float, *, energy: float, dissipation: float, moment: Any, measure: Any, last: bool = False
    ) -> None:
        """Append one time; ``measure()`` is called, and its result kept, at save times and at the
        ``last``."""
        self._times.append(t)
        self._energy.append(energy)
        self._dissipation.append(dissipation)
        self._moments.append(np.array(moment, dtype=np.float64))
        if last or self._save_times.wanted(t):
            self._saved_times.append(t)
            self._measures.append(measure())

    def finish(self, **diagnostics: Any) -> Trajectory:
        """Return the trajectory."""
        return Trajectory(
            times=np.array(self._times),
            energy=np.array(self._energy),
            dissipation=np.array(self._dissipation),
            moments=np.array(self._moments),
            saved_times=self._saved_times,
            measures=self._measures,
            diagnostics=diagnostics,
        )


class SaveTimes:
    """The times that a run must hit exactly: those in ``save``, and ``t_end``.

    Raises ``ValueError`` when ``t_end`` is not positive or a save time lies outside [0, t_end].

    >>> times = SaveTimes([0.0, 0.5], t_end=1.0)
    >>> times.shorten(0.0, 0.4)   # half of what is left, instead of a tiny last step
    (0.25, 0.25)
    >>> times.shorten(0.25, 0.4)  # lands on the save time, bit for bit
    (0.25, 0.5)
    """

    def __init__(self, save: Iterable[float] | None, t_end: float) -> None:
        self.t_end = as_number("t_end", t_end, above=0.0)
        times = as_vector("save", [] if save is None else [float(t) for t in save])
        tolerance = _SAME_TIME * self.t_end
        if times.size and (times.min() < 0.0 or times.max() > self.t_end + tolerance):
            found = times.min() if times.min() < 0.0 else times.max()
            raise ValueError(f"save must hold times in [0, t_end] = [0, {self.t_end:g}], found {found:g}")
        targets: list[float] = []
        for t in np.sort(times):
            if t < self.t_end - tolerance and (not targets or t > targets[-1] + tolerance):
                targets.append(float(t) if t > tolerance else 0.0)
        self._targets = [*targets, self.t_end]

    def __iter__(self) -> Iterator[float]:
        return iter(self._targets)

    def wanted(self, t: float) -> bool:
        """Whether ``t`` is one of the times, exactly."""
        return t in self._targets

    def next(self, t: float) -> float:
        """The first of the times that comes after ``t``."""
        return next(target for target in self._targets if target > t)

    def shorten(self, t: float, dt: float) -> tuple[float, float]:
        """Return (step, time after it), with ``step <= dt (1 + 1e-12)`` and no save time jumped over.

        A step that would leave a short remainder is halved, so that steps do not degenerate before a
        save time. The time after the step is the save time itself, free of rounding, when it is hit.
        """
        target = self.next(t)
        left = target - t
        if left <= dt * (1.0 + _SAME_TIME):
            return left, target
        step = 0.5 * left if left < 2.0 * dt else dt
        return step, t + step

    def after(self, t: float, dt: float) -> float:
        """The time after a step ``dt`` that jumps over no save time: the save time itself, when it is hit."""
        target = self.next(t)
        return target if dt >= (target - t) * (1.0 - _SAME_TIME) else t + dt
