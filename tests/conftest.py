"""Settings of all tests."""

from hypothesis import settings

# How long an example takes says nothing here: a first call compiles, and other work may share the cores.
settings.register_profile("wassflow", deadline=None)
settings.load_profile("wassflow")

# Scripts that tests start under mpiexec: not test modules, though doctests are looked for in every file.
collect_ignore_glob = ["*/*_on_ranks.py", "*/rank_report.py"]
