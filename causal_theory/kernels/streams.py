"""Random numbers inside kernels: one independent stream per sequence, so that threads cannot matter.

The generator is xoshiro256++ (Blackman and Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47,
2021), its state filled by splitmix64 from two key words and the number of the stream.
"""

import numpy as np

from causal_theory.kernels._jit import helper, pasted_helper

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX1 = np.uint64(0xBF58476D1CE4E5B9)
MIX2 = np.uint64(0x94D049BB133111EB)
UNIT = 1.0 / 9007199254740992.0
"""Two to the power -53."""


@pasted_helper
def _mix(word):
    word = (word ^ (word >> np.uint64(30))) * MIX1
    word = (word ^ (word >> np.uint64(27))) * MIX2
    return word ^ (word >> np.uint64(31))


@helper
def open_stream(keys, number, state):
    """Fill the state (4,) of the stream with a number, under two key words (2,) uint64."""
    word = _mix(keys[0] + GOLDEN * np.uint64(number)) ^ keys[1]
    for k in range(4):
        word = word + GOLDEN
        state[k] = _mix(word)


@pasted_helper
def _rotated(word, shift):
    return (word << np.uint64(shift)) | (word >> np.uint64(64 - shift))


@pasted_helper
def next_word(state):
    """Advance the state, and return 64 random bits."""
    result = _rotated(state[0] + state[3], 23) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = _rotated(state[3], 45)
    return result


@pasted_helper
def uniform(state):
    """Draw a number strictly between 0 and 1."""
    return (np.float64(next_word(state) >> np.uint64(11)) + 0.5) * UNIT


@pasted_helper
def below(state, count):
    """Draw an integer from 0 to ``count - 1``; the bias is below ``count / 2**53``."""
    return min(int(uniform(state) * count), count - 1)


@helper
def normal(state):
    """Draw a standard normal number (polar method)."""
    while True:
        u = 2.0 * uniform(state) - 1.0
        v = 2.0 * uniform(state) - 1.0
        square = u * u + v * v
        if 0.0 < square < 1.0:
            return u * np.sqrt(-2.0 * np.log(square) / square)


@helper
def _large_gamma(state, shape):
    """Draw a gamma number of shape at least 1 (Marsaglia and Tsang, ACM TOMS 26, 2000)."""
    d = shape - 1.0 / 3.0
    c = 1.0 / np.sqrt(9.0 * d)
    while True:
        x = normal(state)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = uniform(state)
        if np.log(u) < 0.5 * x * x + d - d * v + d * np.log(v):
            return d * v


@helper
def log_gamma(state, shape):
    """Draw the logarithm of a gamma number of any shape: small shapes do not underflow.

    Below shape 1 by rejection (Ahrens and Dieter, Computing 12, 1974, method GS), which accepts nearly always.
    """
    if shape == 1.0:
        return np.log(-np.log(uniform(state)))
    if shape > 1.0:
        return np.log(_large_gamma(state, shape))
    bound = 1.0 + shape / np.e
    while True:
        p = bound * uniform(state)
        if p <= 1.0:
            log_x = np.log(p) / shape
            if uniform(state) <= np.exp(-np.exp(log_x)):
                return log_x
        else:
            x = -np.log((bound - p) / shape)
            log_x = np.log(x)
            if np.log(uniform(state)) <= (shape - 1.0) * log_x:
                return log_x


@pasted_helper
def _power(base, exponent):
    """Return a positive integer power by repeated squaring."""
    result = 1.0
    while exponent > 0:
        if exponent & 1:
            result *= base
        base *= base
        exponent >>= 1
    return result


@helper
def inverse_gamma_shape(state, inverse):
    """Draw a gamma number of shape ``1 / inverse`` for an integer from 2 to 20: the power needs no logarithm."""
    shape = 1.0 / inverse
    bound = 1.0 + shape / np.e
    while True:
        p = bound * uniform(state)
        if p <= 1.0:
            x = _power(p, inverse)
            u = uniform(state)
            # 1 - x <= exp(-x): most numbers are accepted without an exponential.
            if u <= 1.0 - x or u <= np.exp(-x):
                return x
        else:
            x = -np.log((bound - p) / shape)
            if np.log(uniform(state)) <= (shape - 1.0) * np.log(x):
                return x
