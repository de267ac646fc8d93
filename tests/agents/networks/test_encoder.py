"""Networks: table look-ups give what one-hot inputs through plain layers give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gc_envs.agents.networks.encoder import Torso, goal_inputs
from gc_envs.agents.networks.goal_conditioned import GoalActorCritic, GoalQNetwork
from gc_envs.agents.networks.leo import LEONetwork
from gc_envs.agents.networks.map_conv import MapConv
from gc_envs.agents.networks.norm import InputNorm
from gc_envs.core.goals import FiniteGoals
from gc_envs.core.one_hot import GoalMask, OneHotSpec
from gc_envs.core.task import Task

FULL = OneHotSpec(
    scalars=(("health", 4), ("food", 3)),
    height=4,
    width=5,
    maps=(("block_map", 3), ("item_map", 3), ("mob_map", 2), ("light_map", 2)),
    num_mob_slots=3,
    num_mob_types=2,
)
CLASSIC = OneHotSpec(
    scalars=(("health", 4),),
    height=3,
    width=4,
    maps=(("block_map", 3), ("mob_map", 3)),
    num_mob_slots=3,
    num_mob_types=2,
)
SPECS = {"full": FULL, "classic": CLASSIC}
BATCH = 24
GOALS = 9
GOAL = np.random.default_rng(7).integers(0, GOALS, BATCH).astype(np.int32)


def observations(spec, seed=0):
    """Random compact observations [BATCH]: dark cells, mobs out of sight, no mob in the dark, no (cell, type) twice."""
    random = np.random.default_rng(seed)
    channels, cells = dict(spec.maps), spec.height * spec.width
    dark = "light_map" in channels
    blocks = random.integers(0, channels["block_map"] + dark, (BATCH, spec.height, spec.width))
    mobs = np.stack(
        [
            random.integers(0, cells + 4, (BATCH, spec.num_mob_slots)).clip(max=cells),
            random.integers(0, spec.num_mob_types, (BATCH, spec.num_mob_slots)),
        ],
        axis=-1,
    )
    for row in range(BATCH):
        taken = set()
        for slot in mobs[row]:
            lit = slot[0] < cells and blocks[row].flat[slot[0]] < channels["block_map"]
            if not lit or tuple(slot) in taken:
                slot[0] = cells
            taken.add(tuple(slot))
    classes = [count for _, count in spec.scalars]
    observation = {
        "block_map": blocks,
        "mobs": mobs,
        "scalars": np.stack([random.integers(0, n, BATCH) for n in classes], axis=-1),
    }
    if "item_map" in channels:
        items = random.integers(0, channels["item_map"], blocks.shape)
        observation["item_map"] = np.where(blocks == channels["block_map"], channels["item_map"], items)
    return {name: array.astype(np.uint8) for name, array in observation.items()}


def one_hot_maps(spec, observation):
    """[BATCH, H, W, C], cell by cell, written for reading."""
    channels = dict(spec.maps)
    first = dict(zip(channels, np.cumsum([0, *channels.values()]), strict=False))
    maps = np.zeros((BATCH, spec.height, spec.width, spec.num_channels), np.float32)
    for index in np.ndindex(*observation["block_map"].shape):
        block = observation["block_map"][index]
        if block == channels["block_map"]:
            maps[(*index, first["light_map"])] = 1
            continue
        maps[(*index, first["block_map"] + block)] = 1
        if "item_map" in channels:
            maps[(*index, first["item_map"] + observation["item_map"][index])] = 1
        if "light_map" in channels:
            maps[(*index, first["light_map"] + 1)] = 1
    for row, mobs in enumerate(observation["mobs"]):
        for cell, kind in mobs:
            if cell < spec.height * spec.width:
                maps[(row, *divmod(int(cell), spec.width), first["mob_map"] + kind)] = 1
    if channels["mob_map"] > spec.num_mob_types:
        mobs = maps[..., first["mob_map"] : first["mob_map"] + spec.num_mob_types]
        maps[..., first["mob_map"] + spec.num_mob_types] = 1 - mobs.max(-1)
    return maps


def goal_mask(spec):
    """Random masks of GOALS goals: some with a number on the map, some with scalars, some with both."""
    random, cells = np.random.default_rng(5), spec.height * spec.width
    cell = random.integers(0, cells + 6, GOALS).clip(max=cells).astype(np.int32)
    assert {False, True} == set((cell < cells).tolist())
    channel = random.integers(0, spec.num_channels, GOALS).astype(np.int32)
    return GoalMask(random.integers(0, 2, (GOALS, spec.num_scalar_classes)).astype(np.float32), cell, channel)


def one_hot_goals(spec, mask):
    """The masks of GOAL on the map, [BATCH, H, W, C]."""
    maps = np.zeros((BATCH, spec.height, spec.width, spec.num_channels), np.float32)
    for row, goal in enumerate(GOAL):
        if mask.cell[goal] < spec.height * spec.width:
            maps[(row, *divmod(int(mask.cell[goal]), spec.width), mask.channel[goal])] = 1
    return maps


def randomised(variables, seed=0):
    """`variables` with random parameters, so that scale 1 and bias 0 hide nothing."""
    leaves, tree = jax.tree.flatten(variables["params"])
    random = np.random.default_rng(seed)
    leaves = [jnp.asarray(leaf + 0.5 * random.normal(size=leaf.shape), jnp.float32) for leaf in leaves]
    return {**variables, "params": jax.tree.unflatten(tree, leaves)}


def renorm(x, mean, var, running_mean, running_var, scale, bias, warm):
    """Batch renormalisation as the paper writes it, over all but the last axis."""
    sigma, running_sigma = np.sqrt(var), np.sqrt(running_var)
    r = np.clip(sigma / running_sigma, 1 / 3, 3) if warm else 1.0
    d = np.clip((mean - running_mean) / running_sigma, -5, 5) if warm else 0.0
    return ((x - mean) / sigma * r + d) * scale + bias


@pytest.mark.parametrize("batches", [0, 999, 1000, 5000])
def test_input_norm_is_batch_renormalisation(batches):
    random = np.random.default_rng(0)
    spread = np.array([0.3, 1, 2, 30, 1, 1])
    x = random.normal(size=(64, 6)) * spread + np.array([0, 3, -2, 100, 9, -9])
    running_mean, running_var = np.array([0.0, 1, 0, 90, 0, 0]), np.array([1.0, 1, 9, 400, 1, 1])
    scale, bias = random.normal(size=6), random.normal(size=6)
    stats = {"mean": jnp.float32(running_mean), "var": jnp.float32(running_var), "batches": jnp.int32(batches)}
    variables = {"params": {"scale": jnp.float32(scale), "bias": jnp.float32(bias)}, "batch_stats": stats}
    mean, var = x.mean(0), x.var(0)
    norm = InputNorm(epsilon=1e-6)
    args = (jnp.float32(mean), jnp.float32((x**2).mean(0)))
    (multiplier, shift), updated = norm.apply(variables, *args, True, mutable=["batch_stats"])
    expected = renorm(x, mean, var, running_mean, running_var, scale, bias, warm=batches >= 1000)
    np.testing.assert_allclose(x * multiplier + shift, expected, rtol=2e-3, atol=5e-3)
    updated = updated["batch_stats"]
    np.testing.assert_allclose(updated["mean"], 0.999 * running_mean + 0.001 * mean, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(updated["var"], 0.999 * running_var + 0.001 * var, rtol=1e-4, atol=1e-4)
    assert updated["batches"] == batches + 1

    multiplier, shift = norm.apply(variables, *args, False)  # acting: the running moments, whatever the batch
    expected = (x - running_mean) / np.sqrt(running_var) * scale + bias
    np.testing.assert_allclose(x * multiplier + shift, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SPECS)
@pytest.mark.parametrize("conditioned", [False, True], ids=["plain", "goals"])
@pytest.mark.parametrize(("normalize", "train"), [(True, True), (True, False), (False, False)])
def test_map_convolution_equals_a_dense_one_over_one_hot_maps(name, conditioned, normalize, train):
    spec = SPECS[name]
    observation = observations(spec)
    maps = one_hot_maps(spec, observation)
    mask = goal_mask(spec) if conditioned else None
    if mask:  # the map of the observation, and behind it that of the goal
        maps = np.concatenate([maps, one_hot_goals(spec, mask)], axis=-1)
    conv, goal = MapConv(spec, 4, mask, normalize), GOAL if conditioned else None
    variables = randomised(conv.init(jax.random.key(0), observation, True, goal))
    stats = variables.get("batch_stats", {})
    assert bool(stats) == normalize
    moments = (maps.mean((0, 1, 2)), maps.var((0, 1, 2)))

    def fast(params):
        return conv.apply({"params": params, "batch_stats": stats}, observation, train, goal, mutable=["batch_stats"])

    def plain(params):
        x = maps
        if normalize:
            mean, var = moments if train else (stats["norm"]["mean"], stats["norm"]["var"])
            x = (maps - mean) * jax.lax.rsqrt(var + 1e-3) * params["norm"]["scale"] + params["norm"]["bias"]
        dimensions = ("NHWC", "HWIO", "NHWC")
        return (
            jax.lax.conv_general_dilated(x, params["kernel"], (1, 1), "SAME", dimension_numbers=dimensions)
            + params["bias"]
        )

    np.testing.assert_allclose(fast(variables["params"])[0], plain(variables["params"]), rtol=1e-3, atol=1e-4)
    weight = np.random.default_rng(1).normal(size=(BATCH, spec.height, spec.width, 4)).astype(np.float32)
    ours = jax.grad(lambda p: (fast(p)[0] * weight).sum())(variables["params"])
    theirs = jax.grad(lambda p: (plain(p) * weight).sum())(variables["params"])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * np.abs(b).max()), ours, theirs)
    if train:
        running = fast(variables["params"])[1]["batch_stats"]["norm"]
        np.testing.assert_allclose(running["mean"], 0.001 * moments[0], rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(running["var"], 0.999 + 0.001 * moments[1], rtol=1e-5)


def test_one_hot_scalars_by_hand():
    encoded = FULL.one_hot_scalars(np.array([[3, 0], [0, 2]], np.uint8))
    np.testing.assert_array_equal(encoded, [[0, 0, 0, 1, 1, 0, 0], [1, 0, 0, 0, 0, 0, 1]])


def test_the_first_dense_layer_has_the_normalisation_folded_in():
    """A torso of depth 1 over flat inputs: relu(LayerNorm(renorm(x) @ kernel + bias))."""
    random = np.random.default_rng(0)
    x = random.normal(size=(BATCH, 3)).astype(np.float32) * [1, 5, 20]
    torso = Torso(None, width=8, depth=1)
    variables = randomised(torso.init(jax.random.key(0), x, True))
    params = variables["params"]
    ours, _ = torso.apply(variables, x, True, mutable=["batch_stats"])
    normal = renorm(x, x.mean(0), x.var(0) + 1e-3, 0, 1, params["norm"]["scale"], params["norm"]["bias"], warm=False)
    hidden = normal @ params["kernel"] + params["bias"]
    hidden = (hidden - hidden.mean(-1, keepdims=True)) / np.sqrt(hidden.var(-1, keepdims=True) + 1e-6)
    layer_norm = params["LayerNorm_0"]
    expected = np.maximum(hidden * layer_norm["scale"] + layer_norm["bias"], 0)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("spec", [FULL, CLASSIC, None], ids=["full", "classic", "flat"])
def test_the_network_depends_on_all_of_the_observation(spec):
    observation = observations(spec) if spec else np.random.default_rng(0).random((BATCH, 3), np.float32)
    network = LEONetwork(spec, num_goals=6, num_actions=3, width=16, depth=2, conv_features=4)
    variables = randomised(network.init(jax.random.key(0), observation))
    values = network.apply(variables, observation)
    assert values.shape == (BATCH, 6, 3)
    assert ((values >= 0) & (values <= 1)).all()
    parts = observation.keys() if spec else [slice(None)]
    for part in parts:
        other = observation.copy()
        other[part] = np.roll(other[part], 1, axis=0)
        assert (network.apply(variables, other) != values).any(), part
    np.testing.assert_array_equal(network.apply(variables, observation), values)  # acting changes no statistics


def layer_norm(x, params):
    x = (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6)
    return x * params["scale"] + params["bias"]


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("name", SPECS)
def test_features_of_an_observation_and_a_goal_by_plain_layers(name, normalize):
    """Maps behind one another on the channels, scalars behind one another; then as for an observation alone."""
    spec, mask = SPECS[name], goal_mask(SPECS[name])
    observation = observations(spec)
    torso = Torso(spec, width=8, depth=2, conv_features=4, goals=mask, normalize=normalize)
    variables = randomised(torso.init(jax.random.key(0), observation, True, GOAL))
    params = variables["params"]
    ours, _ = torso.apply(variables, observation, True, GOAL, mutable=["batch_stats"])

    def normal(x, norm):
        axes = tuple(range(x.ndim - 1))
        return renorm(x, x.mean(axes), x.var(axes) + 1e-3, 0, 1, norm["scale"], norm["bias"], warm=False)

    def activate(x, layer):
        return np.maximum(layer_norm(x, params[f"LayerNorm_{layer}"]) if normalize else x, 0)

    maps = np.concatenate([one_hot_maps(spec, observation), one_hot_goals(spec, mask)], axis=-1)
    scalars = np.concatenate([spec.one_hot_scalars(observation["scalars"]), mask.scalars[GOAL]], axis=-1)
    if normalize:
        maps, scalars = normal(maps, params["conv"]["norm"]), normal(scalars, params["norm"])
    window = jax.lax.conv_general_dilated(
        jnp.float32(maps), params["conv"]["kernel"], (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    maps = activate(window + params["conv"]["bias"], 0).reshape(BATCH, -1)
    hidden = activate(np.concatenate([maps, scalars], axis=-1) @ params["kernel"] + params["bias"], 1)
    expected = activate(hidden @ params["Dense_0"]["kernel"] + params["Dense_0"]["bias"], 2)
    np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=2e-3)


def test_heads_of_goal_conditioned_networks_by_hand():
    """Q and the critic pass a sigmoid, the actor does not; actor and critic share only the embedding."""
    x, mask = np.random.default_rng(0).normal(size=(BATCH, 3)).astype(np.float32), goal_mask(FULL)
    network = GoalQNetwork(None, mask, 5, width=8, depth=1)
    variables = randomised(network.init(jax.random.key(0), x, GOAL))
    torso, head = Torso(None, 8, 1, goals=mask), variables["params"]["head"]
    features = torso.apply({name: part["torso"] for name, part in variables.items()}, x, False, GOAL)
    expected = 1 / (1 + np.exp(-(features @ head["kernel"] + head["bias"])))
    np.testing.assert_allclose(network.apply(variables, x, GOAL), expected, rtol=1e-5)

    network = GoalActorCritic(None, mask, 5, width=8, embedding_depth=1, actor_depth=1, critic_depth=2)
    variables = randomised(network.init(jax.random.key(0), x, GOAL))
    assert set(variables) == {"params"}
    params = variables["params"]
    torso = Torso(None, 8, 1, goals=mask, normalize=False)
    embedding = torso.apply({"params": params["torso"]}, x, False, GOAL)

    def branch(*names):
        hidden = embedding
        for name in names:
            hidden = np.maximum(hidden @ params[name]["kernel"] + params[name]["bias"], 0)
        head = params[names[0].split("_")[0] + "_head"]
        return hidden @ head["kernel"] + head["bias"]

    logits, value = network.apply(variables, x, GOAL)
    np.testing.assert_allclose(logits, branch("actor_0"), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(value, 1 / (1 + np.exp(-branch("critic_0", "critic_1")[:, 0])), rtol=1e-4)


def test_the_policy_is_nearly_uniform_at_the_start():
    x, mask = np.random.default_rng(0).random((BATCH, 3), np.float32), goal_mask(FULL)
    network = GoalActorCritic(None, mask, 5, width=16, actor_depth=1, critic_depth=1)
    logits, _ = network.apply(jax.jit(network.init)(jax.random.key(0), x, GOAL), x, GOAL)
    assert logits.std() > 0
    assert abs(jax.nn.softmax(logits) - 1 / 5).max() < 0.05


class Masked(Task):
    """A task that has goals and masks, and nothing else."""

    reset = step = observe = achieved = None

    def __init__(self, num_goals, spec=None, mask=None):
        self.goals = FiniteGoals([f"goal_{index}" for index in range(num_goals)])
        self.one_hot_spec, self.goal_mask = spec, mask


def test_what_networks_take_of_a_goal(grid_task):
    assert goal_inputs(grid_task, one_hot=True) is grid_task.goal_mask
    np.testing.assert_array_equal(goal_inputs(grid_task, one_hot=False).scalars, grid_task.cells)  # as it is observed
    for task in (Masked(4), Masked(4, FULL)):
        for one_hot in (True, False):
            found = goal_inputs(task, one_hot=one_hot)
            np.testing.assert_array_equal(found.scalars, np.eye(4))
    mask = goal_mask(FULL)
    assert goal_inputs(Masked(GOALS, FULL, mask), one_hot=True) is mask
