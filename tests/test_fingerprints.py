"""Every environment, wrapper and learner does bit for bit what it did when its fingerprint was recorded."""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("craftax")
pytest.importorskip("gymnasium_robotics")

from fingerprints import RECORDED, cases, machine

KNOWN = json.loads(RECORDED.read_text())


def test_every_case_is_recorded():
    assert set(KNOWN["hashes"]) == set(cases())


@pytest.mark.slow
@pytest.mark.parametrize("name", cases())
def test_a_fingerprint(name):
    here = machine()
    other = [key for key, value in KNOWN["machine"].items() if here[key] != value]
    if other:
        pytest.skip(f"recorded with another {other[0]}: {KNOWN['machine'][other[0]]}, here {here[other[0]]}")
    assert cases()[name]() == KNOWN["hashes"][name]
