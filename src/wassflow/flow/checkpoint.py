"""Trajectories in npz files: written whole or not at all, read on any number of ranks."""

import json
import os
import tempfile
from os import PathLike
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from mpi4py import MPI
from numpy.typing import NDArray

from wassflow.errors import WassflowError
from wassflow.flow.trajectory import Trajectory
from wassflow.measure import MeshDensity, ParticleCloud

_FORMAT = "wassflow trajectory 1"
_SERIES = ("times", "energy", "dissipation", "moments")


def write_npz(path: str | PathLike[str], arrays: dict[str, Any]) -> None:
    """Write ``arrays`` to ``path`` through a temporary file beside it, so that no reader sees half a file.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_npz(folder / "a.npz", {"x": np.arange(3)})
    >>> [entry.name for entry in folder.iterdir()]
    ['a.npz']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name + ".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            np.savez(stream, allow_pickle=False, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def write_trajectory(path: str | PathLike[str], trajectory: Trajectory) -> None:
    """Write a trajectory; see :meth:`Trajectory.save`."""
    measures = trajectory.measures
    comm = _communicator(measures[0]) if measures else MPI.COMM_SELF
    contents: dict[str, NDArray[Any]] = {name: getattr(trajectory, name) for name in _SERIES}
    contents["saved_times"] = np.array(trajectory.saved_times)
    for i, measure in enumerate(measures):
        contents |= {f"measure{i}.{name}": array for name, array in _whole(measure).items()}
    plain = {}
    for name, value in trajectory.diagnostics.items():
        if isinstance(value, np.ndarray):
            contents[f"diagnostics.{name}"] = value
        else:
            plain[name] = value.item() if isinstance(value, np.generic) else value
    contents["header"] = np.array(json.dumps({"format": _FORMAT, "diagnostics": plain}))
    failure: str | None = None
    if comm.rank == 0:
        try:
            write_npz(path, contents)
        except OSError as error:
            failure = str(error)
    # Every rank must learn of a full disk, or the others would go on as if the file existed.
    failure = comm.bcast(failure, root=0)
    if failure is not None:
        raise WassflowError(f"the trajectory could not be written to {path}: {failure}")


def read_trajectory(
    path: str | PathLike[str], *, mesh: Any = None, comm: MPI.Comm | None = None
) -> Trajectory:
    """Read a trajectory; see :meth:`Trajectory.load`."""
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as file:
            contents = dict(file)
        header = json.loads(str(contents["header"]))
        if header["format"] != _FORMAT:
            raise KeyError("format")
    except FileNotFoundError:
        raise
    except (KeyError, ValueError, OSError, EOFError, BadZipFile) as error:
        raise WassflowError(f"{path} is not a trajectory of this version ({_FORMAT}): {error}") from None
    prefix = "diagnostics."
    arrays = {name[len(prefix) :]: value for name, value in contents.items() if name.startswith(prefix)}
    count = contents["saved_times"].size
    return Trajectory(
        **{name: contents[name] for name in _SERIES},
        saved_times=[float(t) for t in contents["saved_times"]],
        measures=[_measure(contents, f"measure{i}.", mesh, comm) for i in range(count)],
        diagnostics=header["diagnostics"] | arrays,
    )


def _communicator(measure: Any) -> MPI.Comm:
    """The ranks that hold a measure together."""
    comm = measure.mesh.comm if isinstance(measure, MeshDensity) else measure.comm
    return MPI.COMM_SELF if comm is None else comm


def _whole(measure: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a measure, from all ranks and in an order that does not depend on them; collective."""
    if isinstance(measure, MeshDensity):
        return {"masses": measure.mesh.gather(measure.masses)}
    whole = measure.gather()
    return {"points": whole.points, "weights": whole.weights}


def _measure(contents: dict[str, NDArray[Any]], prefix: str, mesh: Any, comm: MPI.Comm | None) -> Any:
    """The measure stored under ``prefix``: this rank's part of it."""
    if prefix + "masses" not in contents:
        cloud = ParticleCloud(contents[prefix + "points"], contents[prefix + "weights"])
        return cloud if comm is None else cloud.distribute(comm)
    masses = contents[prefix + "masses"]
    if mesh is None:
        raise ValueError("mesh must be the mesh of the run, to read its densities; found None")
    if mesh.num_cells_global != masses.size:
        raise ValueError(f"mesh must have the {masses.size} cells of the run, found {mesh.num_cells_global}")
    return MeshDensity(mesh, masses[mesh.original_cell_index[: mesh.num_owned]])
