"""The report of a deployment: one value, as JSON for programs and as a page for people."""
