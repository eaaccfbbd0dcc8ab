"""Refused origins in the log: each once a minute, and never more than a few."""

from contracts.refused_origins import INTERVAL_S, NAMED_MAX, RefusedOrigins


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_each_is_said_once_a_minute(caplog):
    clock = Clock()
    refused = RefusedOrigins((), clock)
    for _ in range(100):
        refused.add("http://a.example", "http://a.example")
        refused.add("http://b.example", "http://b.example")
    assert len(caplog.messages) == 2
    clock.now += INTERVAL_S
    refused.add("http://a.example", "http://a.example")
    assert len(caplog.messages) == 3
    assert caplog.messages[0] == caplog.messages[2]


def test_a_flood_of_them_is_said_in_one_line_and_not_remembered(caplog):
    clock = Clock()
    refused = RefusedOrigins((), clock)
    for number in range(10_000):
        refused.add(f"http://{number}.example", f"http://{number}.example")
    assert len(caplog.messages) == NAMED_MAX + 1
    assert caplog.messages[-1] == f"More than {NAMED_MAX} origins were refused in a minute."
    assert len(refused._quiet_until) == NAMED_MAX
    clock.now += INTERVAL_S
    refused.add("http://9999.example", "http://9999.example")
    assert "http://9999.example" in caplog.messages[-1]


def test_a_long_one_is_cut_and_escaped(caplog):
    RefusedOrigins().add("http://a\r\n\x1b[31m\u2028" + "x" * 10_000, None)
    (line,) = caplog.messages
    assert len(line) < 400
    assert line.isprintable()
