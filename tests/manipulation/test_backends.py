"""Which backend a task gets, and physics inside JAX: MuJoCo C by a callback, and MJX."""

import importlib.util
import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from manipulation.toy import XML, NowherePush, SettledPush, ToyPush

from gc_envs.manipulation import backends
from gc_envs.manipulation.c_backend import MujocoBatch, MujocoSimulator
from gc_envs.manipulation.panda import PandaTask

KEY = jax.random.key(0)
PUSH = np.float32([1, 0.2, 0.5])


@pytest.fixture
def installed(monkeypatch):
    """A function that says which modules are installed."""

    def only(*modules):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in modules else None)

    return only


def test_names_of_backends(installed):
    installed("mujoco", "mujoco.mjx", "warp")
    assert [backends.resolve_backend(name) for name in ("c", "mjx", "warp")] == ["c", "mjx", "warp"]
    with pytest.raises(ValueError, match=r"backend='bullet' is not one of \['auto', 'c', 'mjx', 'warp'\]"):
        ToyPush(backend="bullet")


@pytest.mark.parametrize(
    ("backend", "there", "extra"),
    [("c", (), "manipulation"), ("mjx", ("mujoco",), "manipulation"), ("warp", ("mujoco", "mujoco.mjx"), "warp")],
)
def test_a_backend_that_is_not_installed(installed, backend, there, extra):
    installed(*there)
    with pytest.raises(ModuleNotFoundError, match=rf'backend=.{backend}. needs .*pip install "gc_envs\[{extra}\]"'):
        backends.resolve_backend(backend)


@pytest.mark.parametrize(
    ("modules", "platform", "expected"),
    [
        ((), "gpu", "c"),  # a GPU that JAX cannot use
        (("jax_cuda12_plugin",), "cpu", "c"),
        (("jax_cuda12_plugin",), "gpu", "mjx"),
        (("jax_cuda13_plugin", "warp"), "gpu", "warp"),
    ],
)
def test_auto_is_c_without_a_gpu(installed, monkeypatch, modules, platform, expected):
    installed("mujoco", "mujoco.mjx", *modules)
    monkeypatch.setattr(jax, "default_backend", lambda: platform)
    assert backends.resolve_backend("auto") == expected


def test_a_number_of_threads_is_not_negative():
    with pytest.raises(ValueError, match="threads must be at least 0, got -1"):
        ToyPush(threads=-1)


def test_actuators_with_a_state_are_refused():
    integrating = XML.replace("<motor", '<general dyntype="integrator"')
    with pytest.raises(ValueError, match="actuators with a state of their own are not supported, and the model has 1"):
        ToyPush(xml=integrating)


def test_only_c_runs_outside_jax():
    assert isinstance(ToyPush(backend="c").make_simulator(2), MujocoSimulator)
    assert ToyPush(backend="mjx").make_simulator(2) is None


def test_compiler_options_are_for_mjx_on_a_cpu(monkeypatch):
    assert ToyPush(backend="c").compiler_options is None
    assert ToyPush(backend="mjx").compiler_options == {
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_enable_concurrency_optimized_scheduler": False,
    }
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert ToyPush(backend="mjx").compiler_options is None


def starts(task, num_envs):
    return jax.jit(jax.vmap(task.reset), compiler_options=task.compiler_options)(jax.random.split(KEY, num_envs))


def rolled(task, state, actions):
    """States after each of `actions` [T, N, 3], in one compiled loop."""

    def step(state, action):
        state = jax.vmap(lambda s, a: task.step(KEY, s, a))(state, action)
        return state, state

    run = jax.jit(lambda *args: jax.lax.scan(step, *args)[1], compiler_options=task.compiler_options)
    return jax.tree.map(np.asarray, run(state, actions))


def in_c(task, state, actions):
    """The same as `rolled`, by `MujocoSimulator` from the same float32 state on every step."""
    indices, trail = np.arange(actions.shape[1]), []
    simulator = MujocoSimulator(task, len(indices))
    for action in actions:
        simulator.batch.reset(indices, jax.tree.map(np.asarray, state))
        simulator.batch.step(indices, 0)
        simulator.step(indices, action)
        state = jax.tree.map(np.float32, simulator.batch.state)
        trail.append(state)
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trail)


@pytest.mark.parametrize(("num_envs", "threads"), [(1, 1), (3, 1), (3, 2)])
def test_the_callback_takes_the_steps_of_c(num_envs, threads):
    task = ToyPush(backend="c", threads=threads)
    state = starts(task, num_envs)
    actions = PUSH * np.random.default_rng(0).uniform(0.5, 1, (15, num_envs, 3)).astype(np.float32)
    found, expected = rolled(task, state, actions), in_c(task, state, actions)
    for name, one, other in zip(state._fields, found, expected):
        # The hand's target is computed in float32, which its acceleration magnifies.
        tolerance = 1e-4 if name == "qacc_warmstart" else 1e-6
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=name)
    assert (np.abs(found.qvel[..., 6:8]).max(axis=0) > 0.1).any(), "no box was pushed"


def test_the_callback_is_called_once_for_all_environments(monkeypatch):
    task, calls, advance = ToyPush(backend="c"), [], MujocoBatch.step
    monkeypatch.setattr(MujocoBatch, "step", lambda *args: calls.append((len(args[1]), args[2])) or advance(*args))
    state = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), task.initial_state(np.full((4, 2), 0.5)))
    state = state._replace(sensordata=jnp.zeros((4, task.model.nsensordata)))
    jax.block_until_ready(jax.vmap(lambda s: task.step(KEY, s, PUSH))(state))
    assert calls == [(4, task.substeps)]


