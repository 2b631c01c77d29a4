r"""Designs: addressable blocks of the unit cube, one keyed stream per assumption.

Every design is a function of (seed, chain, stream, start, stop, draws) and nothing else: any block
of any stream can be computed anywhere, in any order, with the same bits. A new design costs one
function and one row in `UNIFORMS`, and one row in `statistics.design` that says what holds of its draws.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from demandsim._system import Array, once_it_pays
from demandsim.errors import DemandsimError, check_whole
from demandsim.statistics.design import DesignName

__all__ = [
    "UNIFORMS",
    "Stream",
    "Uniforms",
    "entropy_of",
    "latin_hypercube",
    "random",
    "recorded_seed",
    "sobol",
    "uniforms",
]


_SMALLEST = 2.0**-54


def entropy_of(seed: int | None) -> int:
    """Return the seed, or fresh entropy in its place.

    Raises
    ------
    DemandsimError
        If it is neither None nor a whole number of at least 0.
    """
    return secrets.randbits(63) if seed is None else check_whole("seed", seed, 0, also=", or None", most=2**128)


def recorded_seed(seed: int) -> int | str:
    """Return the seed as attributes hold it: netCDF has no whole numbers beyond 64 bits."""
    return seed if seed < 2**63 else str(seed)


@dataclass(frozen=True)
class Stream:
    """One coordinate of the unit cube, and what it is for.

    Parameters
    ----------
    name : str
        Assumption that it feeds.
    element : int
        Element of that assumption, if it has dims.
    dimension : int
        Place in a low-discrepancy sequence. The other designs do not look at it.
    """

    name: str
    element: int = 0
    dimension: int = 0

    @property
    def label(self) -> str:
        """Name and, beyond the first, number of the element."""
        return f"{self.name}[{self.element}]" if self.element else self.name


#: Of seed (not negative), chain (an independent randomisation), stream, start, stop and draws: numbers in (0, 1) for
#: draws `start` to `stop` of the `draws` of one stream of one chain.
type Uniforms = Callable[[int, int, Stream, int, int, int], Array]


def _words(number: int) -> list[int]:
    """A whole number in pieces of 32 bits, the lowest first."""
    found = [number & 0xFFFF_FFFF]
    while number := number >> 32:
        found.append(number & 0xFFFF_FFFF)
    return found


@functools.lru_cache(maxsize=4096)
def _name_words(name: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(hashlib.blake2b(name.encode(), digest_size=16).digest(), dtype="<u4").tolist())


def _key(seed: int, chain: int, stream: Stream, purpose: int) -> np.random.SeedSequence:
    """``SeedSequence(seed, spawn_key=(purpose, chain, element, *words of the name))``.

    Of words that numpy need not take from whole numbers one by one, which takes it four times as long as all the rest.
    """
    own = _words(seed)
    where = [purpose, *_words(chain), *_words(stream.element), *_name_words(stream.name)]
    return np.random.SeedSequence(np.array([*own, *[0] * (4 - len(own)), *where], dtype=np.uint32))


@functools.lru_cache(maxsize=65536)
def _generator_state(seed: int, chain: int, stream: Stream, purpose: int) -> tuple[int, int]:
    state = cast(dict[str, dict[str, int]], np.random.PCG64DXSM(_key(seed, chain, stream, purpose)).state)["state"]
    return state["state"], state["inc"]


def _uniform(seed: int, chain: int, stream: Stream, purpose: int, start: int, stop: int) -> Array:
    state, increment = _generator_state(seed, chain, stream, purpose)
    bits = np.random.PCG64DXSM(0)
    bits.state = {
        "bit_generator": "PCG64DXSM",
        "state": {"state": state, "inc": increment},
        "has_uint32": 0,
        "uinteger": 0,
    }
    if start:
        bits.advance(start)
    return np.random.Generator(bits).random(stop - start)


def random(seed: int, chain: int, stream: Stream, start: int, stop: int, draws: int) -> Array:
    """Independent uniform numbers (PCG64DXSM), one stream per name and element.

    Examples
    --------
    >>> whole = random(1, 0, Stream("utilization"), 0, 8, 8)
    >>> bool((whole[3:5] == random(1, 0, Stream("utilization"), 3, 5, 8)).all())
    True
    """
    u = _uniform(seed, chain, stream, 0, start, stop)
    return np.maximum(u, _SMALLEST, out=u)


def latin_hypercube(seed: int, chain: int, stream: Stream, start: int, stop: int, draws: int) -> Array:
    r"""One number in each of `draws` equal strata, in a random order of its own per stream.

    .. math:: u_i = (\pi(i) + w_i) / n

    with :math:`\pi` a keyed permutation that is computed, not stored, so that a block needs no
    other. Source: McKay, Beckman and Conover, Technometrics 21 (1979).

    Examples
    --------
    >>> u = latin_hypercube(1, 0, Stream("utilization"), 0, 5, 5)
    >>> sorted((u * 5).astype(int).tolist())
    [0, 1, 2, 3, 4]
    """
    u = _uniform(seed, chain, stream, 1, start, stop)
    u += _permuted(np.arange(start, stop, dtype=np.uint64), draws, _permutation_key(seed, chain, stream))
    u /= draws
    return np.clip(u, _SMALLEST, 1.0 - 2.0**-53, out=u)


@functools.lru_cache(maxsize=65536)
def _permutation_key(seed: int, chain: int, stream: Stream) -> tuple[tuple[int, int], ...]:
    words = _key(seed, chain, stream, 2).generate_state(16, np.uint64).tolist()
    return tuple(zip(words[::2], words[1::2], strict=True))


def _permuted(index: npt.NDArray[np.uint64], size: int, key: tuple[tuple[int, int], ...]) -> npt.NDArray[np.uint64]:
    """Permute 0 .. size - 1 by rounds of bijections of the next power of two, walking past `size`."""
    bits = max(size - 1, 1).bit_length()
    mask, half = np.uint64((1 << bits) - 1), np.uint64((bits + 1) // 2)

    def step(x: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        for multiplier, addend in key:
            x = (x + np.uint64(addend & int(mask))) & mask
            x = (x * np.uint64(multiplier | 1)) & mask
            x = x ^ (x >> half)
        return x

    with np.errstate(over="ignore"):
        x = step(index)
        outside = np.flatnonzero(x >= size)
        while outside.size:
            x[outside] = step(x[outside])
            outside = outside[x[outside] >= size]
    return x


#: Fractional bits of a Sobol' point: with half a step added, every double in (0, 1) is exact.
_BITS = 52
_LOW_BITS = 10
_ROW = 1 << _LOW_BITS
_EXPONENT = np.uint64(1023 << 52)
_OFFSET = 1.0 - 2.0**-53
_PLACES = np.arange(_BITS - 1, -1, -1, dtype=np.uint64)
#: Digits that one table scrambles, and how many tables follow each other.
_DEPTH, _TABLES = 10, 2
_CELLS = (1 << _DEPTH) - 1
_ROWS = 64
#: Of each coin, where its digit stands among those of a table; and what writes 16 bits twice into 32.
_DIGITS = (_DEPTH - np.frexp(np.maximum(np.arange(1 << _DEPTH), 1))[1]).astype(np.uint32)
_TWICE = np.uint32(0x1_0001)
#: Chains of few draws that are scrambled together.
_TOGETHER = 8


#: Dimensions for which there are direction numbers.
_DIMENSIONS = 21_201


@functools.lru_cache(maxsize=8)
def _directions(dimensions: int) -> npt.NDArray[np.uint64]:
    r"""Direction numbers of Joe and Kuo, shape (dimensions, bits).

    From the initial ones by the recurrence of a dimension's primitive polynomial of degree s and coefficients a,

    .. math:: m_j = 2 a_1 m_{j-1} \oplus \dots \oplus 2^{s-1} a_{s-1} m_{j-s+1} \oplus 2^s m_{j-s} \oplus m_{j-s}
    """
    if dimensions > _DIMENSIONS:
        raise DemandsimError(
            f"design 'sobol' has {_DIMENSIONS} dimensions, this model needs {dimensions}; "
            "use design='random' or shared=True"
        )
    with resources.files(__package__).joinpath("joe_kuo.npz").open("rb") as file, np.load(file) as shipped:
        polynomials = shipped["polynomial"][: dimensions - 1].astype(np.uint64)
        degrees = np.frexp(polynomials.astype(np.float64))[1] - 1
        m = np.ones((dimensions, _BITS), dtype=np.uint64)
        for place in range(degrees.max(initial=0)):
            of = np.flatnonzero(degrees > place)
            m[1 + of, place] = shipped[f"m{place + 1}"][: of.size]
    for degree in np.unique(degrees):
        rows = 1 + np.flatnonzero(degrees == degree)
        bits = (polynomials[rows - 1, None] >> np.arange(degree - 1, -1, -1, dtype=np.uint64)) & np.uint64(1)
        multipliers = bits << np.arange(1, degree + 1, dtype=np.uint64)
        for place in range(degree, _BITS):
            # Of a product of a number and one power of two, or of none.
            terms = multipliers * m[rows, place - degree : place][:, ::-1]
            m[rows, place] = m[rows, place - degree] ^ np.bitwise_xor.reduce(terms, axis=1)
    return m << _PLACES


@functools.lru_cache(maxsize=4096)
def _points(dimension: int) -> tuple[npt.NDArray[np.uint64], tuple[int, ...], tuple[int, ...]]:
    """Of one dimension, before scrambling: the first row of points, and the directions of the rows."""
    # By powers of two, so that a few tables serve all dimensions, up to the last that there are.
    size = max(16, min(1 << dimension.bit_length(), max(_DIMENSIONS, dimension + 1)))
    directions = _directions(size)[dimension]
    row = np.empty(_ROW, dtype=np.uint64)
    row[0] = _EXPONENT
    for bit in range(_LOW_BITS):
        np.bitwise_xor(row[: 1 << bit], directions[bit], out=row[1 << bit : 2 << bit])
    high = directions[_LOW_BITS:]
    # What changes from row r to r + 1: the directions of all bits up to the lowest that is 0.
    return row, tuple(high.tolist()), tuple(np.bitwise_xor.accumulate(high).tolist())


def _tables(seed: int, chains: tuple[int, ...], stream: Stream) -> npt.NDArray[np.int64]:
    """Tables of what is added to the digits of a point, by its first digits and then by the next, of some chains.

    A digit is flipped or not by a coin of its own for all digits before it, that is for the cell in which the point
    lies; what stands below the digits of a table is shifted at random, in each cell by itself.

    Returns
    -------
    array of shape (_TABLES, chains, 2**_DEPTH)
    """
    words = np.empty((len(chains) * _TABLES, 1 << _DEPTH), dtype=np.uint64)
    for own, chain in zip(words.reshape(len(chains), -1), chains, strict=True):
        own[:] = np.random.PCG64DXSM(_key(seed, chain, stream, 3)).random_raw(own.size)
    # The coins of a digit are the leading bits of words that no other digit looks at. Everything stands twice, one
    # beside the other: for the next digit, the cells on either side.
    coins = (words >> np.uint64(63)).astype(np.uint32)
    coins *= _TWICE << _DIGITS
    flips = coins[:, 1:2].view(np.uint16)
    for digit in range(1, _DEPTH):
        found = flips * _TWICE
        found ^= coins[:, 1 << digit : 2 << digit]
        flips = found.view(np.uint16)
    tables = np.empty((_TABLES, len(chains), 1 << _DEPTH), dtype=np.uint64)
    for number in range(_TABLES):
        below = np.uint64(_BITS - (number + 1) * _DEPTH)
        np.left_shift(flips[number::_TABLES], below, out=tables[number], dtype=np.uint64)
        tables[number] |= words[number::_TABLES] & ((np.uint64(1) << below) - np.uint64(1))
    return tables.view(np.int64)


@functools.lru_cache(maxsize=8192)
def _scrambling(seed: int, chain: int, stream: Stream) -> npt.NDArray[np.int64]:
    """Tables of one chain."""
    return _tables(seed, (chain,), stream)


#: As much as of single chains.
_scrambling_of_some = functools.lru_cache(maxsize=8192 // _TOGETHER)(_tables)


def sobol(seed: int, chain: int, stream: Stream, start: int, stop: int, draws: int) -> Array:
    r"""A scrambled Sobol' sequence, with its own scrambling per chain, in natural order.

    Averages of smooth functions converge nearly as :math:`n^{-3/2}` instead of :math:`n^{-1/2}`,
    when the number of points is a power of two. Scrambling is nested and uniform: every chain is an unbiased,
    independent estimate, and the errors of chains are nearly normal, so that their spread tells the error of
    their mean. (Errors of a random linear scrambling, whose digits are all shifted alike, have rare huge values.)

    Sources: Joe and Kuo, SIAM J. Sci. Comput. 30 (2008), directions; Owen, Annals of Statistics 25 (1997),
    scrambling; Loh, Annals of Statistics 31 (2003), normality.

    Examples
    --------
    >>> u = sobol(1, 0, Stream("utilization"), 0, 8, 8)
    >>> sorted((u * 8).astype(int).tolist())
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    row, high, steps = _points(stream.dimension)
    tables = _scrambling(seed, chain, stream)
    if stop <= _ROW:
        return _scrambled(row[None, start:stop].copy(), tables).ravel()
    first, last = start >> _LOW_BITS, (stop + _ROW - 1) >> _LOW_BITS
    prefix = 0
    for bit, direction in enumerate(high):
        if first >> bit & 1:
            prefix ^= direction
    prefixes = []
    for index in range(first, last):
        prefixes.append(prefix)
        prefix ^= steps[(~index & (index + 1)).bit_length() - 1]
    starts = np.array(prefixes, dtype=np.uint64)
    fast = _scramble((last - first) << _LOW_BITS)
    if fast is None:
        u = _scrambled(row ^ starts[:, None], tables).ravel()
    else:
        u = np.empty((last - first) << _LOW_BITS)
        fast(row.view(np.int64), starts.view(np.int64), tables.reshape(_TABLES, -1), u.view(np.int64), u)
    return u[start - (first << _LOW_BITS) : stop - (first << _LOW_BITS)]


