"""Named problems, ready to run, and solutions in closed form."""

from wassflow.cases import cosine, deconvolution, relu, sigmoid  # noqa: F401 (importing registers the cases)
from wassflow.cases.case import Case, get, load, names, parameters, register
from wassflow.cases.quadrature_reference import Reference, reference

__all__ = ["Case", "Reference", "get", "load", "names", "parameters", "reference", "register"]
