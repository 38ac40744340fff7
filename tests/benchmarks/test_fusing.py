from benchmarks.fusing import compared, in_turns


def test_versions_take_turns_and_the_fastest_run_of_each_counts():
    seconds = {"this": iter([3.0, 1.0, 2.0]), "other": iter([4.0, 5.0, 2.0])}
    asked = []

    def once(name):
        asked.append(name)
        return next(seconds[name])

    times = in_turns(["this", "other"], 3, once)
    assert asked == ["this", "other"] * 3
    result = compared(times)
    assert result["cpu_seconds"] == {"this": 1.0, "other": 2.0}
    assert result["times_as_fast"] == 2.0