def _types(numba: Any) -> tuple[Any, ...]:
    # What is kept between calls is read-only to whoever asks for it.
    given = [numba.types.Array(numba.int64, ndim, "C", readonly=True) for ndim in (1, 1, 2)]
    return *given, numba.int64[::1], numba.float64[::1]


def _scrambled(bits: npt.NDArray[np.uint64], tables: npt.NDArray[np.int64]) -> Array:
    """Numbers of rows of points, which are written over; each row is of a chain of its own, or all are of one."""
    points, chains = bits.view(np.int64), tables.shape[1]
    places = np.arange(chains)[:, None] << _DEPTH
    # A few rows at a time stay in the cache.
    for some in range(0, len(points), _ROWS):
        part = points[some : some + _ROWS]
        for number, table in enumerate(tables.reshape(_TABLES, -1), 1):
            cells = part >> (_BITS - number * _DEPTH)
            cells &= _CELLS
            if chains > 1:
                cells += places[some : some + _ROWS]
            part ^= table.take(cells)
    u = bits.view(np.float64)
    u -= _OFFSET
    return u


@once_it_pays(lambda numba: numba.void(*_types(numba)))
def _scramble(
    row: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    tables: npt.NDArray[np.int64],
    bits: npt.NDArray[np.int64],
    out: Array,
) -> None:
    """As `_scrambled`, of the rows of one chain, into `out`, whose memory `bits` is; written for numba."""
    first, second = _BITS - _DEPTH, _BITS - 2 * _DEPTH
    for place in range(bits.size):
        point = row[place & (_ROW - 1)] ^ starts[place >> _LOW_BITS]
        point ^= tables[0, (point >> first) & _CELLS]
        bits[place] = point ^ tables[1, (point >> second) & _CELLS]
    for place in range(out.size):
        out[place] -= _OFFSET


