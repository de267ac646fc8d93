"""What comparisons with the authors of LEO share: learners of ours with the settings that their code is run with."""

from typing import Any

from gc_envs import make_task
from gc_envs.agents import get_learner
from gc_envs.agents.presets import preset

METHODS = ("leo", "ppo", "pqn", "pqn-her", "dual-leo-pqn", "dual-leo-ppo")
# Up to as many environments need the small minibatches that the learners have by default: an update has fewer samples
# than the published minibatches of PQN.
FEW_ENVS = 64
# One random goal and one that holds, as with the flags of their README.
CHANGES = {"pqn-her": {"random_share": 0.5}}


def published_learner(method: str, env_id: str, num_envs: int = 64, **settings: Any) -> Any:
    """Return a learner with the published settings, but minibatches that fit the number of environments.

    Args:
        method: A name of `METHODS`.
        env_id: A registered environment id.
        num_envs: Number of environments; published are 1024.
        settings: Fields of the method's config to change.
    """
    learner = get_learner(method)
    small = {"minibatch_size": learner.config_class.minibatch_size} if num_envs <= FEW_ENVS else {}
    config = preset(method, "paper", env_id) | {"num_envs": num_envs} | small | CHANGES.get(method, {}) | settings
    env_kwargs = {"observation": "compact"} if "Craftax" in env_id else {}
    return learner(make_task(env_id, **env_kwargs), learner.config_class(**config))
