"""Real processes, killed with SIGKILL at random moments, and what must be true of their logs afterwards."""
