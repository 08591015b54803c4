"""How far what the generated C computes is from what the source network's own runtime computes."""
