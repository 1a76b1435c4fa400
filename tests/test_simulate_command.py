"""`manage.py simulate` prints a table and charts, draws a picture, and refuses what makes no sense in a sentence."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from deliveries.simulation import plot

SHORT = ("outage", "--deliveries", "300", "--outage-s", "60")


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    call_command("simulate", *words)
    return capsys.readouterr().out


def test_it_prints_a_table_and_a_chart_for_each_policy(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, *SHORT).splitlines()
    assert lines[0].startswith("outage: 1 endpoint owed 300 deliveries, due over 660 s.")
    assert lines[0].endswith("Down (the endpoint; refuses): 600–660 s. Seed 1.")
    assert lines[2].split() == ["naive", "backoff,", "no", "jitter", "Weir"]
    assert [line.split(":")[0] for line in lines if "requests a second" in line] == [
        "naive",
        "backoff, no jitter",
        "Weir",
    ]
    assert sum("×" in line and "down" in line for line in lines) == 3


def test_it_says_the_same_twice(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, *SHORT) == said(capsys, *SHORT)


def test_one_policy_can_be_rehearsed_alone(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(said(capsys, *SHORT, "--policy", "weir", "--json"))
    [weir] = told["policies"]
    assert (weir["policy"], weir["owed"], weir["delivered"]) == ("weir", 300, 300)
    assert weir["amplification"] == weir["sent"] / 300
    assert sum(weir["load"]) == weir["sent"]
    assert told["scenario"]["down"] == [[600, 660]]
    assert told["seed"] == 1


def test_weir_is_rehearsed_under_the_hubs_own_settings(settings, capsys: pytest.CaptureFixture[str]) -> None:
    settings.HUB_WINDOW, settings.HUB_RETRY_MAX_ATTEMPTS = 3, 1
    told = json.loads(said(capsys, *SHORT, "--policy", "weir", "--json"))
    assert told["policies"][0]["most_at_once"] <= 3
    assert told["policies"][0]["dead"] > 0


def test_it_draws_a_png(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "load.png"
    said(capsys, *SHORT, "--png", str(file))
    assert file.read_bytes().startswith(b"\x89PNG\r\n")


def test_without_matplotlib_the_picture_is_refused_and_the_text_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plot, "is_possible", False)
    with pytest.raises(CommandError, match="^A picture needs matplotlib: install it with pip"):
        call_command("simulate", *SHORT, "--png", str(tmp_path / "load.png"))
    assert list(tmp_path.iterdir()) == []
    assert said(capsys, *SHORT).startswith("outage")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["storm"], "There is no scenario called storm: choose outage, flap or crowd."),
        (["--policy", "hope"], "There is no policy called hope: choose naive, backoff or weir."),
        (["--deliveries", "many"], "--deliveries must be a whole number, not many."),
        (["--deliveries", "0"], "The number of deliveries must be between 1 and 10,000,000."),
        (["--endpoints", "-1"], "The number of endpoints must be between 1 and 100,000."),
        (
            ["--deliveries", "5", "--endpoints", "6"],
            "There must be at least as many deliveries as endpoints.",
        ),
        (["--outage-s", "soon"], "--outage-s must be a number, not soon."),
        (["--outage-s", "nan"], "An outage must last between 1 and 86,400 seconds."),
        (["--outage-s", "0"], "An outage must last between 1 and 86,400 seconds."),
        (["--seed", "x"], "--seed must be a whole number, not x."),
        (["--png", "/nowhere/at/all.png"], "/nowhere/at/all.png is not a file that can be written."),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CommandError) as refusal:
        call_command("simulate", *words)
    assert str(refusal.value) == sentence
    assert capsys.readouterr().out == ""
