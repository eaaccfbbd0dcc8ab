from lobby import windows
from lobby.windows import Limits, Window


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_an_address_has_its_events_and_then_waits():
    clock = Clock()
    window = Window(3, clock)
    for _ in range(3):
        assert window.take("a") == 0
        clock.now += 10
    assert window.take("a") == 30  # until the first of them is a minute old
    clock.now += 30
    assert window.take("a") == 0
    assert window.take("a") == 10


def test_a_refused_event_does_not_count():
    clock = Clock()
    window = Window(1, clock)
    window.take("a")
    for _ in range(100):
        window.take("a")
    clock.now += 60
    assert window.take("a") == 0


def test_asking_counts_nothing():
    window = Window(1, Clock())
    assert [window.wait_s("a") for _ in range(3)] == [0, 0, 0]
    assert window.take("a") == 0
    assert window.wait_s("a") == 60


def test_addresses_do_not_know_each_other():
    window = Window(1, Clock())
    assert window.take("a") == 0
    assert window.take("b") == 0


def test_memory_is_bounded_and_forgets_who_was_silent_longest(monkeypatch):
    monkeypatch.setattr(windows, "ADDRESSES_MAX", 2)
    window = Window(2, Clock())
    for address in ("a", "b", "a", "c"):
        window.take(address)
    assert window.wait_s("a") == 60
    assert window.take("b") == 0
    assert window.take("b") == 0  # its first event was forgotten with it


def test_the_defaults_are_those_of_the_protocol():
    limits = Limits()
    assert limits.creates.limit == 20
    assert limits.joins.limit == 120
    assert limits.misses.limit == 20
    assert limits.reads.limit == 600
    assert windows.PERIOD_S == 60
