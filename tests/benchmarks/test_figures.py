"""What becomes of measurements; nothing here is timed."""

from benchmarks.figures import Round, Side, ratio, row, shares, side, spread, table

SAID = {
    "seconds": 2.0,
    "cpu_s": 0.2,
    "requests": 4000,
    "create": {"requests": 1000, "p50_ms": 11.0, "p99_ms": 20.0, "worst_ms": 31.0},
    "join": {"requests": 3000, "p50_ms": 9.0, "p99_ms": 18.04, "worst_ms": 30.5},
    "ports": [
        {"requests": 2400, "p50_ms": 9.0, "p99_ms": 18.0, "worst_ms": 30.5},
        {"requests": 1600, "p50_ms": 9.5, "p99_ms": 19.0, "worst_ms": 31.0},
    ],
}


def rounds(*requests_per_s):
    one = Round.read(SAID, {})
    return [one._replace(requests_per_s=per_s, cpu_us={"lobby": 215.0}) for per_s in requests_per_s]


def test_a_round_is_told_in_requests():
    one = Round.read(SAID, {"lobby": 0.8, "realtime": 0.6})
    assert one.requests_per_s == 2000
    assert one.cpu_us == {"lobby": 200, "realtime": 150}
    assert one.latencies_ms["join p99"] == 18.04
    assert one.latencies_ms["create worst"] == 31.0


def test_cores_are_busy_with_services_and_with_the_client():
    assert Round.read(SAID, {"lobby": 1.0, "realtime": 0.8}).busy_cores == 1.0


def test_each_port_is_told_for_itself():
    first, second = Round.read(SAID, {}).sides
    assert first == Side(1200, 9.0, 18.0, 30.5)
    assert second.requests_per_s == 800


def test_a_side_has_the_medians_of_its_rounds():
    rounds = [Side(1100, 9.0, 18.0, 30.5), Side(1300, 9.5, 19.0, 90.0), Side(1200, 8.0, 20.0, 31.0)]
    assert side(rounds) == "1,200/s, 9.0 / 19.0 / 31.0"


def test_a_row_has_the_medians_of_its_rounds():
    assert row("Greenroom", rounds(2480, 2540, 2512)) == [
        "Greenroom",
        "2,512 (2,480-2,540)",
        "11.0 / 20.0",
        "9.0 / 18.0",
        "215",
    ]


def test_a_ratio_is_that_of_a_round_and_not_of_the_medians():
    assert ratio(rounds(100, 200, 300), rounds(200, 100, 300)) == "1.00"
    assert ratio(rounds(90, 45, 80), rounds(100, 50, 100)) == "0.90"


def test_one_value_is_its_own_spread():
    assert spread([999.6]) == "1,000 (1,000-1,000)"


def test_shares_leave_out_what_took_nothing():
    assert shares({"lobby": 214.6, "realtime": 174.4, "PostgreSQL": 0.2}) == (
        "389 = lobby 215 + realtime 174"
    )
    assert shares({"Colyseus": 340.2}) == "340"
    assert shares({"SQLite": 0.0}) == "0"


def test_a_table_is_markdown_with_its_figures_on_the_right():
    assert table(["", "per second"], [["memory", "9"], ["a long name", "10,000"]]).splitlines() == [
        "|             | per second |",
        "| ----------- | ---------: |",
        "| memory      |          9 |",
        "| a long name |     10,000 |",
    ]
