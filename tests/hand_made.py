"""Results of suites that are written by hand: agents have the success rates or mean returns that a test gives."""

import numpy as np

from gc_envs.suite.result import MemberResult, SeedResult, SuiteResult, TaskResult, Training
from gc_envs.suite.suites import suite_entries

GOALS = {"Gridworld": 107, "Craftax-Classic": 67, "Craftax": 512}


def training(steps=1000, seconds=60.0, device="cpu: 2 cores"):
    curve = {"step": [500.0, 1000.0], "success": [0.1, 0.5]}
    return Training("leo", 0, steps, seconds, device, "gc-envs train leo GC-Gridworld-v0", curve)


def entry_named(name, suite="quick-v0"):
    return next(entry for entry in suite_entries(suite) if entry.name == name)


def member(entry, counts, name="run", returns=None, trained=None):
    """Return a member that has `counts` successes [S, G] and `returns` [S, E] with the S seeds."""
    seeds = []
    for index, seed in enumerate(entry.seeds):
        success = float(np.sum(counts[index])) / (len(counts[index]) * entry.episodes)
        rewards = [float(value) for value in returns[index]] if returns is not None else []
        mean = sum(rewards) / len(rewards) if rewards else success
        seeds.append(SeedResult(seed, success, success, mean, [int(count) for count in counts[index]], rewards))
    return MemberResult(name, seeds, trained)


def rate_member(entry, rate, name="run", trained=None):
    """Return a member that succeeds in a share `rate` of the episodes, or has a mean return of `rate`."""
    groups = GOALS.get(entry.name, 1)
    if entry.metric == "return":
        spread = np.linspace(-1, 1, entry.episodes)
        return member(entry, [[0]] * len(entry.seeds), name, [rate + spread] * len(entry.seeds), trained)
    total = round(rate * groups * entry.episodes)
    counts = [total] if groups == 1 else [1] * total + [0] * (groups - total)
    return member(entry, [counts] * len(entry.seeds), name, trained=trained)


def task_result(entry, members, status="done", **rest):
    groups = GOALS.get(entry.name, 0) if members else 0
    goals = [f"position/{index}" for index in range(groups)]
    return TaskResult.of(entry, status, goals=goals, members=members, **rest)


def suite_result(rates, agent="hand", suite="quick-v0", trained=None, statuses=None):
    """Return a result.

    Args:
        rates: The rate, or the rates of several members, of each task by name; tasks without one are missing.
        agent: The name of the agent.
        suite: The name of the suite.
        trained: How every member was trained.
        statuses: The status of tasks that are not done, by name.
    """
    tasks = {}
    for entry in suite_entries(suite):
        if entry.name in (statuses or {}):
            status = statuses[entry.name]
            tasks[entry.name] = task_result(entry, [], status, error="it broke" if status == "failed" else None)
        elif entry.name in rates:
            values = np.atleast_1d(rates[entry.name])
            members = [rate_member(entry, rate, f"run-{i}", trained) for i, rate in enumerate(values)]
            tasks[entry.name] = task_result(entry, members)
    return SuiteResult(suite, agent, "by hand", {"gc_envs": "0"}, "cpu: 2 cores", "0" * 40, tasks)


def all_rates(rate, suite="quick-v0"):
    """Return rates with which every task has the score `rate`."""
    scale = {entry.name: entry.reference - entry.random_score for entry in suite_entries(suite)}
    return {entry.name: entry.random_score + rate * scale[entry.name] for entry in suite_entries(suite)}
