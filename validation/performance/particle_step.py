"""Time a step of particles beside JAX, PyTorch and numpy, and a whole Runge-Kutta step of a million of them.

    python validation/performance/particle_step.py            # some minutes
    python validation/performance/particle_step.py --quick    # 1e4 particles, 1e5 instead of a million

The job is gradient descent on the loss of the case sigmoid-3d with N = 1000 inputs: one evaluation of the
network at all inputs, the gradient with respect to all m particles by hand (numpy, wassflow) or by reverse
differentiation of the loss (JAX, PyTorch), and u - dt gradient; in double precision. All do it in turns in
one run; errors are those of the displacements against wassflow's direct sums, relative to the largest one.
Peers use as many threads as they like.

JAX and PyTorch are not dependencies: whichever is not installed is named and left out (`pip install jax
torch`; PyTorch comes with some gigabytes of CUDA libraries there, without which it is not imported, and runs
on the processor all the same). Targets: ten times as fast as JAX with errors below 1e-8, and at most one
second for a step of the flow by "rk2" with a million particles; memory at N = 10 000 below 2 GiB.
"""

import argparse
import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from memory import peak_memory

import wassflow as wf
from wassflow.functional.evaluation import available_threads, evaluated

TARGET_SPEEDUP, TARGET_ERROR, TARGET_SECONDS, TARGET_MEMORY = 10.0, 1e-8, 1.0, 2.0
INPUTS, MANY_INPUTS = 1000, 10_000
DT = 0.01
TURNS = 5
STEPS = 5

Step = Callable[[np.ndarray], np.ndarray]


def problem(inputs: int) -> tuple[wf.Functional, wf.Box]:
    """The case sigmoid-3d without its kink, which an explicit method does not take, and its box."""
    case = wf.cases.get("sigmoid-3d", inputs=inputs)
    F = case.functional
    return wf.Functional(F.features, F.loss, wf.regularizer.Zero()), case.domain


def particles(box: wf.Box, m: int) -> np.ndarray:
    """Points in the middle of the box."""
    middle, half = 0.5 * (box.lower + box.upper), 0.5 * (box.upper - box.lower)
    return middle + half * np.random.default_rng(0).uniform(-0.7, 0.7, (m, box.dim))


def wassflow_step(F: wf.Functional, box: wf.Box, m: int, evaluation: str, threads: int) -> Step:
    """A gradient step with the features evaluated in one of the ways there are."""
    fast = evaluated(F, evaluation, box.lower, box.upper, m, threads)
    weights = np.full(m, 1.0 / m)

    def step(u: np.ndarray) -> np.ndarray:
        variation = fast.linearize(fast.features.moment(u, weights))
        return u + DT * variation.smooth_velocity(u)

    return step


def numpy_step(F: wf.Functional, m: int) -> Step:
    """The same in vectorised numpy, in blocks of particles that fit into the cache."""
    x, target, scale = F.features.inputs, F.loss.target, F.loss.scale * F.loss.weights
    block = 1024

    def activations(u: np.ndarray) -> np.ndarray:
        return 1.0 / (1.0 + np.exp(-(u[:, 1:] @ x.T)))

    def step(u: np.ndarray) -> np.ndarray:
        blocks = [u[start : start + block] for start in range(0, m, block)]
        output = sum(part[:, 0] @ activations(part) for part in blocks) / m
        g = scale * (output - target)
        moved = []
        for part in blocks:
            sigma = activations(part)
            theta = part[:, :1] * ((sigma * (1.0 - sigma) * g) @ x)
            moved.append(part - DT * np.column_stack([sigma @ g, theta]))
        return np.concatenate(moved)

    return step


