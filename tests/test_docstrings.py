"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import gymnasium
import numpy as np
import pytest

import gc_envs

pytest.importorskip("craftax")


def examples():
    modules = [gc_envs, *(importlib.import_module(m.name) for m in pkgutil.walk_packages(gc_envs.__path__, "gc_envs."))]
    finder = doctest.DocTestFinder()
    return [test for module in modules for test in finder.find(module) if test.examples]


def test_every_example():
    found = examples()
    assert len(found) > 10
    for example in found:
        example.globs.update(gymnasium=gymnasium, np=np)
        assert doctest.DocTestRunner().run(example).failed == 0, example.name