def uniforms(design: DesignName, seed: int, stream: Stream, parts: Sequence[tuple[int, int, int]], draws: int) -> Array:
    """Numbers of ranges of draws of several chains, (chain, start, stop) of each, one after the other.

    Examples
    --------
    >>> parts = [(0, 0, 4), (1, 0, 4)]
    >>> one, other = (sobol(1, chain, Stream("utilization"), 0, 4, 4) for chain in range(2))
    >>> bool((uniforms("sobol", 1, Stream("utilization"), parts, 4) == [*one, *other]).all())
    True
    """
    alike = len({part[1:] for part in parts}) == 1
    if design != "sobol" or len(parts) == 1 or not alike or draws > _ROW:
        found = [UNIFORMS[design](seed, chain, stream, start, stop, draws) for chain, start, stop in parts]
        return found[0] if len(found) == 1 else np.concatenate(found)
    _, start, stop = parts[0]
    row = _points(stream.dimension)[0][start:stop]
    out = np.empty((len(parts), stop - start))
    # Of few draws, most of the time would go into each chain by itself.
    for some in range(0, len(parts), _TOGETHER):
        chains = tuple(chain for chain, _, _ in parts[some : some + _TOGETHER])
        tables = _scrambling_of_some(seed, chains, stream)
        out[some : some + _TOGETHER] = _scrambled(np.tile(row, (len(chains), 1)), tables)
    return out.ravel()


UNIFORMS: dict[DesignName, Uniforms] = {"sobol": sobol, "latin_hypercube": latin_hypercube, "random": random}