def jax_step(F: wf.Functional, m: int) -> Step:
    """u - dt m grad R(1/m sum of neurons), differentiated and compiled by JAX."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    x, target = jnp.asarray(F.features.inputs), jnp.asarray(F.loss.target)
    scale = jnp.asarray(F.loss.scale * F.loss.weights)

    def loss(u):
        output = u[:, 0] @ jax.nn.sigmoid(u[:, 1:] @ x.T) / m
        return 0.5 * jnp.sum(scale * (output - target) ** 2)

    step = jax.jit(lambda u: u - DT * m * jax.grad(loss)(u))
    return lambda u: np.asarray(step(jnp.asarray(u)).block_until_ready())


def torch_step(F: wf.Functional, m: int) -> Step:
    """The same by PyTorch."""
    import torch

    x, target = torch.tensor(F.features.inputs), torch.tensor(F.loss.target)
    scale = torch.tensor(F.loss.scale * F.loss.weights)

    def step(u: np.ndarray) -> np.ndarray:
        points = torch.tensor(u, requires_grad=True)
        output = points[:, 0] @ torch.sigmoid(points[:, 1:] @ x.T) / m
        (0.5 * (scale * (output - target) ** 2).sum()).backward()
        return (points.detach() - DT * m * points.grad).numpy()

    return step


def compare(m: int) -> bool:
    """Time the steps of all there are, in turns, and print errors beside times."""
    F, box = problem(INPUTS)
    u = particles(box, m)
    threads = available_threads()
    steps = {
        "wassflow, fast": wassflow_step(F, box, m, "fast", threads),
        "wassflow, fast, one thread": wassflow_step(F, box, m, "fast", 1),
        "wassflow, direct, one thread": wassflow_step(F, box, m, "direct", 1),
        "numpy": numpy_step(F, m),
    }
    for name, module, make in (("JAX, jit", "jax", jax_step), ("PyTorch", "torch", torch_step)):
        if importlib.util.find_spec(module):
            steps[name] = make(F, m)
        else:
            print(f"{name} is not installed (pip install {module}): left out")
    right = steps["wassflow, direct, one thread"](u) - u
    errors, times = {}, {name: [] for name in steps}
    for name, step in steps.items():  # compiles, too
        errors[name] = float(np.abs(step(u) - u - right).max() / np.abs(right).max())
    for _ in range(TURNS):
        for name, step in steps.items():
            start = time.perf_counter()
            step(u)
            times[name].append(time.perf_counter() - start)
    print(f"\none gradient step, m = {m:,}, N = {INPUTS}, medians of {TURNS}, {threads} threads")
    print(f"{'':30} {'ms':>9} {'times as long':>14} {'error':>9}")
    fastest = np.array(times["wassflow, fast"])
    for name in steps:
        ratio = float(np.median(np.array(times[name]) / fastest))
        print(f"{name:30} {1e3 * np.median(times[name]):9.2f} {ratio:14.1f} {errors[name]:9.1e}")
    passed = errors["wassflow, fast"] <= TARGET_ERROR
    verdict(passed, f"error of fast evaluation at most {TARGET_ERROR:g}")
    if "JAX, jit" in steps:
        speedup = float(np.median(np.array(times["JAX, jit"]) / fastest))
        verdict(speedup >= TARGET_SPEEDUP, f"{speedup:.1f} times as fast as JAX, target {TARGET_SPEEDUP:g}")
        passed &= speedup >= TARGET_SPEEDUP
    return passed


def seconds_per_step(m: int, inputs: int) -> float:
    """Median time of a step of the flow by "rk2", from runs of some steps and of one step, in turns."""
    F, box = problem(inputs)
    cloud = wf.ParticleCloud(particles(box, m))
    flow = wf.ParticleFlow(F, box, integrator="rk2", dt=DT, evaluation="fast")
    flow.run(cloud, DT)
    differences = []
    for _ in range(3):
        clock = [time.perf_counter()]
        for steps in (1, 1 + STEPS):
            flow.run(cloud, steps * DT)
            clock.append(time.perf_counter())
        differences.append((clock[2] - 2.0 * clock[1] + clock[0]) / STEPS)
    return float(np.median(differences))


def verdict(passed: bool, claim: str) -> None:
    """Print whether a target is met."""
    print(f"{'pass' if passed else 'MISS'}: {claim}")


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for and return 0 if all targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer particles")
    parser.add_argument("--memory", type=int, metavar="M", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory:
        print(seconds_per_step(options.memory, MANY_INPUTS))
        print(peak_memory())
        return 0
    m, many = (10_000, 100_000) if options.quick else (100_000, 1_000_000)
    passed = compare(m)
    few = seconds_per_step(many, INPUTS)
    command = [sys.executable, str(Path(__file__).resolve()), "--memory", str(many)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    more, memory = float(output[0]), float(output[1])
    print(f"\na step of ParticleFlow by rk2, m = {many:,}")
    print(f"N = {INPUTS}: {few:.3f} s; N = {MANY_INPUTS}: {more:.3f} s, {memory:.2f} GiB at most")
    verdict(few <= TARGET_SECONDS, f"at most {TARGET_SECONDS:g} s a step")
    verdict(memory <= TARGET_MEMORY, f"at most {TARGET_MEMORY:g} GiB")
    return 0 if passed and few <= TARGET_SECONDS and memory <= TARGET_MEMORY else 1


if __name__ == "__main__":
    raise SystemExit(main())
