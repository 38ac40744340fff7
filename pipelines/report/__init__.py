"""The leaderboard and what its differences are worth."""
