"""Capacity: what must be installed to serve the peak, what stands idle between peaks, and what can be made of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from demandsim.graph.equation import equation
from demandsim.units.constant import constant

_MEAN = constant(1, "1")


@equation(unit="1", bounds=(0, None))
def capacity_ratio(peak_ratio: Any, headroom: Any, availability: Any, utilization_includes_peak: Any) -> Any:
    r"""Capacity over mean load: the peak, with headroom, on the cards that are not down.

    .. math:: \rho = \frac{r \, h}{a}, \quad r = 1 \text{ if the utilization already includes the peak}

    A utilization that is the average of a whole fleet counts the hours between peaks: times a peak
    ratio it would count the peak twice. `utilization_includes_peak` is 1 for such a utilization and 0
    for one that is measured under full load; anything between them gives NaN, which is reported. A
    ``discrete`` distribution of 0 and 1 says how sure one is which of them it is.

    Source: accounting of capacity; the switch is ours, since published utilizations are of both kinds.

    Examples
    --------
    >>> float(capacity_ratio(peak_ratio=2, headroom=1.125, availability=0.75, utilization_includes_peak=0))
    3.0
    >>> float(capacity_ratio(peak_ratio=2, headroom=1.125, availability=0.75, utilization_includes_peak=1))
    1.5
    >>> float(capacity_ratio(peak_ratio=2, headroom=1.125, availability=0.75, utilization_includes_peak=0.5))
    nan
    """
    return _peak_to_add(peak_ratio, utilization_includes_peak) * headroom / availability


def _peak_to_add(peak_ratio: Any, included: Any) -> Any:
    import xarray as xr

    where: Any = xr.where
    return where(included == 1, 1.0, where(included == 0, peak_ratio, np.nan))


@equation(unit="EFLOP/s", bounds=(0, None))
def capacity_compute(flops_per_token: Any, token_rate: Any, capacity_ratio: Any) -> Any:
    r"""Compute to install: mean compute times the capacity ratio.

    .. math:: C = c \, \dot T \, \rho

    Source: Guosen, January 2025, Fig. 27 and 28, with the capacity ratio in place of the peak ratio.
    """
    return flops_per_token * token_rate * capacity_ratio


@equation(unit="card", name="cards", bounds=(0, None))
def cards_by_capacity(capacity_compute: Any, card_flops: Any, utilization: Any) -> Any:
    r"""Cards needed: those that carry the compute to install.

    .. math:: N = \frac{C}{F \, u}

    With `card_flops` by hardware these are the cards of one kind that would do all the work.

    Source: Guosen, January 2025, Fig. 27 and 28, with the capacity ratio in place of the peak ratio.
    """
    return capacity_compute / (card_flops * utilization)


@equation(unit="1", name="peak_ratio", bounds=(0, None))
def peak_ratio_by_shifting(unshifted_peak_ratio: Any, shifted_share: Any, mean: Any = _MEAN) -> Any:
    r"""Peak over mean compute: after part of the load was moved from the peak to quiet hours.

    .. math:: r = \max(1, (1 - q) \, r_0)

    The share `shifted_share` of all tokens may be computed at any hour: the rest peaks at
    :math:`(1 - q) r_0`, and the movable part fills the hours below. No less than the mean will do.

    Source: conservation of the work of a day; exact for any shape of the load.

    Examples
    --------
    >>> float(peak_ratio_by_shifting(unshifted_peak_ratio=2.0, shifted_share=0.25))
    1.5
    """
    return np.maximum(mean, (1 - shifted_share) * unshifted_peak_ratio)


@equation(unit="card", bounds=(0, None))
def idle_cards(cards: Any, peak_ratio: Any, headroom: Any, availability: Any) -> Any:
    r"""Idle cards: on average over the hours of a day, those that only the peak needs.

    .. math:: N_\text{idle} = N \, \frac{a}{h} \left(1 - \frac{1}{r}\right)

    Headroom and broken cards are not counted: they cannot be promised to anybody.

    Source: mean and peak of one load; DeepSeek, open-infra-index, day 6: nodes lent to training at night.
    """
    return cards * availability / headroom * (1 - 1 / peak_ratio)


@equation(unit="card", bounds=(0, None))
def lent_cards(idle_cards: Any, lent_share: Any) -> Any:
    r"""Cards lent out: the part of the idle ones that training or others make use of, on average.

    .. math:: N_\text{lent} = \ell \, N_\text{idle}

    Source: accounting; DeepSeek, open-infra-index, day 6: nodes lent to training at night.
    """
    return idle_cards * lent_share


@equation(unit="1", bounds=(0, 1))
def elastic_saving(peak_ratio: Any, lent_share: Any) -> Any:
    r"""Saving by elastic use: the part of a fleet sized for the peak that need not be paid for.

    .. math:: \ell \left(1 - \frac{1}{r}\right)

    Source: mean and peak of one load. A published saving of 25 to 50% by elastic use (Guosen, January
    2025, on Alibaba) is that of peak ratios from 1.33 to 2 when everything idle is given back.

    Examples
    --------
    >>> float(elastic_saving(peak_ratio=2.0, lent_share=1.0))
    0.5
    """
    return lent_share * (1 - 1 / peak_ratio)
