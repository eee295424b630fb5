"""How much memory a process has held."""

from pathlib import Path


def peak_memory() -> float:
    """GiB that this process held at most, by Linux.

    `getrusage` does not tell: what it reports of a child begins at what the parent held.
    """
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return float(status["VmHWM"].split()[0]) / 2**20
