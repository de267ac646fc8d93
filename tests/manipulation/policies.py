"""Scripted policies for the Panda tasks: functions from goal dictionaries [..., d] to actions [..., A], in NumPy."""

import numpy as np

STRIDE = 0.05  # m per unit of action


def reach(observation):
    """Straight to the goal."""
    return toward(observation["observation"], observation["desired_goal"])


def push(observation):
    """Over the cube to the side away from the goal, down, and against it, slower as the goal comes near."""
    seen, goal = observation["observation"], observation["desired_goal"]
    tip, item = seen[..., :3], seen[..., 6:9]
    ahead, length, along, aside = line(tip, item, goal)
    low = tip[..., 2:] < 0.03
    ready = (along < -0.015) & (aside < np.where(low, 0.02, 0.01))
    behind = at(item[..., :2] - 0.06 * ahead, np.where(ready | (low & (along < -0.04)), 0.012, 0.07))
    against = at(item[..., :2] + (np.minimum(length, 0.05) - 0.03) * ahead, 0.012)
    action = np.where(ready & low, toward(seen, against, 0.6), toward(seen, behind))
    return np.where(length < 0.02, np.zeros_like(action), action)


def slide(observation):
    """Behind the puck and against it, until it is fast enough to reach the goal by itself; then back."""
    seen, goal = observation["observation"], observation["desired_goal"]
    tip, item, velocity = seen[..., :3], seen[..., 6:9], seen[..., 12:14]
    ahead, length, along, aside = line(tip, item, goal)
    low = tip[..., 2:] < 0.03
    ready = (along < -0.015) & (aside < 0.015)
    speed = (velocity * ahead).sum(-1, keepdims=True)
    enough = np.sqrt(2 * 0.1 * 9.81 * np.maximum(length - 0.03, 0))  # m/s; friction 0.1 brakes it
    thrown = speed > 0.95 * enough
    behind = at(item[..., :2] - 0.08 * ahead, np.where(ready | (low & (along < -0.05)), 0.015, 0.08))
    against = at(item[..., :2] + 0.05 * ahead, 0.015)
    action = np.where(ready & low, toward(seen, against, np.clip(enough, 0.1, 1.0)), toward(seen, behind))
    back = np.broadcast_to(np.float32([-1, 0, 0.2]), action.shape)
    return np.where(thrown | (speed > 0.1) & (along < -0.07), back, action)


def line(tip, item, goal):
    """Direction [..., 2] and distance [..., 1] from item to goal; the tip's place [..., 1] along and off that line."""
    way = goal[..., :2] - item[..., :2]
    length = np.linalg.norm(way, axis=-1, keepdims=True)
    ahead = way / np.maximum(length, 1e-6)
    offset = tip[..., :2] - item[..., :2]
    along = (offset * ahead).sum(-1, keepdims=True)
    return ahead, length, along, np.linalg.norm(offset - along * ahead, axis=-1, keepdims=True)


def pick_and_place(observation):
    """Above the cube with open fingers, down, close, and to the goal."""
    seen, goal = observation["observation"], observation["desired_goal"]
    tip, width, item = seen[..., :3], seen[..., 6:7], seen[..., 7:10]
    aside = np.linalg.norm(tip[..., :2] - item[..., :2], axis=-1, keepdims=True)
    closed = width < 0.055
    around = (aside < np.where(closed, 0.025, 0.01)) & (np.abs(tip[..., 2:] - item[..., 2:]) < 0.01)
    held = around & (width < 0.045)
    open_enough = width > 0.06
    down = (aside < 0.01) & (open_enough | (tip[..., 2:] < item[..., 2:] + 0.03))
    approach = at(item[..., :2], np.where(down, item[..., 2:], item[..., 2:] + 0.08))
    target = np.where(held, goal, np.where(around, item, approach))
    return np.concatenate([toward(seen, target), np.where(around, -1.0, 1.0)], axis=-1).astype(np.float32)


def at(place, height):
    """Points [..., 3] of `place` [..., 2] and `height` [..., 1] or a number."""
    return np.concatenate([place, np.broadcast_to(height, (*place.shape[:-1], 1))], axis=-1)


def toward(seen, target, most=1.0):
    """The displacement straight to `target` [..., 3], less what the end-effector's speed brings; at most `most`."""
    action = (target - seen[..., :3] - 0.02 * seen[..., 3:6]) / STRIDE
    size = np.abs(action).max(-1, keepdims=True)
    return (action * most / np.maximum(size, most)).astype(np.float32)
