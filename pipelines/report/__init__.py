"""The leaderboard and the statistics of its differences."""
