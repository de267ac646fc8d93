"""Evaluation of any agent on any id: success of every goal, tables, learning curves and videos."""

from gc_envs.evaluation.evaluate import Evaluation, Evaluator, evaluate
from gc_envs.evaluation.table import format_table, save_json

__all__ = ["Evaluation", "Evaluator", "evaluate", "format_table", "save_json"]
