"""The book's figures. `use_book_style` comes first; every function returns a Matplotlib Figure."""

try:
    import matplotlib as _  # noqa: F401
except ImportError as missing:  # pragma: no cover
    raise ImportError("companion.draw needs Matplotlib: pip install matplotlib") from missing

from companion.draw.animation import Animation, evaluation, player, sweeps
from companion.draw.charts import confusion, learning_curves, pictures
from companion.draw.graphs import describe, graph
from companion.draw.networks import backward_pass, network, surface
from companion.draw.style import (
    ADJOINT,
    DARK,
    GRID,
    INK,
    ROLES,
    STYLE,
    TANGENT,
    VALUE,
    WRONG,
    svg,
    use_book_style,
)
from companion.draw.tensors import Array, contraction, contraction_frames, matrices, slices, tensor

__all__ = [
    "ADJOINT",
    "DARK",
    "GRID",
    "INK",
    "ROLES",
    "STYLE",
    "TANGENT",
    "VALUE",
    "WRONG",
    "Animation",
    "Array",
    "backward_pass",
    "confusion",
    "contraction",
    "contraction_frames",
    "describe",
    "evaluation",
    "graph",
    "learning_curves",
    "matrices",
    "network",
    "pictures",
    "player",
    "slices",
    "surface",
    "svg",
    "sweeps",
    "tensor",
    "use_book_style",
]
