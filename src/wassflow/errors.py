"""The one exception of the package for what is not a plain bad argument."""


class WassflowError(RuntimeError):
    """A computation that cannot be carried out, with the reason and what would help.

    A bad argument raises ``ValueError`` instead; see :mod:`wassflow.arguments`.
    """
