"""Does an LLM work with the OpenHands SDK, whose fault is it if not, and what makes it work?

This module imports nothing: pytest loads the package for every user who has it installed.
"""
