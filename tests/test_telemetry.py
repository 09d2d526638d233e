"""Metrics are what the ledger's records say, with labels that an operator chose."""

from fairlead.records import CallClosed, Intent, Outcome
from fairlead.telemetry import Metrics


def intent(attempt: str = "a1", target: str = "t") -> Intent:
    return Intent(
        attempt=attempt, call="c1", at_us=1, key="k", route="r", target=target, backend="b", model="m", zone="private"
    )


def outcome(attempt: str = "a1", **changes: object) -> Outcome:
    fields = {"outcome": "ok", "input_tokens": 10, "output_tokens": 4, "cost_nusd": 5_000, "first_token_us": 20_000}
    return Outcome(attempt=attempt, call="c1", **{**fields, **changes})  # type: ignore[arg-type]


def call(**changes: object) -> CallClosed:
    fields = {"call": "c1", "at_us": 1, "key": "k", "route": "r", "status": "ok", "duration_us": 30_000}
    return CallClosed(**{**fields, **changes})  # type: ignore[arg-type]


def exposed(metrics: Metrics) -> str:
    return metrics.exposition(
        open_calls={"w": 2},
        refused=3,
        engines={"mini": (True, 1)},
        lag_s=0.5,
        keys_age_s=2.5,
        unrecorded=3,
        circuits=[("t", "b", "open")],
        limits={("route:r:tokens:minute", "tokens"): {"amount": 100, "spent": 7}},
        leases_beyond=4,
        leases_away=True,
    ).decode()


def test_calls_attempts_tokens_and_money_are_counted() -> None:
    metrics = Metrics()
    metrics.saw([intent(), outcome(), call()])
    text = exposed(metrics)
    assert 'fairlead_calls_total{code="",route="r",status="ok"} 1.0' in text
    assert 'fairlead_attempts_total{outcome="ok",purpose="primary",route="r",target="t"} 1.0' in text
    assert 'fairlead_tokens_total{kind="input",target="t"} 10.0' in text
    assert 'fairlead_cost_usd_total{route="r",target="t"} 5e-06' in text
    assert 'fairlead_time_to_first_token_seconds_count{target="t"} 1.0' in text
    assert 'fairlead_open_calls{worker="w"} 2.0' in text and "fairlead_unauthenticated_requests 3.0" in text
    assert 'fairlead_engine_up{engine="mini"} 1.0' in text and "fairlead_spool_lag_seconds 0.5" in text
    assert "fairlead_keys_age_seconds 2.5" in text
    assert 'fairlead_limit{limit="route:r:tokens:minute",state="spent",unit="tokens"} 7.0' in text
    assert "fairlead_leases_beyond 4.0" in text and "fairlead_leases_away 1.0" in text

    assert "fairlead_keys_age_seconds 2.5" in text and "fairlead_unrecorded_calls 3.0" in text
    assert 'fairlead_circuit{backend="b",state="open",target="t"} 1.0' in text


def test_an_unknown_price_is_counted_as_such_and_never_as_nothing() -> None:
    metrics = Metrics()
    metrics.saw([intent(), outcome(cost_nusd=None)])
    text = exposed(metrics)
    assert 'fairlead_unpriced_attempts_total{target="t"} 1.0' in text and "fairlead_cost_usd_total{" not in text


def test_names_that_callers_make_up_do_not_become_labels() -> None:
    metrics = Metrics()
    metrics.saw([call(route=f"made-up-{number}", status="denied", code="route_not_found") for number in range(50)])
    text = exposed(metrics)
    assert "made-up" not in text
    assert 'fairlead_calls_total{code="route_not_found",route="(unknown)",status="denied"} 50.0' in text


def test_what_is_gone_is_not_shown() -> None:
    metrics = Metrics()
    exposed(metrics)
    text = metrics.exposition(open_calls={}, refused=0, engines={}, lag_s=0, keys_age_s=0, unrecorded=0).decode()
    assert 'worker="w"' not in text and "fairlead_circuit{" not in text


def test_what_a_cache_did_is_counted() -> None:
    metrics = Metrics()
    metrics.saw([call(cache="hit"), call(cache="hit"), call(cache="miss"), call()])
    text = exposed(metrics)
    assert 'fairlead_cache_total{cache="hit",route="r"} 2.0' in text
    assert 'fairlead_cache_total{cache="miss",route="r"} 1.0' in text and 'cache=""' not in text
