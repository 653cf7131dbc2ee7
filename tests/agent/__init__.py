"""The agent and its worker, over real logs and compiled rules."""
