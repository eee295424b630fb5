"""The command line: what is typed, what comes out, and how mistakes are answered."""

import csv
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import wassflow
from wassflow.cases.case import _BUILDERS as case_registry
from wassflow.cases.exact import WeightAbsorption
from wassflow.cli.app import app
from wassflow.cli.case_files import read_problem
from wassflow.cli.values import case_parameters, cells_per_axis, integers, numbers

COMMANDS = ("run", "animate", "limit", "refine", "validate", "cases", "mesh")
runner = CliRunner()


def call(*arguments):
    return runner.invoke(
        app, [str(argument) for argument in arguments], env={"COLUMNS": "120", "TERM": "dumb"}
    )


def refusal(*arguments):
    """The one line on stderr with which these arguments are refused."""
    result = call(*arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if line.startswith("wassflow: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# help ------------------------------------------------------------------------------------------------------


def test_help_is_there_for_every_command():
    text = call("--help").stdout
    assert all(command in text for command in COMMANDS)
    for command in COMMANDS:
        result = call(command, "--help")
        assert result.exit_code == 0
        assert "Usage" in result.stdout
    assert all(
        option in call("limit", "--help").stdout for option in ("--m", "--seeds", "--method", "--workers")
    )


def test_the_version_is_the_package_s():
    assert call("--version").stdout.strip() == f"wassflow {wassflow.__version__}"


def test_help_loads_nothing_heavy():
    code = (
        "import sys; from wassflow.cli.app import app; from typer.testing import CliRunner;"
        "assert CliRunner().invoke(app, ['limit', '--help']).exit_code == 0;"
        "heavy = {'dolfinx', 'numba', 'scipy', 'matplotlib', 'ot'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_python_m_wassflow_is_the_same_program():
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "wassflow", "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == f"wassflow {wassflow.__version__}"
    # a fifth of a second on an idle machine; a busy one must not fail
    assert time.perf_counter() - started < 5.0


# what is typed ---------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_lists_of_integers_are_read_back(values):
    assert integers("--m", ",".join(map(str, values))) == values


@given(st.integers(1, 1000), st.integers(0, 10))
def test_ranges_double(first, doublings):
    ladder = integers("--m", f"{first}:{first * 2**doublings}")
    assert ladder == [first * 2**k for k in range(doublings + 1)]


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_lists_of_numbers_are_read_back(values):
    assert numbers("--times", ",".join(map(repr, values))) == values


def test_cells_may_differ_between_axes():
    assert cells_per_axis("--cells", "64") == 64
    assert cells_per_axis("--cells", "64,32") == cells_per_axis("--cells", "64x32") == (64, 32)


@pytest.mark.parametrize(
    ("reader", "text", "message"),
    [
        (integers, "3,k", "--x must be made of whole numbers, found 'k'"),
        (integers, "16:8", "--x must be a doubling range from the smaller to the larger, found '16:8'"),
        (integers, "1:2:3", "--x must be a list 32,64,128 or a doubling range 16:2048, found '1:2:3'"),
        (integers, "0", "--x must be an integer, at least 1, found 0"),
        (numbers, "1,,2", "--x must be numbers with commas between them, found '1,,2'"),
        (numbers, "1,inf", "--x must be a finite number, found 'inf'"),
    ],
)
def test_bad_lists_are_refused_by_name(reader, text, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        reader("--x", text)


def test_parameters_are_numbers_lists_or_words():
    parsed = case_parameters(["a=1", "b = 2.5", "c=[1, 2]", "d=word", "e=None", "f=x=y"])
    assert parsed == {"a": 1, "b": 2.5, "c": [1, 2], "d": "word", "e": None, "f": "x=y"}
    with pytest.raises(ValueError, match="--param must look like key=value, found 'strength'"):
        case_parameters(["strength"])
    with pytest.raises(ValueError, match="each parameter once, found 'a' twice"):
        case_parameters(["a=1", "a=2"])


# case files ------------------------------------------------------------------------------------------------


def write(folder, text, name="mine.toml"):
    path = folder / name
    path.write_text(text)
    return path


def test_a_case_file_holds_parameters_and_options(tmp_path):
    path = write(
        tmp_path,
        'case = "cosine-2d"\n[parameters]\nkappa = 2.0\n[limit]\nm = [8, 16]\nseeds = 2\n[run]\nm = 50\n',
    )
    problem = read_problem(str(path))
    assert (problem.case, problem.label) == ("cosine-2d", "mine")
    assert problem.parameters == {"kappa": 2.0}
    assert problem.options["limit"] == {"m": [8, 16], "seeds": 2}
    assert problem.options["refine"] == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("colour = 1", "unknown key 'colour'; allowed are case, parameters, run, animate, limit, refine"),
        ('case = "cosine-2d"\n[limit]\nparticles = 3', "[limit] in {path} has the unknown key 'particles'"),
        ("[parameters]\na = 1", 'must name a case, case = "...", found None'),
        ('case = "cosine-2d"\nlimit = 3', "limit in {path} must be a table, [limit], found 3"),
        ("case = ", "must be a TOML file"),
    ],
)
def test_bad_case_files_are_refused_by_name(tmp_path, text, message):
    path = write(tmp_path, text)
    assert message.format(path=path) in refusal("run", path)


def test_a_missing_case_file_is_named(tmp_path):
    path = tmp_path / "nowhere.toml"
    assert refusal("run", path) == f"wassflow: cannot read the case file {path}: No such file or directory"


# mistakes --------------------------------------------------------------------------------------------------


def test_an_unknown_case_is_refused_with_the_known_ones():
    line = refusal("run", "cosine-4d")
    assert "'cosine-4d'" in line
    assert "cosine-2d" in line


def test_an_unknown_parameter_is_refused_by_name():
    assert "'colour'" in refusal("refine", "cosine-2d", "--param", "colour=3")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("limit", "cosine-2d", "--m", "8,x"), "--m must be made of whole numbers, found 'x'"),
        (("limit", "cosine-2d", "--method", "regular"), "'regular'"),
        (("limit", "cosine-2d", "cosine-2d"), "CASE must be different cases, found cosine-2d, cosine-2d"),
        (("run", "cosine-2d", "--cell", "tetrahedron"), "--cell must be one of 'triangle', 'quadrilateral'"),
        (("run", "cosine-2d", "--times", "-1"), "-1"),
        (("refine", "cosine-2d", "--levels", "2", "--cells", "4,8"), "--levels and --cells must not both"),
        (("mesh", "box", "--upper", "1"), "--upper must have 2 or 3 coordinates, found 1"),
        (
            ("mesh", "box", "--upper", "1,1", "--periodic", "3"),
            "--periodic must name axes between 1 and 2, found 3",
        ),
        (("mesh", "inspect", "nowhere.msh"), "FILE must exist, found nothing at nowhere.msh"),
    ],
)
def test_mistakes_are_one_line_that_names_the_option(tmp_path, arguments, message):
    assert message in refusal(*arguments, *(("--output", tmp_path)))


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    path = write(tmp_path, "", "taken")
    assert refusal("run", "cosine-2d", "--output", path).endswith(
        f"--output must be a folder, found the file {path}"
    )


