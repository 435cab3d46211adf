import pytest

from experiments.command import MeasurementError, exit_code
from experiments.settings import UnknownSettingError


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UnknownSettingError("no such"), 2, "error: no such\n"),
        (MeasurementError("it was killed"), 1, "error: it was killed\n"),
        (ValueError("too small"), 1, "error: too small\n"),
        (FileNotFoundError(2, "Not there", "x"), 1, "error: [Errno 2] Not there: 'x'\n"),
        (KeyboardInterrupt(), 130, "\nstopped; goes on\n"),
    ],
)
def test_what_ends_a_command(error, code, told, capsys):
    def work():
        raise error

    assert exit_code(work, interrupted="stopped; goes on") == code
    assert capsys.readouterr().err == told


def test_the_work_decides_where_nothing_goes_wrong(capsys):
    assert exit_code(lambda: 1) == 1
    assert capsys.readouterr().err == ""


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(KeyError):
        exit_code(lambda: {}["x"])
