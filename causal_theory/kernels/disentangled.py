"""Forward and backward pass of the disentangled transformer.

The input at position ``i`` is the one-hot token ``s_i`` beside the one-hot position ``i``, of width ``D = S + T``. A
layer with ``H`` heads appends ``H`` attended copies of its input, so the vector at a position is a list of blocks of
width ``D``, each of them a combination ``sum_k c_k x0_k`` of inputs. Blocks are stored by these **coefficients**
``c[m, i, k]`` (block, position, source ``k <= i``); block 0 is the input itself, its coefficients are never touched.
The first block that a head appends has its attention as coefficients. With ``u = A^T x_i`` a score is
``sum_m sum_k c[m, j, k] v[m, k]``, ``v[m, k] = u[m D + s_k] + u[m D + S + k]``: table look-ups in place of products
with one-hot vectors. The last layer computes the row of the last position only.

Sequences are processed side by side, the lane is the innermost index. Parameters are one flat vector: for each layer
``H`` matrices ``A`` of shape (B D, B D), then ``W`` of shape (B D, S). Sums over a batch are taken over blocks of
sequences in a fixed order, whatever the number of threads.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from causal_theory.kernels._jit import helper, kernel
from causal_theory.kernels.arrays import read_only
from causal_theory.kernels.lanes import LANES, add_products, softmax_back, softmax_rows
from causal_theory.kernels.messages import apply_rows
from causal_theory.kernels.threads import run_shared

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

GROUPS = 2
"""Groups of lanes to a partial sum."""


@helper
def _fill(tokens, size, coefficients, m, i, block):
    """Block ``m`` of the vector at position ``i``: a histogram of tokens and the weights of the positions."""
    block[:] = 0.0
    if m == 0:
        for lane in range(LANES):
            block[tokens[i, lane], lane] = 1.0
            block[size + i, lane] = 1.0
        return
    for k in range(i + 1):
        source, own, position = tokens[k], coefficients[m, i, k], block[size + k]
        for lane in range(LANES):
            position[lane] = own[lane]
            block[source[lane], lane] += own[lane]


@helper
def _fill_later(tokens, size, coefficients, i, x):
    """Blocks from 1 on of the vector at position ``i``."""
    width = size + tokens.shape[0]
    for m in range(1, coefficients.shape[0]):
        _fill(tokens, size, coefficients, m, i, x[m * width : (m + 1) * width])


@helper
def _scatter(tokens, size, values, i, block):
    """Transpose of a look-up: add ``values[k]`` at the token and at the position of each source."""
    block[:] = 0.0
    for k in range(i + 1):
        source, own, position = tokens[k], values[k], block[size + k]
        for lane in range(LANES):
            position[lane] = own[lane]
            block[source[lane], lane] += own[lane]


@helper
def _look_up(tokens, size, block, i, values):
    """``values[k] = block[s_k] + block[S + k]`` for sources up to ``i``."""
    for k in range(i + 1):
        source, position, out = tokens[k], block[size + k], values[k]
        for lane in range(LANES):
            out[lane] = block[source[lane], lane] + position[lane]


@helper
def _project(tokens, size, A_columns, x, i, u):
    """``u = A^T x`` at position ``i``; block 0 of ``x`` is two ones, which are looked up."""
    width = size + tokens.shape[0]
    if x.shape[0] > width:
        apply_rows(A_columns, width, x[width:], u)
    else:
        u[:] = 0.0
    source = tokens[i]
    for c in range(u.shape[0]):
        column, out = A_columns[c], u[c]
        shared = column[size + i]
        for lane in range(LANES):
            out[lane] += column[source[lane]] + shared


@helper
def _attend_input(tokens, size, A, table, work, attention):
    """Attention of a head of the first layer at all positions; ``table`` is ``A`` plus the row of the position."""
    for i in range(tokens.shape[0]):
        for t in range(size):
            for c in range(A.shape[1]):
                table[t, c] = A[t, c] + A[size + i, c]
        own, scores = tokens[i], attention[i]
        for j in range(i + 1):
            source, out = tokens[j], scores[j]
            by_position = table[:, size + j]
            for lane in range(LANES):
                out[lane] = table[own[lane], source[lane]] + by_position[own[lane]]
        softmax_rows(scores, i + 1, work)


@helper
def _attend(tokens, size, coefficients, A_columns, i, work, weights):
    """Attention of a head at position ``i`` over blocks.

    ``work`` holds x, whose blocks from 1 on are given, u and v, which become what they are, and scratch.
    """
    x, u, v, scratch = work
    width = size + tokens.shape[0]
    blocks = v.shape[0]
    _project(tokens, size, A_columns, x, i, u)
    for m in range(blocks):
        _look_up(tokens, size, u[m * width : (m + 1) * width], i, v[m])
    for j in range(i + 1):
        out = weights[j]
        for lane in range(LANES):
            out[lane] = v[0, j, lane]
        for m in range(1, blocks):
            for k in range(j + 1):
                own, value = coefficients[m, j, k], v[m, k]
                for lane in range(LANES):
                    out[lane] += own[lane] * value[lane]
    softmax_rows(weights, i + 1, scratch)


@helper
def _mix(weights, coefficients, m, i, mixed):
    """Coefficients of block ``m >= 1`` of the attended copy: ``sum_j weights[j] c[m, j, :]``."""
    for k in range(i + 1):
        out = mixed[k]
        out[:] = 0.0
        for j in range(k, i + 1):
            weight, own = weights[j], coefficients[m, j, k]
            for lane in range(LANES):
                out[lane] += weight[lane] * own[lane]


@helper
def _inner_layer(tokens, size, coefficients, matrices, columns, work, table, appended):
    """All positions of a layer that is not the last; fills ``appended`` (H B, T, T, LANES)."""
    blocks = coefficients.shape[0]
    for h in range(matrices.shape[0]):
        attention = appended[h * blocks]
        if blocks == 1:
            _attend_input(tokens, size, matrices[h], table, work[3], attention)
            continue
        for i in range(tokens.shape[0]):
            _fill_later(tokens, size, coefficients, i, work[0])
            _attend(tokens, size, coefficients, columns[h], i, work, attention[i])
            for m in range(1, blocks):
                _mix(attention[i], coefficients, m, i, appended[h * blocks + m, i])


@helper
def _attend_back(tokens, size, coefficients, A, i, slopes, work, gradient, coefficient_slopes):
    """Pass slopes by the scores at position ``i`` on to ``A`` and to the coefficients that it saw.

    ``work`` holds x and u as `_attend` had them; u is used up.
    """
    x, u, v, v_slopes, u_slopes, _ = work
    blocks, width = v.shape[0], size + tokens.shape[0]
    _scatter(tokens, size, slopes, i, u_slopes[:width])
    for m in range(1, blocks):
        block = slice(m * width, (m + 1) * width)
        _look_up(tokens, size, u[block], i, v[m])
        for k in range(i + 1):
            out, value = v_slopes[k], v[m, k]
            out[:] = 0.0
            for j in range(k, i + 1):
                slope, own, own_slope = slopes[j], coefficients[m, j, k], coefficient_slopes[m, j, k]
                for lane in range(LANES):
                    out[lane] += slope[lane] * own[lane]
                    own_slope[lane] += slope[lane] * value[lane]
        _scatter(tokens, size, v_slopes, i, u_slopes[block])
    # The two ones of block 0.
    source = tokens[i]
    for c in range(u_slopes.shape[0]):
        total = 0.0
        for lane in range(LANES):
            total += u_slopes[c, lane]
        gradient[size + i, c] += total
    for lane in range(LANES):
        row = gradient[source[lane]]
        for c in range(u_slopes.shape[0]):
            row[c] += u_slopes[c, lane]
    if blocks == 1:
        return
    add_products(x[width:], u_slopes, gradient[width:])
    # Slopes by x, in place of u.
    apply_rows(A[width:], 0, u_slopes, u[width:])
    for m in range(1, blocks):
        _look_up(tokens, size, u[m * width : (m + 1) * width], i, v[m])
        for k in range(i + 1):
            own_slope, value = coefficient_slopes[m, i, k], v[m, k]
            for lane in range(LANES):
                own_slope[lane] += value[lane]


@helper
def _attend_input_back(tokens, size, slopes, gradient):
    """Slopes by the scores of a first-layer head, at all positions, on to its matrix."""
    for i in range(tokens.shape[0]):
        own = tokens[i]
        for j in range(i + 1):
            source, slope = tokens[j], slopes[i, j]
            total = 0.0
            for lane in range(LANES):
                total += slope[lane]
            gradient[size + i, size + j] += total
            for lane in range(LANES):
                gradient[own[lane], source[lane]] += slope[lane]
                gradient[own[lane], size + j] += slope[lane]
                gradient[size + i, source[lane]] += slope[lane]


@helper
def _mix_back(mixed_slopes, weights, coefficients, m, i, weight_slopes, coefficient_slopes):
    """Slopes by ``mixed = sum_j weights[j] c[m, j, :]``, ``m >= 1``, on to the weights and the coefficients."""
    for j in range(i + 1):
        weight, out = weights[j], weight_slopes[j]
        for k in range(j + 1):
            slope, own, own_slope = mixed_slopes[k], coefficients[m, j, k], coefficient_slopes[m, j, k]
            for lane in range(LANES):
                out[lane] += slope[lane] * own[lane]
                own_slope[lane] += weight[lane] * slope[lane]


@helper
def _inner_layer_back(
    tokens, size, coefficients, appended, matrices, columns, work, appended_slopes, gradient, coefficient_slopes
):
    """Backward pass of an inner layer; the slopes by its input coefficients are added to."""
    blocks = coefficients.shape[0]
    for h in range(matrices.shape[0]):
        attention, slopes = appended[h * blocks], appended_slopes[h * blocks]
        for i in range(tokens.shape[0]):
            for m in range(1, blocks):
                own = appended_slopes[h * blocks + m, i]
                _mix_back(own, attention[i], coefficients, m, i, slopes[i], coefficient_slopes)
            softmax_back(attention[i], slopes[i], i + 1, work[5][0])
            if blocks > 1:
                _fill_later(tokens, size, coefficients, i, work[0])
                _project(tokens, size, columns[h], work[0], i, work[1])
                _attend_back(
                    tokens,
                    size,
                    coefficients,
                    matrices[h],
                    i,
                    slopes[i],
                    work,
                    gradient[h],
                    coefficient_slopes,
                )
        if blocks == 1:
            _attend_input_back(tokens, size, slopes, gradient[h])


@helper
def _last_layer(tokens, size, coefficients, columns, u, work, attention, mixed, x_out):
    """Compute the last position of the last layer, its vector ``x_out`` of (1 + H) B blocks, and ``u`` of each head."""
    v, scratch = work
    length = tokens.shape[0]
    blocks, last, width = coefficients.shape[0], length - 1, size + length
    for m in range(blocks):
        _fill(tokens, size, coefficients, m, last, x_out[m * width : (m + 1) * width])
    for h in range(columns.shape[0]):
        given = (x_out[: blocks * width], u[h], v, scratch)
        _attend(tokens, size, coefficients, columns[h], last, given, attention[h])
        for m in range(blocks):
            place = (1 + h) * blocks + m
            block = x_out[place * width : (place + 1) * width]
            if m == 0:
                _scatter(tokens, size, attention[h], last, block)
            else:
                _mix(attention[h], coefficients, m, last, mixed)
                _scatter(tokens, size, mixed, last, block)


@helper
def _last_layer_back(
    tokens, size, coefficients, attention, matrices, x, u, work, mixed, x_slopes, gradient, coefficient_slopes
):
    """From slopes by ``x_out`` to the matrices of the last layer and the coefficients that it saw."""
    length = tokens.shape[0]
    blocks, last, width = coefficients.shape[0], length - 1, size + length
    v, v_slopes, u_slopes, scratch, weight_slopes = work
    for m in range(1, blocks):
        _look_up(tokens, size, x_slopes[m * width : (m + 1) * width], last, mixed)
        for k in range(length):
            out, value = coefficient_slopes[m, last, k], mixed[k]
            for lane in range(LANES):
                out[lane] += value[lane]
    for h in range(matrices.shape[0]):
        place = (1 + h) * blocks
        _look_up(tokens, size, x_slopes[place * width : (place + 1) * width], last, weight_slopes)
        for m in range(1, blocks):
            _look_up(tokens, size, x_slopes[(place + m) * width : (place + m + 1) * width], last, mixed)
            _mix_back(mixed, attention[h], coefficients, m, last, weight_slopes, coefficient_slopes)
        softmax_back(attention[h], weight_slopes, length, scratch[0])
        _attend_back(
            tokens,
            size,
            coefficients,
            matrices[h],
            last,
            weight_slopes,
            (x, u[h], v, v_slopes, u_slopes, scratch),
            gradient[h],
            coefficient_slopes,
        )


def layer_offsets(heads: Integers, width: int) -> tuple[Integers, Integers]:
    """Start of each layer in the flat parameters (L + 1,), and the blocks at its input (L + 1,); both for reading."""
    return _offsets_of(tuple(heads.tolist()), width)


@lru_cache(maxsize=16)
def _offsets_of(heads: tuple[int, ...], width: int) -> tuple[Integers, Integers]:
    blocks = np.concatenate([[1], np.cumprod(1 + np.array(heads))])
    starts = np.concatenate([[0], np.cumsum(heads * (blocks[:-1] * width) ** 2)])
    return read_only(starts), read_only(blocks)


@helper
def _matrices(flat, starts, blocks, heads, layer, width):
    """View of the matrices (H, d, d) of a layer in a flat vector."""
    side = blocks[layer] * width
    return flat[starts[layer] : starts[layer + 1]].reshape((heads[layer], side, side))


def transpose_layers(theta: Array, heads: Integers, width: int) -> Array:
    """Return the parameters with every matrix transposed: columns become contiguous."""
    starts, blocks = layer_offsets(heads, width)
    out = np.empty_like(theta)
    for start, end, side in zip(starts, starts[1:], blocks * width, strict=False):
        out[start:end].reshape(-1, side, side)[:] = theta[start:end].reshape(-1, side, side).transpose(0, 2, 1)
    W = theta[starts[-1] :].reshape(blocks[-1] * width, -1)
    out[starts[-1] :].reshape(W.T.shape)[:] = W.T
    return out


@helper
def _judge(logits, targets, losses, predictions, slopes, work):
    """Losses, predictions and slopes by the logits of the sequences at hand; lanes beyond them get slope zero."""
    size = logits.shape[0]
    count = losses.shape[0]
    for b in range(size):
        for lane in range(LANES):
            predictions[b, lane] = logits[b, lane]
    softmax_rows(predictions, size, work)
    log_total = work[0]
    for lane in range(LANES):
        log_total[lane] += np.log(work[1, lane])
    for lane in range(LANES):
        loss = 0.0
        total = 0.0
        if lane < count:
            for b in range(size):
                loss -= targets[lane, b] * (logits[b, lane] - log_total[lane])
                total += targets[lane, b]
            losses[lane] = loss
        for b in range(size):
            wanted = targets[lane, b] if lane < count else 0.0
            slopes[b, lane] = predictions[b, lane] * total - wanted


@helper
def _run_group(tokens, targets, theta, columns, shape, buffers, with_gradient, losses, predictions, attended, gradient):
    """Up to LANES sequences side by side; ``tokens`` (T, LANES) has a copy of some sequence in unused lanes."""
    large, vectors, rows, table = buffers
    coefficients, coefficient_slopes, last_attention = large
    x, u, u_slopes, x_out, x_slopes = vectors
    v, v_slopes, weight_slopes, mixed, scratch, found, logits, slopes = rows
    length, size = tokens.shape[0], targets.shape[1]
    heads, starts, blocks = shape
    layers, width = heads.shape[0], size + length
    final = layers - 1
    out_width = blocks[layers] * width
    for layer in range(final):
        own, side = blocks[layer], blocks[layer] * width
        _inner_layer(
            tokens,
            size,
            coefficients[:own],
            _matrices(theta, starts, blocks, heads, layer, width),
            _matrices(columns, starts, blocks, heads, layer, width),
            (x[:side], u[0, :side], v[:own], scratch),
            table,
            coefficients[own : blocks[layer + 1]],
        )
    side = blocks[final] * width
    last_columns = _matrices(columns, starts, blocks, heads, final, width)
    _last_layer(tokens, size, coefficients, last_columns, u, (v, scratch), last_attention, mixed, x_out)
    W = theta[starts[layers] :].reshape((out_width, size))
    W_columns = columns[starts[layers] :].reshape((size, out_width))
    apply_rows(W_columns, 0, x_out, logits)
    _judge(logits, targets, losses, found, slopes, scratch)
    if predictions.shape[0]:
        for lane in range(losses.shape[0]):
            for b in range(size):
                predictions[lane, b] = found[b, lane]
    first = 0
    for layer in range(final):
        for h in range(heads[layer] if attended.shape[0] else 0):
            weights = coefficients[blocks[layer] * (1 + h)]
            for i in range(length):
                for j in range(i + 1):
                    for lane in range(losses.shape[0]):
                        attended[first + h, i, j] += weights[i, j, lane]
        first += heads[layer]
    if not with_gradient:
        return
    # Slopes of block 0, and of keys after the query, are never read.
    for m in range(1, blocks[final]):
        for i in range(length):
            coefficient_slopes[m, i, : i + 1] = 0.0
    add_products(x_out, slopes, gradient[starts[layers] :].reshape((out_width, size)))
    apply_rows(W, 0, slopes, x_slopes)
    _last_layer_back(
        tokens,
        size,
        coefficients,
        last_attention,
        _matrices(theta, starts, blocks, heads, final, width),
        x_out[:side],
        u,
        (v, v_slopes, u_slopes, scratch, weight_slopes),
        mixed,
        x_slopes,
        _matrices(gradient, starts, blocks, heads, final, width),
        coefficient_slopes,
    )
    for layer in range(final - 1, -1, -1):
        own, side = blocks[layer], blocks[layer] * width
        _inner_layer_back(
            tokens,
            size,
            coefficients[:own],
            coefficients[own : blocks[layer + 1]],
            _matrices(theta, starts, blocks, heads, layer, width),
            _matrices(columns, starts, blocks, heads, layer, width),
            (x[:side], u[0, :side], v[:own], v_slopes, u_slopes[:side], scratch),
            coefficient_slopes[own : blocks[layer + 1]],
            _matrices(gradient, starts, blocks, heads, layer, width),
            coefficient_slopes[:own],
        )


@helper
def _carve(work, start, rows):
    """Take an array (rows, LANES) out of a flat one; returns it and where the next one starts."""
    end = start + rows * LANES
    return work[start:end].reshape((rows, LANES)), end


@helper
def _workspace(heads, blocks, length, size):
    """Numbers that one thread needs."""
    most, out = blocks[-2], blocks[-1]
    width = size + length
    rows = 2 * most * length**2 + heads[-1] * length
    rows += (2 + heads[-1]) * most * width + 2 * out * width
    rows += (most + 3) * length + 3 * size + 3
    return rows * LANES + size * width


@helper
def _run_part(tokens, targets, theta, columns, shape, work, with_gradient, losses, predictions, attended, gradient):
    """Sequences of one partial sum, group after group in the same buffers."""
    count, length = tokens.shape
    size = targets.shape[1]
    heads, _, blocks = shape
    layers, width = heads.shape[0], size + length
    most = blocks[layers - 1]
    side, out_width = most * width, blocks[layers] * width
    coefficients, at = _carve(work, 0, most * length * length)
    coefficient_slopes, at = _carve(work, at, most * length * length)
    last_attention, at = _carve(work, at, heads[layers - 1] * length)
    x, at = _carve(work, at, side)
    u, at = _carve(work, at, heads[layers - 1] * side)
    u_slopes, at = _carve(work, at, side)
    x_out, at = _carve(work, at, out_width)
    x_slopes, at = _carve(work, at, out_width)
    v, at = _carve(work, at, most * length)
    v_slopes, at = _carve(work, at, length)
    weight_slopes, at = _carve(work, at, length)
    mixed, at = _carve(work, at, length)
    scratch, at = _carve(work, at, 3)
    found, at = _carve(work, at, size)
    logits, at = _carve(work, at, size)
    slopes, at = _carve(work, at, size)
    pairs = (most, length, length, LANES)
    buffers = (
        (
            coefficients.reshape(pairs),
            coefficient_slopes.reshape(pairs),
            last_attention.reshape((heads[layers - 1], length, LANES)),
        ),
        (x, u.reshape((heads[layers - 1], side, LANES)), u_slopes, x_out, x_slopes),
        (v.reshape((most, length, LANES)), v_slopes, weight_slopes, mixed, scratch, found, logits, slopes),
        work[at:].reshape((size, width)),
    )
    # Unsigned: an index that cannot be negative needs no check.
    own = np.empty((length, LANES), dtype=np.uint32)
    for low in range(0, count, LANES):
        high = min(count, low + LANES)
        for lane in range(LANES):
            for i in range(length):
                own[i, lane] = tokens[min(low + lane, count - 1), i]
        _run_group(
            own,
            targets[low:high],
            theta,
            columns,
            shape,
            buffers,
            with_gradient,
            losses[low:high],
            predictions[low:high] if predictions.shape[0] else predictions,
            attended,
            gradient,
        )


def run_batch(
    tokens: Integers,
    targets: Array,
    theta: Array,
    columns: Array,
    heads: Integers,
    *,
    gradient: bool = False,
    predictions: bool = False,
    attention: bool = False,
) -> tuple[Array, Array, Array, Array]:
    """Losses (n,), predictions (n, S), summed inner attention (heads, T, T) and summed gradient (P,) of a batch.

    What is not wanted comes back empty. ``columns`` are the parameters from `transpose_layers`.
    """
    count, length = tokens.shape
    parts = -(-count // (GROUPS * LANES))
    losses = np.empty(count)
    predicted = np.empty((count if predictions else 0, targets.shape[1]))
    attended = np.zeros((parts, heads[:-1].sum() if attention else 0, length, length))
    slopes = np.zeros((parts, len(theta) if gradient else 0))
    shape = (heads, *layer_offsets(heads, length + targets.shape[1]))
    given = tuple(map(read_only, (tokens, targets, theta, columns))), tuple(map(read_only, shape))
    run_shared(_run_parts, parts, *given, gradient, losses, predicted, attended, slopes)
    return losses, predicted, attended.sum(axis=0), slopes.sum(axis=0)


@kernel
def _run_parts(start, stop, given, shape, with_gradient, losses, predictions, attended, gradient):
    """Losses and predictions, and the partial sums ``start .. stop``."""
    tokens, targets, theta, columns = given
    heads, _, blocks = shape
    count, length = tokens.shape
    block = GROUPS * LANES
    # What is in the workspace never outlives a group.
    work = np.empty(_workspace(heads, blocks, length, targets.shape[1]))
    for part in range(start, stop):
        low, high = part * block, min(count, (part + 1) * block)
        _run_part(
            tokens[low:high],
            targets[low:high],
            theta,
            columns,
            shape,
            work,
            with_gradient,
            losses[low:high],
            predictions[low:high] if predictions.shape[0] else predictions,
            attended[part],
            gradient[part],
        )
