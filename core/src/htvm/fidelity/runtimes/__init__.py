"""The runtimes of source networks, as something that gives every tensor for an input."""
