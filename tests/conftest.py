"""Settings of all tests."""

# Scripts that tests start under mpiexec: not test modules, though doctests are looked for in every file.
collect_ignore_glob = ["*/*_on_ranks.py", "*/rank_report.py"]
