"""A cluster under faults: a worker that dies changes no bit, an equation that raises is named."""

import os
import signal
import threading
import time

import numpy as np
import pytest

import demandsim as ds
from demandsim.errors import DemandsimError

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore")

MODEL = ds.load_study("guosen-2025-01")
KEEP = ["cards", "gross_margin"]


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster) as found,
    ):
        yield found


def test_an_active_client_makes_draws_lazy_and_leaves_the_bits(client):
    lazy = MODEL.simulate(1024, seed=1, keep=KEEP)
    assert lazy.cards.chunks is not None
    held = MODEL.simulate(1024, seed=1, keep=KEEP, rtol=10.0, of=["cards"])
    np.testing.assert_array_equal(lazy.cards.values, held.cards.values)
    summary = ds.summarize(lazy).cards.sel(scenario="100T", statistic="median")
    assert float(summary) == pytest.approx(float(held.cards.sel(scenario="100T").median()), rel=1e-3)


def test_a_killed_worker_changes_no_bit(client):
    slow = _slowed(MODEL)
    whole = slow.simulate(512, chains=4, seed=2, keep=["cards"], rtol=10.0, of=["cards"]).cards.values
    victims = list(client.run(os.getpid).values())
    killed = []

    def kill():
        time.sleep(0.4)
        os.kill(victims[0], signal.SIGKILL)
        killed.append(victims[0])

    thread = threading.Thread(target=kill)
    thread.start()
    lazy = slow.simulate(512, chains=4, seed=2, keep=["cards"], chunks=64).cards.values
    thread.join()
    assert killed
    np.testing.assert_array_equal(lazy, whole)
    client.wait_for_workers(2, timeout=60)
    assert victims[0] not in client.run(os.getpid).values()


def _slowed(model):
    @ds.equation(unit="card")
    def cards(peak_compute, card_flops, utilization):
        """Cards needed, slowly: so that a worker can be killed in the middle."""
        import time

        time.sleep(0.05)
        return peak_compute / (card_flops * utilization)

    return model.with_equations(cards)


def test_an_equation_that_raises_on_a_worker_is_named_with_its_assumptions(client):
    @ds.equation(unit="1")
    def fragile(utilization):
        """Raises for low utilization."""
        if (utilization < 0.2).any():
            raise RuntimeError("too low to be true")
        return utilization

    model = MODEL.with_equations(fragile)
    with pytest.raises(DemandsimError, match=r"equation 'fragile' raised RuntimeError: too low.*utilization = 0\.1"):
        model.simulate(1024, seed=1, keep=["fragile"]).fragile.compute()


def test_a_cluster_writes_a_store(client, tmp_path):
    stored = MODEL.simulate(512, chains=2, seed=1, chunks=128, keep=KEEP, store=tmp_path / "draws.zarr")
    held = MODEL.simulate(512, chains=2, seed=1, keep=KEEP, rtol=10.0, of=["cards"])
    np.testing.assert_array_equal(stored.cards.values, held.cards.values)
