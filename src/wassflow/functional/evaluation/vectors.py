"""Polynomials in vector registers: values and gradients in two variables, and sums of monomials.

A compiler does not find these vectors in loops: written as LLVM instructions they run two to three times as
fast. The number of coefficients along an axis is known when they are compiled: it is that of the entries of a
tuple ``lanes``, whose values do not matter.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_DOUBLE, _INDEX = ir.DoubleType(), ir.IntType(32)


def lanes_of(width: int) -> tuple[float, ...]:
    """Return the tuple that stands for ``width`` coefficients along an axis."""
    return (0.0,) * width


def _add_line(_context, row, weight, y, lanes):
    """Add weight y^k to the entries of a row ``(width,)``."""
    width = lanes.count

    def codegen(context, builder, signature, arguments):
        pointer = _rows(context, builder, signature.args[0], arguments[0], width, 1)[0]
        powers = _powers(builder, arguments[2], width)
        spread = _spread(builder, arguments[1], width)
        moved = _multiply_add(builder, powers, spread, builder.load(pointer, align=8))
        builder.store(moved, pointer, align=8)
        return context.get_dummy_value()

    return types.void(row, types.float64, types.float64, lanes), codegen


def _plane(_context, block, x, y, lanes):
    """Return sum_kl block_kl x^k y^l and its partial derivatives; blocks are ``(width, width)``, C order."""
    width = lanes.count

    def codegen(context, builder, signature, arguments):
        rows = _rows(context, builder, signature.args[0], arguments[0], width, width)
        spread = _spread(builder, arguments[1], width)
        # Horner's rule in x for all columns at a time
        value = builder.load(rows[-1], align=8)
        slope = None
        for row in reversed(rows[:-1]):
            slope = value if slope is None else _multiply_add(builder, slope, spread, value)
            value = _multiply_add(builder, value, spread, builder.load(row, align=8))
        powers = _powers(builder, arguments[2], width)
        derivatives = _derivatives(builder, powers, width)
        results = [
            _total(builder, builder.fmul(one, other), width)
            for one, other in ((value, powers), (slope, powers), (value, derivatives))
        ]
        return context.make_tuple(builder, signature.return_type, results)

    return types.UniTuple(types.float64, 3)(block, types.float64, types.float64, lanes), codegen


def _add_plane(_context, block, weight, x, y, lanes):
    """Add weight x^k y^l to the entries of a block ``(width, width)`` in C order."""
    width = lanes.count

    def codegen(context, builder, signature, arguments):
        rows = _rows(context, builder, signature.args[0], arguments[0], width, width)
        spread = _spread(builder, arguments[2], width)
        monomials = builder.fmul(_powers(builder, arguments[3], width), _spread(builder, arguments[1], width))
        for row in rows:
            builder.store(builder.fadd(builder.load(row, align=8), monomials), row, align=8)
            monomials = builder.fmul(monomials, spread)
        return context.get_dummy_value()

    return types.void(block, types.float64, types.float64, types.float64, lanes), codegen


# Any: the checker does not know that the first argument is not the caller's
add_line: Any = intrinsic(_add_line)
plane: Any = intrinsic(_plane)
add_plane: Any = intrinsic(_add_plane)


def _rows(context: Any, builder: Any, kind: Any, block: Any, width: int, count: int) -> list[Any]:
    """Return pointers to the first ``count`` rows of a block as vectors."""
    data = context.make_array(kind)(context, builder, block).data
    first = builder.bitcast(data, ir.VectorType(_DOUBLE, width).as_pointer())
    # a step along a pointer would be that of a vector with its padding
    return [
        builder.bitcast(
            builder.gep(
                builder.bitcast(first, _DOUBLE.as_pointer()), [ir.Constant(ir.IntType(64), k * width)]
            ),
            first.type,
        )
        for k in range(count)
    ]


def _constant(values: Any, kind: Any) -> Any:
    entries = [float(v) if kind == _DOUBLE else int(v) for v in values]
    return ir.Constant(ir.VectorType(kind, len(entries)), entries)


def _spread(builder: Any, number: Any, width: int) -> Any:
    """Return a vector of equal entries."""
    empty = ir.Constant(ir.VectorType(_DOUBLE, width), ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(one, empty, _constant(np.zeros(width), _INDEX))


def _powers(builder: Any, number: Any, width: int) -> Any:
    """Return 1, y, ..., y^(width - 1): the product of y^1, y^2, y^4, ... where an exponent has that bit."""
    ones = result = _constant(np.ones(width), _DOUBLE)
    power = number
    for bit in range((width - 1).bit_length()):
        chosen = [lane + width * (lane >> bit & 1) for lane in range(width)]
        factor = builder.shuffle_vector(ones, _spread(builder, power, width), _constant(chosen, _INDEX))
        result = factor if bit == 0 else builder.fmul(result, factor)
        power = builder.fmul(power, power)
    return result


def _derivatives(builder: Any, powers: Any, width: int) -> Any:
    """Return 0, 1, 2 y, ..., (width - 1) y^(width - 2) from the powers of y."""
    shifted = builder.shuffle_vector(powers, powers, _constant([0, *range(width - 1)], _INDEX))
    return builder.fmul(shifted, _constant(range(width), _DOUBLE))


def _multiply_add(builder: Any, x: Any, y: Any, z: Any) -> Any:
    return builder.fadd(builder.fmul(x, y, flags=("contract",)), z, flags=("contract",))


def _total(builder: Any, vector: Any, width: int) -> Any:
    """Return the sum of the entries, in any order."""
    kind = ir.FunctionType(_DOUBLE, [_DOUBLE, vector.type])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.vector.reduce.fadd.v{width}f64")
    return builder.call(function, [ir.Constant(_DOUBLE, 0.0), vector], fastmath=("reassoc",))
