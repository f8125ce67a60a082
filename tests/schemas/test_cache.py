"""The cache keeps what was used last and never more than it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.cache import BoundedCache


def test_the_value_used_longest_ago_is_forgotten_first() -> None:
    cache: BoundedCache[str, int] = BoundedCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    assert cache.get("a") == 1
    cache.put("c", 3)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (1, None, 3)


@given(st.integers(1, 5), st.lists(st.integers(0, 9)))
def test_it_never_holds_more_than_its_capacity(capacity: int, keys: list[int]) -> None:
    cache: BoundedCache[int, int] = BoundedCache(capacity)
    for key in keys:
        assert cache.put(key, key) == key
        assert cache.get(key) == key
        assert len(cache) <= capacity


def test_capacity_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="capacity"):
        BoundedCache(0)
