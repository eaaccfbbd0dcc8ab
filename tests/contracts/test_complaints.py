from contracts.complaints import INTERVAL_S, Complaints


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_the_first_is_said_and_the_rest_are_counted(caplog):
    clock = Clock()
    complaints = Complaints("calls to the realtime service", clock)
    for _ in range(500):
        complaints.add("refused")
    assert len(caplog.records) == 1
    clock.now += INTERVAL_S
    complaints.add("still refused")
    assert len(caplog.records) == 2
    assert "500" in caplog.text
    assert "still refused" in caplog.text
