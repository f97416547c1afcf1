"""The retry budget."""

from l7lb.model_failures import RetrySpec
from l7lb.pool.budget import RetryBudget


def allowed(budget, spec=None):
    """How many retries go through now."""
    count = 0
    while budget.allow_retry(spec):
        count += 1
    return count


def test_a_share_of_the_requests_and_a_minimum():
    budget = RetryBudget(RetrySpec(budget=0.2, minimum=3), 1, 0.0)
    for _ in range(50):
        budget.count_request()
    assert allowed(budget) == 13
    assert (budget.requests, budget.retries, budget.refused) == (50, 13, 1)


def test_nothing_is_left_of_what_is_ten_seconds_old():
    budget = RetryBudget(RetrySpec(budget=1.0, minimum=0), 1, 100.0)
    budget.count_request()
    assert allowed(budget) == 1
    budget.tick(105.5)
    budget.count_request()
    assert (budget.requests, budget.retries) == (2, 1)
    budget.tick(110.0)
    assert (budget.requests, budget.retries) == (1, 0)
    assert allowed(budget) == 1
    budget.tick(5000.0)
    assert (budget.requests, budget.retries) == (0, 0)


def test_the_minimum_is_shared_by_the_workers():
    assert allowed(RetryBudget(RetrySpec(minimum=10), 4, 0.0)) == 3


def test_a_route_may_bring_its_own():
    budget = RetryBudget(RetrySpec(minimum=10), 1, 0.0)
    assert allowed(budget, RetrySpec(budget=0.0, minimum=2)) == 2


def test_a_clock_that_stands_still_or_goes_back_forgets_nothing():
    budget = RetryBudget(RetrySpec(), 1, 50.0)
    budget.count_request()
    budget.tick(50.9)
    budget.tick(40.0)
    budget.tick(50.0)
    assert budget.requests == 1
