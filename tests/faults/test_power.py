"""Some of what ``python -m tests.faults.power --every`` runs all of."""

from __future__ import annotations

import random

import pytest

from jamliquor.store._db import Trial
from tests.faults.power import Recording, fail, images, lengths, lose_power, record
from tests.support.power import STYLES


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("style", STYLES)
def test_a_node_starts_after_any_loss_of_power(recording: Recording, style: str) -> None:
    rng = random.Random(3)
    for number, (image, least) in enumerate(images(recording, style, rng)):
        if number % 37 == 7:
            lose_power(recording, image, least, rng)


def test_a_node_starts_after_any_error(recording: Recording) -> None:
    for number in range(5, len(recording.changes), 61):
        fail(Trial(fail_at=number))


def test_a_node_starts_after_any_full_disk(recording: Recording) -> None:
    for size in lengths(recording)[::3]:
        fail(Trial(capacity=size))
