"""Sampling laws: E W2^2 between m independent particles and the uniform law they are drawn from.

Found against expected, with the standard error over the seeds; exits with 1 if a law is missed. On the unit
square and the flat torus m E W2^2 - ln m / 4 pi tends to a constant (Ambrosio, Stra and Trevisan, Probab.
Theory Relat. Fields 173 (2019), for the leading term); in the cube m^(2/3) E W2^2 does. The expected values
are those of independent codes at the same m, with bands that allow for their errors. ``--quick`` takes 30
seeds, and adds three standard errors to the bands.

The cube's target .57 (from an independent code: .576(13) at m = 216, .579(13) at 64) seems too high by about
.03. Seeds 0 to 399 give .5425(24), seeds 1000 to 1399 .5423(26), 200 seeds .5626(50) at m = 64. POT's exact
solver between the particles and the centres or the vertices of k^3 boxes, which lie below and above the
uniform law in the convex order, bounds W2 seed by seed: over the first 40 seeds the mean lies in [.480,
.573] by k = 16, ours is .541(7); over the first 12 in [.506, .548] by k = 24, ours .534(9). Small samples
are not the reason either, for on the torus, where the scatter is a third, ours are .388(2), .400(2), .408(1)
at m = 64, 125, 216 against .415(5), .425(3), .439(3). Why is not known. A constant surplus of .03 is what a
law contracted to some twenty centroids per particle would show when the cost r^2 of the contraction is added
(16^3 centres at m = 216: .583(9) cube, .450(3) torus); it vanishes as these get finer. The band contains
both.

    python validation/sampling_laws.py --quick
    python validation/sampling_laws.py --seeds 400
"""

import argparse
import sys
from dataclasses import dataclass

import numpy as np

import wassflow as wf


@dataclass(frozen=True)
class Law:
    """What is expected of m particles: ``factor * E W2^2 - offset = target +- band``."""

    name: str
    periodic: tuple[bool, ...]
    cell: str
    m: int
    factor: float
    offset: float
    target: float
    band: float


LOGARITHM = float(np.log(256.0) / (4.0 * np.pi))
LAWS = (
    Law("square", (False, False), "triangle", 256, 256.0, LOGARITHM, 0.42, 0.05),
    Law("torus", (True, True), "triangle", 256, 256.0, LOGARITHM, 0.155, 0.03),
    Law("cube", (False, False, False), "tetrahedron", 216, 36.0, 0.0, 0.57, 0.03),
)


def sample(law: Law, seeds: int) -> tuple[float, float, float]:
    """Return the mean over seeds, its standard error, and the widest bracket relative to W2."""
    dim = len(law.periodic)
    mesh = wf.mesh.box(
        wf.Box([0.0] * dim, [1.0] * dim, periodic=law.periodic), cells=(2,) * dim, cell=law.cell
    )
    mu = wf.MeshDensity.uniform(mesh)
    brackets = [wf.wasserstein2(wf.ParticleCloud.sample(mu, law.m, seed=seed), mu) for seed in range(seeds)]
    values = law.factor * np.array([bracket.value**2 for bracket in brackets]) - law.offset
    widest = max(bracket.relative_width for bracket in brackets)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(seeds)), widest


def main(arguments: list[str] | None = None) -> int:
    """Sample, print found against expected."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=400)
    parser.add_argument("--quick", action="store_true", help="30 seeds")
    options = parser.parse_args(arguments)
    seeds = 30 if options.quick else options.seeds
    passed = True
    print(
        f"{'domain':<8}{'m':>5}{'seeds':>7}{'found':>9}{'error':>8}{'expected':>10}{'band':>7}{'widest':>9}"
    )
    for law in LAWS:
        mean, error, widest = sample(law, seeds)
        band = law.band + (3.0 * error if options.quick else 0.0)
        ok = abs(mean - law.target) <= band
        passed &= ok
        print(
            f"{law.name:<8}{law.m:>5}{seeds:>7}{mean:>9.4f}{error:>8.4f}{law.target:>10.3f}{band:>7.3f}"
            f"{widest:>9.1e}  {'pass' if ok else 'FAIL'}",
            flush=True,
        )
    print("criteria passed" if passed else "FAIL: a law is missed")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
