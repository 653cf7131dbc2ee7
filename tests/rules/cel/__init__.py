"""What the CEL profile promises, through its public door."""
