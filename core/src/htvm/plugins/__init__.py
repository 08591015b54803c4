"""Finds target plug-ins and opens a session with one of them."""
