"""Suites: any agent on fixed lists of tasks, its scores, the leaderboard and the report."""
