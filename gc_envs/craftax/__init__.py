"""Craftax and Craftax-Classic as goal-conditioned tasks: 512 and 136 goals over Craftax's own dynamics.

This file imports nothing, so that `import gc_envs` stays free of JAX; the task is `gc_envs.craftax.task.CraftaxTask`.
"""
