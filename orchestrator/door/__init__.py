"""The door for workers elsewhere: they take commands of a target by lease, and say what became of them."""
