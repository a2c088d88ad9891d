from proxy.metrics_cache import COUNTERS, background


def test_every_counter_is_there_also_where_there_is_nothing_to_count():
    families = list(background({}))
    assert [family.name for family in families] == [f"warmgate_{name}" for name, _, _ in COUNTERS]
    assert [family.samples for family in families] == [[]] * len(COUNTERS)


def test_what_was_counted_is_told_by_its_label():
    figures = {("cache_refreshes", "early"): 2.0, ("cache_background_dollars", "refresh"): 0.25}
    told = {family.name: family.samples for family in background(figures)}
    (early,) = told["warmgate_cache_refreshes"]
    assert (early.labels, early.value) == ({"why": "early"}, 2.0)
    (spent,) = told["warmgate_cache_background_dollars"]
    assert (spent.labels, spent.value) == ({"kind": "refresh"}, 0.25)
