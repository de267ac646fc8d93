"""Evaluate any agent on any id: per-goal success, tables, curves, films."""

from gc_envs.evaluation.evaluate import Evaluation, evaluate
from gc_envs.evaluation.report import format_table

__all__ = ["Evaluation", "evaluate", "format_table"]
