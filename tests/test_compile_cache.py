"""use_compile_cache: a folder of compiled programs for libraries and the command line."""

import os
import subprocess
import sys

SCRIPT = """
import sys
import gc_envs
{before}
print(gc_envs.use_compile_cache({folder!r}))
import jax
jax.jit(lambda x: x + 1)(1.0)
"""


def run(folder, before="", **variables):
    env = {k: v for k, v in os.environ.items() if k != "JAX_COMPILATION_CACHE_DIR"} | variables
    env["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    command = [sys.executable, "-c", SCRIPT.format(folder=folder and str(folder), before=before)]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.strip()


def test_programs_are_kept_in_the_given_folder(tmp_path):
    assert run(tmp_path / "a") == str(tmp_path / "a")
    assert list((tmp_path / "a").glob("*-cache"))


def test_it_works_after_jax_has_compiled(tmp_path):
    run(tmp_path / "b", before="import jax; jax.jit(lambda x: x - 1)(1.0)")
    assert list((tmp_path / "b").glob("*-cache"))


def test_the_default_is_the_users_choice_or_the_cache_of_the_user(tmp_path):
    assert run(None, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "c")) == str(tmp_path / "c")
    assert run(None, XDG_CACHE_HOME=str(tmp_path)) == str(tmp_path / "gc_envs" / "jax")
