"""The target cpu: portable C99 for any processor, and the host side of every other target."""
