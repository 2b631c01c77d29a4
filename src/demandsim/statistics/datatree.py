"""Datatree: draws in ArviZ's schema, so that its functions and plots run on them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Container, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from demandsim.errors import DemandsimError, check_dataset, check_known

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["numbered", "observations", "to_datatree", "told_evidence"]

#: Prefix of the coordinates that hold the log-likelihood of each draw.
_LIKELIHOOD = "log_likelihood_"


def to_datatree(
    draws: xr.Dataset, prior: xr.Dataset | None = None, *, group: Literal["prior", "posterior"] = "prior"
) -> xr.DataTree:
    """Put draws into ArviZ's schema, so that its functions and plots run on them.

    Parameters
    ----------
    draws : Dataset
        Made by ``model.simulate``, by ``model.infer``, or by others.
    prior : Dataset, optional
        With a posterior: draws of the same model's prior, by ``model.simulate``.
    group : {"prior", "posterior"}, default "prior"
        What the draws of others are of. Quantities that do not say whether they are assumptions stand in this group if
        none says it, and otherwise with what is computed.

    Returns
    -------
    DataTree
        Of simulated draws, group ``prior`` holds the assumptions, ``prior_predictive`` the computed
        quantities, both with dims ``chain`` and ``draw`` first. Of a posterior, ``posterior`` holds the
        assumptions that vary, ``posterior_predictive`` the computed quantities, ``observed_data`` the medians
        of the evidence, ``log_likelihood`` one entry per observed quantity (over all its labels), and
        ``log_prior`` the prior's density. `prior` adds ``prior`` and ``prior_predictive`` with the same variables.

    Raises
    ------
    DemandsimError
        If `prior` is given with draws that are no posterior; if a dim or all variables are missing.
    UnknownNameError
        If there is no such `group`.

    Notes
    -----
    psense scales one likelihood, so scenarios that are worlds of their own go one by one:
    ``to_datatree(posterior.sel(scenario="100T"))``.

    Examples
    --------
    >>> import demandsim as ds
    >>> model = ds.load_study("guosen-2025-01").select(scenario="100T")
    >>> draws = model.simulate(draws=64, seed=1)
    >>> sorted(to_datatree(draws).children)
    ['prior', 'prior_predictive']
    >>> posterior = model.observe(cards="lognormal(4e5, 8e5)").infer(draws=64, seed=1)
    >>> sorted(to_datatree(posterior, draws).children)
    ['log_likelihood', 'log_prior', 'observed_data', 'posterior', 'posterior_predictive', 'prior', 'prior_predictive']
    """
    import xarray as xr

    check_dataset(draws)
    check_known([group], ("prior", "posterior"), "group")
    for dim in ("chain", "draw"):
        if dim not in draws.dims:
            raise DemandsimError(f"draws have no dim '{dim}'; ds.import_draws makes draws of a table")
    if "evidence" not in draws.attrs:
        if prior is not None:
            raise DemandsimError("prior= goes with a posterior, as model.infer makes it; these draws are of a prior")
        return xr.DataTree.from_dict(_by_role(draws, group, f"{group}_predictive"), name="demandsim")
    bare = draws.drop_vars([name for name in draws.coords if str(name).startswith(("log_prior", _LIKELIHOOD))])
    varying = [name for name, array in bare.data_vars.items() if _varies(array)]
    parts = _by_role(bare[varying], "posterior", "posterior_predictive")
    parts["log_prior"] = _densities(draws, {"log_prior": "log_prior"})
    likelihoods = {str(name): str(name).removeprefix(_LIKELIHOOD) for name in draws.coords if _is_likelihood(name)}
    if likelihoods:
        parts["log_likelihood"] = _densities(draws, likelihoods)
    observed = _observed(draws)
    if observed:
        parts["observed_data"] = observed
    if prior is not None:
        for name_of_group, whole in _by_role(prior, "prior", "prior_predictive").items():
            own = parts.get(name_of_group.replace("prior", "posterior"), xr.Dataset())
            names = [name for name in own.data_vars if name in whole]
            # Where worlds differ in the posterior, each has the same prior.
            parts[name_of_group] = xr.Dataset(
                {name: _with_dims(whole[name], own[name]) for name in names}, attrs=whole.attrs
            ).transpose("chain", "draw", ...)
    return xr.DataTree.from_dict({name: part for name, part in parts.items() if part.data_vars}, name="demandsim")


def _is_likelihood(name: Any) -> bool:
    return str(name).startswith(_LIKELIHOOD)


def _by_role(draws: xr.Dataset, assumptions: str, computed: str) -> dict[str, xr.Dataset]:
    ordered = draws.transpose("chain", "draw", ..., missing_dims="ignore")
    roles = {name: array.attrs.get("role") for name, array in ordered.data_vars.items()}
    if not any(roles.values()):
        return {assumptions: ordered}
    inputs = [name for name, role in roles.items() if role == "assumption"]
    others = [name for name in roles if name not in inputs]
    return {group: ordered[names] for group, names in ((assumptions, inputs), (computed, others)) if names}


def _varies(array: xr.DataArray) -> bool:
    """Whether any element takes more than one value: ArviZ's plots and diagnostics need it of all."""
    spread = array.max(["chain", "draw"]) - array.min(["chain", "draw"])
    return bool((spread > 0).all())


def _densities(draws: xr.Dataset, names: Mapping[str, str]) -> xr.Dataset:
    import xarray as xr

    found = {new: draws.coords[name].reset_coords(drop=True) for name, new in names.items() if name in draws.coords}
    return xr.Dataset(found).transpose("chain", "draw", ...)


def told_evidence(draws: xr.Dataset) -> list[dict[str, Any]]:
    """What draws of a posterior say of their evidence, a table a piece: its words, unit and source.

    An observation has its quantity, the medians and central 90% intervals (``lower``, ``upper``) of what was read, and
    their labels (``coords``) as well.
    """
    found: list[dict[str, Any]] = json.loads(draws.attrs["evidence"])
    return found


def observations(draws: xr.Dataset) -> list[dict[str, Any]]:
    """Those pieces of the evidence that are observations of a quantity; see `told_evidence`."""
    return [piece for piece in told_evidence(draws) if "quantity" in piece]


def _observed(draws: xr.Dataset) -> xr.Dataset:
    """Medians of the observations; a quantity that was observed twice is there twice."""
    import xarray as xr

    found: dict[str, xr.DataArray] = {}
    for piece in observations(draws):
        name, coords = numbered(piece["quantity"], found), piece["coords"]
        # Under dims of their own: what was observed need not have all labels.
        own = {f"{dim}_observed": labels for dim, labels in coords.items()}
        values = np.reshape(piece["observed"], [len(labels) for labels in own.values()])
        attrs = {"units": piece["unit"], "source": piece["source"], "evidence": piece["evidence"]}
        found[name] = xr.DataArray(values, dims=list(own), coords=own, attrs=attrs)
    return xr.Dataset(found)


def numbered(name: str, taken: Container[str]) -> str:
    """Return a name that is not taken yet: itself, or with the first number that is free.

    Examples
    --------
    >>> numbered("cards", {"cards", "cards_2"})
    'cards_3'
    """
    return name if name not in taken else next(made for n in itertools.count(2) if (made := f"{name}_{n}") not in taken)


def _with_dims(array: xr.DataArray, like: xr.DataArray) -> xr.DataArray:
    """The array repeated over the scenario dims that it lacks."""
    template = like.isel(chain=0, draw=0, drop=True)
    return array.broadcast_like(template).assign_attrs(array.attrs)
