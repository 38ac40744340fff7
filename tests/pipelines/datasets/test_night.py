from pipelines.datasets.night import is_night


def test_day_and_night_come_from_the_name():
    assert is_night("00004N") is True
    assert is_night("00537D") is False
    assert is_night("FLIR_01") is None
