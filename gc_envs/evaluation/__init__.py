"""Evaluate any agent on any id: per-goal success, tables, curves, films."""

from gc_envs.evaluation.evaluate import Evaluation, Evaluator, evaluate
from gc_envs.evaluation.report import format_table, save_json

__all__ = ["Evaluation", "Evaluator", "evaluate", "format_table", "save_json"]