def test_batches_may_be_none_or_nested():
    task = ToyPush(backend="c")
    state = starts(task, 4)
    step = jax.jit(lambda s: task.step(KEY, s, PUSH))
    flat = jax.vmap(step)(state)
    nested = jax.vmap(jax.vmap(step))(jax.tree.map(lambda x: x.reshape(2, 2, *x.shape[1:]), state))
    for one, other in zip(flat, nested):
        np.testing.assert_array_equal(one, other.reshape(one.shape))
    single = step(jax.tree.map(lambda x: x[1], state))
    for one, other in zip(flat, single):
        np.testing.assert_array_equal(one[1], other)


@pytest.mark.parametrize("variant", ["reach", "push"])
def test_models_without_actuators_are_called_back(variant):
    task = PandaTask(variant, backend="c", threads=1)
    state = jax.jit(jax.vmap(lambda s: task.step(KEY, s, np.float32([1, 0, 0]))))(starts(task, 2))
    assert state.ctrl.shape == (2, 0)
    assert (np.asarray(task.observe(state))[:, 3] > 0.3).all()  # m/s


def test_a_diverged_state_stays_in_its_environment():
    task = ToyPush(backend="c")
    state = starts(task, 3)
    broken = state._replace(qvel=state.qvel.at[1].set(np.nan))
    step = jax.jit(jax.vmap(lambda s: task.step(KEY, s, PUSH)))
    found, expected = step(broken), step(state)
    assert np.asarray(jax.vmap(task.diverged)(found)).tolist() == [False, True, False]
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one[::2], other[::2])


def test_large_batches_and_several_programs_do_not_wait_for_each_other():
    """The callback gets its arrays from the very threads that wait for it."""
    task = ToyPush(backend="c", threads=2)
    state = starts(task, 1500)

    @jax.jit
    def step(state):
        weights = jnp.ones((400, 400)) @ jnp.ones((400, 400))  # something else to do
        return jax.vmap(lambda s: task.step(KEY, s, PUSH))(state), weights.sum()

    def go():
        one = other = state
        for _ in range(3):
            (one, _), (other, _) = step(one), step(other)  # dispatched without waiting
        found.append(np.asarray(one.qpos))

    found = []
    threads = [threading.Thread(target=go, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert len(found) == 2, "deadlock"
    np.testing.assert_array_equal(*found)


def test_starts_that_are_always_valid_are_sampled_without_a_loop():
    task = ToyPush(backend="c")
    assert "while" not in str(jax.make_jaxpr(task.reset)(KEY))


def test_other_starts_settle_and_are_sampled_until_they_are_valid(monkeypatch):
    task, sampled = SettledPush(backend="c"), []
    monkeypatch.setattr(task, "valid_start", lambda state: sampled.append(0) or SettledPush.valid_start(task, state))
    state = starts(task, 40)
    assert len(sampled) == 1, "sampling was traced more than once"
    box = np.asarray(state.sensordata)[:, 3:6]
    assert (box[:, 1] > 0.02).all()
    assert len(np.unique(box[:, 1])) == 40
    assert (np.abs(box[:, 2] - 0.0299) > 1e-6).all(), "the box did not settle"


@pytest.mark.parametrize("backend", ["c", pytest.param("mjx", marks=pytest.mark.slow)])
def test_a_task_without_valid_starts_diverges(backend):
    task = NowherePush(backend=backend)
    reset = jax.jit(jax.vmap(task.reset), compiler_options=task.compiler_options)
    state = reset(jax.random.split(KEY, 3))
    assert np.isnan(state.qpos).all()
    assert np.isnan(task.observe(state)).all()
    assert np.asarray(task.diverged(state)).all()


def test_mjx_takes_nearly_the_steps_of_c():
    task = ToyPush(backend="mjx")
    state = jax.tree.map(lambda x: jnp.asarray(x), starts(ToyPush(backend="c"), 3))
    actions = np.tile(PUSH, (4, 3, 1))
    found, expected = rolled(task, state, actions), rolled(ToyPush(backend="c"), state, actions)
    for name, tolerance in {"qpos": 2e-4, "qvel": 2e-2, "sensordata": 2e-3, "mocap_pos": 1e-5, "ctrl": 0}.items():
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), atol=tolerance, err_msg=name)
    assert (np.abs(found.qvel[-1, :, 6]) > 0.1).any(), "no box was pushed"


def test_what_mjx_lacks_is_named():
    cylinder = XML.replace('name="hand" size=".02"', 'name="hand" type="cylinder" size=".02 .02"')
    with pytest.raises(NotImplementedError, match="MJX cannot run this model: .*CYLINDER.*backend='c' can"):
        ToyPush(backend="mjx", xml=cylinder).simulate  # noqa: B018


@pytest.mark.slow  # its kernels take a processor minutes to build the first time
def test_warp_moves_environments_as_c_does():
    pytest.importorskip("warp")
    action = jnp.asarray([PUSH, 0 * PUSH, -PUSH])
    ends = []
    for backend in ("c", "warp"):
        task = ToyPush(backend=backend)
        state = jax.jit(jax.vmap(task.reset))(jax.random.split(KEY, 3))
        step = jax.jit(jax.vmap(lambda state, action, task=task: task.step(KEY, state, action)))
        for _ in range(3):
            state = step(state, action)
        ends.append(state)
    for name in ("qpos", "sensordata"):
        ours, theirs = (np.asarray(getattr(state, name)) for state in ends)
        assert np.isfinite(ours).all()
        np.testing.assert_allclose(theirs, ours, atol=5e-3)