def test_the_traceback_is_there_for_who_asks(monkeypatch):
    monkeypatch.setenv("WASSFLOW_TRACEBACK", "1")
    result = call("limit", "cosine-2d", "--m", "x")
    assert isinstance(result.exception, ValueError)


# results ---------------------------------------------------------------------------------------------------


def test_run_writes_a_table_and_a_picture(tmp_path):
    result = call("run", "cosine-2d", "--m", 32, "--cells", 8, "--times", "0,0.2", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    names = [f"comparison.{kind}" for kind in ("csv", "json", "png", "txt")]
    assert files(tmp_path) == [f"cosine-2d/{name}" for name in (*names, "transport.png")]
    assert "W2" in result.stdout
    written = result.stdout.split("Written:")[1].split()
    assert [Path(path).name for path in written[-2:]] == ["comparison.png", "transport.png"]
    rows = list(csv.DictReader((tmp_path / "cosine-2d/comparison.csv").read_text().splitlines()))
    assert [float(row["time"]) for row in rows] == [0.0, 0.2]
    assert all(0.0 <= float(row["lower"]) <= float(row["upper"]) for row in rows)


def test_limit_of_two_cases_ends_in_one_picture_of_both(tmp_path):
    mine = write(
        tmp_path, 'case = "cosine-2d"\n[limit]\nm = [8, 16, 32]\ncells = 8\ntimes = [0.0, 0.1]\nseeds = 3\n'
    )
    # typed options win over the file
    options = ("--seeds", 2, "--cells", "6", "--m", "8,16", "--times", "0,0.1", "--workers", 1)
    result = call("limit", mine, "cosine-3d", *options, "--output", tmp_path / "out")
    assert result.exit_code == 0, result.output
    names = [f"many_particle_limit.{kind}" for kind in ("csv", "json", "png", "txt")]
    expected = [f"{case}/{name}" for case in ("cosine-3d", "mine") for name in names]
    assert files(tmp_path / "out") == sorted([*expected, "many_particle_limit.png"])
    data = json.loads((tmp_path / "out/mine/many_particle_limit.json").read_text())
    assert data["ms"] == [8, 16]
    assert data["seeds"] == [0, 1]
    assert {fit["quantity"] for fit in data["fits"]} >= {"W2", "moment"}
    assert result.stdout.split("Written:")[1].split()[-1].endswith("out/many_particle_limit.png")


def test_refine_writes_orders(tmp_path):
    result = call("refine", "cosine-2d", "--cells", "4,8", "--times", "0.1", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert files(tmp_path) == [
        f"cosine-2d/mesh_refinement-{scheme}.{kind}"
        for scheme in ("muscl", "upwind")
        for kind in ("csv", "json", "png", "txt")
    ]
    assert "order" in result.stdout


def test_refine_tells_absorbed_mass_where_a_kink_absorbs(tmp_path, monkeypatch):
    exact = WeightAbsorption(1.0)

    def absorption() -> wassflow.cases.Case:
        """A kink."""
        return wassflow.cases.Case(
            functional=exact.functional,
            domain=exact.domain,
            initial=exact.initial,
            times=(0.0, 0.5),
            cells=(16, 2),
            cell="quadrilateral",
            exact=exact,
        )

    monkeypatch.setitem(case_registry, "absorption", absorption)
    result = call("refine", "absorption", "--cells", "8,16", "--scheme", "upwind", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert files(tmp_path) == [
        *(f"absorption/absorbed_mass-upwind.{kind}" for kind in ("csv", "json", "txt")),
        *(f"absorption/mesh_refinement-upwind.{kind}" for kind in ("csv", "json", "png", "txt")),
    ]
    assert "absorption: absorbed mass on {u_0 = 0}" in result.stdout
    assert "t = 0.5, exact 0.500" in result.stdout


def test_quiet_prints_nothing(tmp_path):
    result = call("refine", "cosine-2d", "--cells", "4,8", "--times", "0.1", "--output", tmp_path, "--quiet")
    assert result.exit_code == 0
    assert result.stdout == result.stderr == ""
    assert len(files(tmp_path)) == 8


def test_cases_are_listed_and_shown():
    listing = call("cases").stdout
    for name in wassflow.cases.names():
        assert name in listing
    one = call("cases", "deconvolution-2d")
    assert one.exit_code == 0
    assert "parameters" in one.stdout
    assert 'case = "deconvolution-2d"' in one.stdout


def test_a_box_is_meshed_inspected_and_drawn(tmp_path):
    result = call("mesh", "box", "--upper", "2,1", "--cells", "4,2", "--periodic", "2", "--output", tmp_path)
    assert result.exit_code == 0, result.output
    for text in ("32 (triangle)", "4 across a period", "volume            2", "passed"):
        assert text in result.stdout
    assert "meshes/box-triangle-32.png" in files(tmp_path)


def test_a_mesh_file_is_inspected(tmp_path):
    file = Path(__file__).parents[1] / "meshes/disk.msh"
    result = call("mesh", "inspect", file, "--output", tmp_path)
    assert result.exit_code == 0, result.output
    assert "(triangle)" in result.stdout
    assert "passed" in result.stdout
    assert files(tmp_path) == ["meshes/disk.png"]


def test_the_installed_program_answers_a_mistake_on_stderr(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "wassflow", "run", "cosine-2d", "--times", "x", "--output", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "wassflow: --times must be a finite number, found 'x'\n"
