"""Rebuild the .msh files of this folder from their .geo files, and check each as wassflow reads it.

    pip install gmsh        # or: pip install "wassflow[gmsh]"
    python meshes/build.py [NAME ...]

The meshes are part of the project: only who changes a geometry needs gmsh.
"""

import argparse
import os
import tempfile
from pathlib import Path

import wassflow as wf

FOLDER = Path(__file__).resolve().parent

LIBRARIES = """gmsh cannot be loaded: {reason}
It needs the Python package and a few system libraries, on Debian and Ubuntu
    pip install gmsh
    apt-get install libglu1-mesa libxcursor1 libxft2 libxi6 libxinerama1 libxrender1"""


def build(geometry: Path) -> Path:
    """Mesh one geometry and return the path of the .msh file, which is replaced only if the mesh passes its
    checks.
    """
    try:
        import gmsh
    except (ImportError, OSError) as error:  # the wheel loads libgmsh at import
        raise SystemExit(LIBRARIES.format(reason=error)) from None

    target = geometry.with_suffix(".msh")
    gmsh.initialize(interruptible=False)
    try:
        gmsh.option.setNumber("General.Terminal", 0)
        gmsh.option.setNumber("General.NumThreads", 1)  # the same mesh at each run
        gmsh.open(str(geometry))
        gmsh.model.mesh.generate(gmsh.model.getDimension())
        with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
            fresh = Path(folder) / target.name
            gmsh.write(str(fresh))
            mesh = wf.mesh.read(fresh)
            mesh.check()
            os.replace(fresh, target)
    finally:
        gmsh.finalize()
    print(f"{target.name}: {mesh}, {target.stat().st_size // 1024} KiB")
    return target


def main() -> None:
    """Build the meshes named on the command line, or all of them."""
    geometries = sorted(FOLDER.glob("*.geo"))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="one of " + ", ".join(g.stem for g in geometries)
    )
    names = parser.parse_args().names or [geometry.stem for geometry in geometries]
    for name in names:
        geometry = FOLDER / f"{name}.geo"
        if geometry not in geometries:
            parser.error(f"NAME must be one of {', '.join(g.stem for g in geometries)}, found {name}")
        build(geometry)


if __name__ == "__main__":
    main()
