"""The console script ``ohllm``: what a user does with profiles and runs outside pytest."""
