"""Plans the main memory: a place for every buffer, and a budget of everything."""
